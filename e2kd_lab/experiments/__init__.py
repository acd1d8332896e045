"""The paper's experiments by name, each at lab and paper scale.

Examples
--------
>>> import e2kd_lab as lab
>>> lab.experiments.get("waterbirds").settings()
('base', 'mixup', 'long')
"""

from __future__ import annotations

from collections.abc import Callable

from e2kd_lab.data.own_data import describe
from e2kd_lab.experiments import cnn_to_vit, imagenet_tables, voc, waterbirds
from e2kd_lab.experiments.cnn_to_vit import CnnToVitExperiment
from e2kd_lab.experiments.experiment import FAMILIES, SCALES, Experiment, Family, Scale
from e2kd_lab.experiments.imagenet import ImageNetExperiment
from e2kd_lab.experiments.own_experiment import OWN, OwnExperiment, own
from e2kd_lab.experiments.voc import VocExperiment
from e2kd_lab.experiments.waterbirds import WaterbirdsExperiment
from e2kd_lab.system.errors import ExperimentError

__all__ = [
    "CnnToVitExperiment",
    "Experiment",
    "ImageNetExperiment",
    "OwnExperiment",
    "VocExperiment",
    "WaterbirdsExperiment",
    "describe",
    "get",
    "names",
    "own",
]

AnyExperiment = WaterbirdsExperiment | ImageNetExperiment | VocExperiment | CnnToVitExperiment

# Each experiment's builder, and the networks it has unless told otherwise.
_REGISTRY: dict[str, tuple[Callable[[Scale, Family], AnyExperiment], Family]] = {
    "waterbirds": (waterbirds.build, "standard"),
    "imagenet_standard": (imagenet_tables.build_standard, "standard"),
    "imagenet_bcos": (imagenet_tables.build_bcos, "bcos"),
    "imagenet_bcos_densenet": (imagenet_tables.build_bcos_densenet, "bcos"),
    "imagenet_frozen": (imagenet_tables.build_frozen, "bcos"),
    "data_free": (imagenet_tables.build_data_free, "bcos"),
    "prior_work": (imagenet_tables.build_prior_work, "standard"),
    "voc": (voc.build, "bcos"),
    "cnn_to_vit": (cnn_to_vit.build, "bcos"),
}


def names() -> list[str]:
    """The experiments that `get` knows."""
    return sorted(_REGISTRY)


def get(name: str, scale: str = "lab", family: str | None = None) -> Experiment:
    """An experiment with the recipe of a scale.

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
    """
    if name in OWN:
        return _own(name, family)
    if name not in _REGISTRY:
        others = "".join(f", {own}" for own in OWN)
        raise ExperimentError(f"There is no experiment '{name}'; expected one of {', '.join(names())}{others}.")
    if scale not in SCALES:
        raise ExperimentError(f"There is no scale '{scale}'; expected one of {', '.join(SCALES)}.")
    build, own = _REGISTRY[name]
    family = own if family is None else family
    if family not in FAMILIES:
        raise ExperimentError(f"There is no family '{family}'; expected one of {', '.join(FAMILIES)}.")
    return build(scale, family)


def _own(name: str, family: str | None) -> OwnExperiment:
    found = OWN[name]
    if family not in (None, found.family):
        raise ExperimentError(f"'{name}' has networks of the family {found.family}; expected that, got '{family}'.")
    return found
