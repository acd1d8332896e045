"""Titles of runs, in full: method, hyper-parameters, seed, and what sets a run apart from a panel's experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2kd_lab.experiments import Experiment
from e2kd_lab.experiments.distillation import SHARED
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.figures.labels import counted, run_label, title_of

# What a title says only where it differs from the panel's experiment, in this order.
_APART = ("name", "scale", "setting", "epochs", "explanation")


def run_title(run: Experiment | Mapping[str, Any], beside: Experiment | None = None) -> str:
    """Title of a run for lists, legends, pictures and messages.

    Parameters
    ----------
    run : Experiment, or mapping
        What was or will be trained: an experiment, or the configuration of a run.
    beside : Experiment, optional
        Experiment of the panel; what is not as there is said, too.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", lam=5.0)
    >>> run_title(experiment), run_title(experiment.replace(epochs=9), beside=experiment)
    ('e²KD, λ = 5, τ = 1, seed 0', 'e²KD, λ = 5, τ = 1, seed 0, 9 epochs')
    """
    if isinstance(run, Experiment):
        values = {name: getattr(run, name) for name in ("method", "seed", "family", *_APART)}
        own = run.hyperparameters
    else:
        values = {"explanation": None, **run}
        # The method may be a plug-in's that is not there: then it does not tell which values are its own.
        own = {name: run[name] for name in SHARED if name in run} | run.get("options", {})
    parts = [run_label(values["method"], own), f"seed {values['seed']}"]
    if beside is not None:
        parts += [_said(name, values) for name in _APART if values[name] != getattr(beside, name)]
    networks = "B-cos " if values["family"] == "bcos" else ""
    return networks + ", ".join(parts)


def _said(name: str, values: Mapping[str, Any]) -> str:
    value = values[name]
    if name == "name":
        return title_of("experiment", value)
    if name == "setting":
        title = title_of("setting", value, experiment=values["name"])
        return "default setting" if title == "default" else title
    if name == "epochs":
        return counted(value, "epoch")
    if name == "explanation":
        known = value in EXPLANATIONS
        return f"by {EXPLANATIONS[value].title if known else value}" if value else "by its networks' own explanation"
    return str(value).replace("_", " ")
