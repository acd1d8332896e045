"""e2KD Lab: explanation-enhanced knowledge distillation, from a slider to the paper's figures.

Typical use::

    import e2kd_lab as lab

    experiment = lab.experiments.get("waterbirds", scale="lab").replace(method="e2kd", lam=5.0, tau=1.0)
    run = lab.run(experiment)
    lab.load_runs()
"""

import importlib
from typing import TYPE_CHECKING, Any

# These two come first: the one before torch is imported, the other before torchvision is.
from e2kd_lab import _threads  # noqa: F401

# isort: split
from e2kd_lab import _torchvision  # noqa: F401

# isort: split
from e2kd_lab import experiments, explanations, losses, methods, metrics
from e2kd_lab.evaluating import evaluate, load_teacher
from e2kd_lab.execute import run
from e2kd_lab.explanations import Explanation, explain, register_explanation
from e2kd_lab.methods import register_method
from e2kd_lab.models import build_model, register_model
from e2kd_lab.models.adapt import adapt
from e2kd_lab.runs import Run, load_runs, results_of
from e2kd_lab.sweeping import run_all, sweep
from e2kd_lab.system.plugins import use, use_inherited
from e2kd_lab.training import Hardware, ProgressBar, Watcher

if TYPE_CHECKING:
    from e2kd_lab import figures, widgets
    from e2kd_lab.figures.own_results_table import results_table

__version__ = "0.1.0"

__all__ = [
    "Explanation",
    "Hardware",
    "ProgressBar",
    "Run",
    "Watcher",
    "adapt",
    "build_model",
    "evaluate",
    "experiments",
    "explain",
    "explanations",
    "figures",
    "load_runs",
    "load_teacher",
    "losses",
    "methods",
    "metrics",
    "register_explanation",
    "register_method",
    "register_model",
    "results_of",
    "results_table",
    "run",
    "run_all",
    "sweep",
    "use",
    "widgets",
]


def __getattr__(name: str) -> Any:
    """Drawing and panels are imported when they are asked for first: training on a cluster needs neither."""
    if name in ("figures", "widgets"):
        return importlib.import_module(f"e2kd_lab.{name}")
    if name == "results_table":
        return importlib.import_module("e2kd_lab.figures.own_results_table").results_table
    raise AttributeError(f"module 'e2kd_lab' has no attribute '{name}'")


use_inherited()
