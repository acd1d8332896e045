"""The errors that a user of the lab can cause: each message is one sentence with the place and the expectation.

Examples
--------
>>> import e2kd_lab as lab
>>> issubclass(lab.errors.DataError, lab.LabError)
True
"""

from __future__ import annotations

import warnings

_LONGEST = 2000


class LabError(Exception):
    """Base of the lab's own errors; the command line prints the message alone.

    Parameters
    ----------
    sentence : str
        The message. What it quotes from files and from other programs' errors is brought onto one line, and the middle
        of an endless quotation is left out.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> try:
    ...     lab.experiments.get("waterbirds", scale="huge")
    ... except lab.LabError as error:
    ...     print(error)
    There is no scale 'huge'; expected one of smoke, lab, paper.
    """

    def __init__(self, sentence: str = "") -> None:
        line = _on_one_line(sentence)
        super().__init__(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 400]} ... {line[-395:]}")


class DataError(LabError):
    """A data set is missing, damaged or not in its layout."""


class CheckpointError(LabError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class ExperimentError(LabError):
    """An experiment asks for something that does not exist or does not fit together."""


class RunError(LabError):
    """A run's folder cannot be used: in use by another process, damaged, or not writable."""


class TrainingError(LabError):
    """Training cannot go on, for instance because the loss is not a number."""


class LabNote(UserWarning):
    """Something that was skipped, repaired or guessed, said once.

    Examples
    --------
    >>> import warnings, e2kd_lab as lab
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", lab.LabNote)  # to end where the lab would guess
    """


def note(sentence: str) -> None:
    """Warn by a `LabNote` that something was skipped, repaired or guessed; Python shows equal ones once.

    A notebook or terminal that fails to show it, for instance because it was closed, does no harm.
    """
    try:
        warnings.warn(str(LabError(sentence)), LabNote, stacklevel=3)
    except (LabNote, KeyboardInterrupt, SystemExit):  # whoever makes notes errors wants to end here
        raise
    except BaseException:  # there is nobody to tell
        return


def raised(error: BaseException) -> str:
    """An error in other people's code as messages name it, even if its own text cannot be made.

    Examples
    --------
    >>> raised(KeyError("loss"))
    "raised KeyError ('loss')"
    """
    try:
        return f"raised {type(error).__name__} ({error})"
    except Exception:
        return f"raised {type(error).__name__}"


def shown(value: object) -> str:
    """A value as messages quote it: on one line, at most 40 characters."""
    try:
        line = " ".join(_on_one_line(str(value)).split())
    except ValueError:  # Python refuses to print integers of thousands of digits
        line = "a huge number"
    return line if len(line) <= 40 else line[:37] + "..."


def _on_one_line(text: str) -> str:
    # Control characters would garble a terminal, and lone surrogates cannot be printed.
    return "".join(c if c.isprintable() else " " for c in text).strip()
