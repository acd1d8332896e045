"""The paper's experiments by name, each at lab and paper scale."""

from __future__ import annotations

from collections.abc import Callable

from e2kd_lab.errors import ExperimentError
from e2kd_lab.experiments import waterbirds
from e2kd_lab.experiments.experiment import FAMILIES, SCALES, Experiment, Family, Scale
from e2kd_lab.experiments.waterbirds import WaterbirdsExperiment

__all__ = ["Experiment", "WaterbirdsExperiment", "get", "names"]

_REGISTRY: dict[str, Callable[[Scale, Family], WaterbirdsExperiment]] = {"waterbirds": waterbirds.build}


def names() -> list[str]:
    """The experiments that `get` knows."""
    return sorted(_REGISTRY)


def get(name: str, scale: str = "lab", family: str = "standard") -> WaterbirdsExperiment:
    """An experiment with the recipe of a scale.

    Parameters
    ----------
    name : str
        One of `names`.
    scale : str
        ``lab``, ``paper`` or ``smoke``.
    family : str
        ``standard`` networks, explained by GradCAM, or ``bcos`` networks, explained by W(x).

    Raises
    ------
    ExperimentError
        If the name, the scale or the family is not known.
    """
    if name not in _REGISTRY:
        raise ExperimentError(f"There is no experiment '{name}'; expected one of {', '.join(names())}.")
    if scale not in SCALES:
        raise ExperimentError(f"There is no scale '{scale}'; expected one of {', '.join(SCALES)}.")
    if family not in FAMILIES:
        raise ExperimentError(f"There is no family '{family}'; expected one of {', '.join(FAMILIES)}.")
    return _REGISTRY[name](scale, family)
