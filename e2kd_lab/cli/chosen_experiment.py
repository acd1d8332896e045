"""The experiment that a command's options describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import e2kd_lab as lab

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
