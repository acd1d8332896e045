"""Errors that users can cause: one sentence says what was found, where, what was expected, and how to mend it."""

from __future__ import annotations

import warnings

_LONGEST = 2000


class LabError(Exception):
    """Base of the lab's own errors; the command line prints the message alone.

    Parameters
    ----------
    sentence : str
        The message. It is brought onto one line, and the middle of a very long one is cut.
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
    """A warning that something was skipped, repaired or guessed."""


def note(sentence: str) -> None:
    """Warn by a `LabNote` that something was skipped, repaired or guessed; Python shows equal ones once."""
    warnings.warn(str(LabError(sentence)), LabNote, stacklevel=3)


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
