"""Experiments by name, each at lab and paper scale: the paper's, and which explanation to copy.

Examples
--------
>>> import e2kd_lab as lab
>>> lab.experiments.get("waterbirds").settings()
('base', 'mixup', 'long')
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from e2kd_lab.data.own_source import describe
from e2kd_lab.experiments import cnn_to_vit, imagenet_tables, voc, waterbirds, which_explanation
from e2kd_lab.experiments.data import SCALES, Data, Scale
from e2kd_lab.experiments.distillation import Distillation
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.networks import FAMILIES, Family, Networks
from e2kd_lab.experiments.own_experiment import OWN, own
from e2kd_lab.experiments.plan import Plan
from e2kd_lab.system.errors import ExperimentError

__all__ = [
    "FAMILIES",
    "SCALES",
    "Data",
    "Distillation",
    "Experiment",
    "Family",
    "Networks",
    "Scale",
    "describe",
    "get",
    "names",
    "own",
    "setting_title",
    "title",
]

# Each experiment's builders, by the family of their networks; the first is the default.
_BUILDERS: Mapping[str, Mapping[str, Callable[[Scale], Experiment]]] = {
    "waterbirds": {"standard": waterbirds.build, "bcos": partial(waterbirds.build, family="bcos")},
    "imagenet_standard": {"standard": imagenet_tables.build_standard},
    "imagenet_bcos": {"bcos": imagenet_tables.build_bcos},
    "imagenet_bcos_densenet": {"bcos": imagenet_tables.build_bcos_densenet},
    "imagenet_frozen": {"bcos": imagenet_tables.build_frozen},
    "data_free": {"bcos": imagenet_tables.build_data_free},
    "prior_work": {"standard": imagenet_tables.build_prior_work},
    "voc": {"bcos": voc.build, "standard": partial(voc.build, family="standard")},
    "cnn_to_vit": {"bcos": cnn_to_vit.build},
    "which_explanation": {
        "standard": which_explanation.build,
        "bcos": partial(which_explanation.build, family="bcos"),
    },
    "which_explanation_few_shots": {
        "standard": which_explanation.build_few_shots,
        "bcos": partial(which_explanation.build_few_shots, family="bcos"),
    },
}


def names() -> list[str]:
    """Names of the lab's experiments, sorted.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.experiments.names()[0]
    'cnn_to_vit'
    """
    return sorted(_BUILDERS)


def get(name: str, scale: str = "lab", family: str | None = None) -> Experiment:
    """An experiment at one of the scales.

    Parameters
    ----------
    name : str
        One of `names`, or the name of an experiment that `own` has made in this process, for instance in a plug-in.
    scale : str
        ``lab``, ``paper`` or ``smoke``; one's own experiments have one scale only.
    family : str, optional
        ``standard`` networks, explained by GradCAM, or ``bcos`` networks, explained by W(x); if None, the experiment's.

    Raises
    ------
    ExperimentError
        If the name, the scale or the family is not known.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.experiments.get("waterbirds", "paper", "bcos").epochs
    700
    """
    if name in OWN:
        _check_family(name, family, (OWN[name].family,))
        return OWN[name]
    if name not in _BUILDERS:
        raise ExperimentError(f"There is no experiment '{name}'; expected one of {', '.join([*names(), *OWN])}.")
    if scale not in SCALES:
        raise ExperimentError(f"There is no scale '{scale}'; expected one of {', '.join(SCALES)}.")
    _check_family(name, family, tuple(_BUILDERS[name]))
    return _BUILDERS[name][family or next(iter(_BUILDERS[name]))](scale)


def title(name: str) -> str:
    """An experiment as titles, figures and tables call it; also that of its teacher.

    Parameters
    ----------
    name : str
        Name of an experiment or of one that trains teachers, as runs have it. Others are returned as they are.

    Examples
    --------
    >>> title("voc"), title("sun397"), title("theirs")
    ('PASCAL VOC', 'SUN397', 'theirs')
    """
    known = _known(name)
    return name if known is None else known.heading


def setting_title(name: str, setting: str) -> str:
    """A setting of an experiment as titles, figures and tables call it; empty for a base setting without a title.

    Examples
    --------
    >>> setting_title("voc", "base"), setting_title("waterbirds", "base"), setting_title("theirs", "no_crops")
    ('EPG teacher', '', 'no crops')
    """
    known = _known(name)
    return (Plan() if known is None else known.plan).title(setting)


def _known(name: str) -> Experiment | None:
    return OWN.get(name) or _papers().get(name)


@functools.cache
def _papers() -> dict[str, Experiment]:
    """The paper's experiments and those that train their teachers, by name."""
    found = {name: get(name) for name in names()}
    taught = [one.teacher_experiment() for one in found.values()]
    return {**{one.name: one for one in taught}, **found}


def _check_family(name: str, family: str | None, known: Sequence[str]) -> None:
    if family not in (None, *FAMILIES):
        raise ExperimentError(f"There is no family '{family}'; expected one of {', '.join(FAMILIES)}.")
    if family not in (None, *known):
        raise ExperimentError(f"Experiment '{name}' has {known[0]} networks; expected family '{known[0]}'.")
