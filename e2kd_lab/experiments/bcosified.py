"""The setting ``bcosified``: the teacher is an ordinary network, turned into a B-cos network and fine-tuned.

The ordinary network is trained first, or given (``ordinary_weights``); see `e2kd_lab.bcosify`. Students are B-cos
networks from scratch. At paper scale fine-tuning takes 20 epochs at learning rate 1e-4, where a B-cos network from
scratch takes 90; at lab scale 4 epochs at 3e-3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.models.bcosified_names import bcosified_name
from e2kd_lab.training.recipe import TEACHER_SEED

SETTING = "bcosified"
TITLE = "B-cosified teacher"
_FINE_TUNING: Mapping[str, Mapping[str, Any]] = {
    "paper": {"epochs": 20, "lr": 1e-4, "warmup_epochs": 0.0, "validate_every": 1},
    "lab": {"epochs": 4, "lr": 3e-3, "warmup_epochs": 0.0, "validate_every": 4},
    "smoke": {"epochs": 1, "lr": 3e-3, "warmup_epochs": 0.0, "validate_every": 1},
}


def with_bcosified_teacher(ordinary: Experiment) -> Callable[[Experiment], dict[str, Any]]:
    """What the setting changes in an experiment with B-cos networks.

    Parameters
    ----------
    ordinary : Experiment
        The same experiment with ordinary networks, which gives the ordinary teacher.
    """

    def changes(experiment: Experiment) -> dict[str, Any]:
        recipe = experiment.teacher_recipe or experiment.recipe
        return {
            "teacher": bcosified_name(ordinary.teacher),
            "teacher_weights": None,
            "ordinary_weights": ordinary.teacher_weights,
            "ordinary_recipe": ordinary.teacher_recipe,
            "teacher_recipe": replace(recipe, seed=TEACHER_SEED, **_FINE_TUNING[experiment.scale]),
        }

    return changes
