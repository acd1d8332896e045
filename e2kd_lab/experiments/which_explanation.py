"""Which explanation should a teacher give? Each setting copies another one (beyond the paper).

The setting ``base`` copies the networks' own explanation: GradCAM, or W(x) of B-cos networks. Data, networks and recipe
are those of Waterbirds, or of few shots on ImageNet, and so is the teacher, which is trained once for all settings.
At lab scale a student of a CAM takes as long as in `e2kd_lab.experiments.waterbirds`, one of input x gradient or
integrated gradients, of which a part of each batch is explained, two to four times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from e2kd_lab.experiments import imagenet_tables, waterbirds
from e2kd_lab.experiments.data import Scale
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.networks import Family
from e2kd_lab.experiments.plan import Plan
from e2kd_lab.explanations import EXPLANATIONS

# Besides the networks' own, of standard networks. On a CPU, gradients of the whole network are taken of a part of each
# batch, and the integral has four points.
_CAMS: Mapping[str, Mapping[str, Any]] = {
    name: {"explanation": name} for name in ("gradcam_pp", "layercam", "hirescam")
}
_CHEAP: Mapping[str, Mapping[str, Any]] = {
    "input_x_gradient": {"explanation": "input_x_gradient", "explain_part": 0.25},
    "integrated_gradients_4": {"explanation": "integrated_gradients_4", "explain_part": 0.125},
}
_WHOLE = {name: {"explanation": name} for name in ("input_x_gradient", "integrated_gradients")}
_COPIED: Mapping[Scale, Mapping[str, Mapping[str, Any]]] = {
    "smoke": {**_CAMS, **_CHEAP},
    "lab": {**_CAMS, **_CHEAP},
    "paper": {**_CAMS, **_WHOLE},
}


def build(scale: Scale, family: Family = "standard") -> Experiment:
    """The question on Waterbirds."""
    return _asked(waterbirds.build(scale, family), "which_explanation", "Which explanation?")


def build_few_shots(scale: Scale, family: Family = "standard") -> Experiment:
    """The question with few shots: 50 of each class of ImageNet, at lab scale 10 of each class of MiniNet."""
    tables = {"standard": imagenet_tables.build_standard, "bcos": imagenet_tables.build_bcos}
    fewest = next(iter(imagenet_tables.SHOTS[scale].values()))
    return _asked(
        tables[family](scale).replace(**fewest), "which_explanation_few_shots", "Which explanation, with few shots?"
    )


def _asked(experiment: Experiment, name: str, title: str) -> Experiment:
    """The experiment with an explanation a setting, and the weights that the paper tried at temperature 1."""
    settings: dict[str, Mapping[str, Any]] = {"base": {}}
    if experiment.family == "standard":
        settings |= _COPIED[experiment.scale]
    tried: Mapping[str, Sequence[Mapping[str, float]]] = experiment.plan.grids or {}
    grids = {"baseline": [{}], "kd": tried["kd"], "e2kd": [one for one in tried["e2kd"] if one["tau"] == 1.0]}
    titles = {name: f"by {EXPLANATIONS[values['explanation']].title}" for name, values in settings.items() if values}
    return replace(experiment, name=name, display_name=title, plan=Plan(settings, grids, titles))
