"""The experiment that a command's options describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import e2kd_lab as lab
from e2kd_lab.system.errors import ExperimentError

if TYPE_CHECKING:
    from e2kd_lab.experiments import Experiment


def chosen_experiment(
    name: str,
    scale: str,
    family: str | None,
    setting: str = "base",
    *,
    method: str | None = None,
    assignments: Sequence[str] | None = None,
    **values: Any,
) -> Experiment:
    """An experiment in a setting, with the values that were given.

    Parameters
    ----------
    name, scale, family, setting : str
        See `e2kd_lab.experiments.get`, and `Experiment.with_setting`.
    method : str, optional
        Method of distillation.
    assignments : sequence of str, optional
        Fields as ``--set`` has them, such as ``lr=0.01``.
    values
        Fields of the experiment; None keeps what the experiment says. What is given goes before what the setting says.
    """
    from e2kd_lab.experiments.assignments import assigned

    changes = {field: value for field, value in values.items() if value is not None} | assigned(assignments or [])
    chosen = lab.experiments.get(name, scale, family).with_setting(setting)
    return chosen.replace(**changes) if method is None else chosen.by_method(method, **changes)


def chosen_grid(
    name: str, scale: str, family: str | None, setting: str, methods: Sequence[str], seeds: str, **values: Any
) -> list[Experiment]:
    """The experiment for each setting, method, point of the method's grid, and seed; see `chosen_experiment`.

    Parameters
    ----------
    name, scale, family : str
        See `chosen_experiment`.
    setting : str
        A setting, or ``all`` of the paper's.
    methods : sequence of str
        Methods of distillation; all that the paper tried if there are none.
    seeds : str
        Seeds, as ``0,1,2``.
    values
        See `chosen_experiment`.

    Raises
    ------
    ExperimentError
        If there is no such experiment, or a value is not valid.
    """
    base = lab.experiments.get(name, scale, family)
    settings = base.settings() if setting == "all" else (setting,)
    variants = [
        chosen_experiment(name, scale, family, one, method=method, **values)
        for one in settings
        for method in methods or base.methods
    ]
    cells = [cell for variant in variants for cell in variant.grid(variant.method)]
    return [cell.replace(seed=seed) for cell in cells for seed in _seeds(seeds)]


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise ExperimentError(f"--seeds {text} is no list of whole numbers; expected for instance 0,1,2.") from None
