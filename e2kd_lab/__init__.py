"""e2KD Lab: explanation-enhanced knowledge distillation, from a slider to the paper's figures.

Typical use::

    import e2kd_lab as lab

    experiment = lab.experiments.get("waterbirds", scale="lab").replace(method="e2kd", lam=5.0, tau=1.0)
    run = lab.run(experiment)
    lab.load_runs()
"""

import importlib
from typing import TYPE_CHECKING, Any

from e2kd_lab.system.plugins import use, use_inherited
from e2kd_lab.system.threads import let_threads_sleep
from e2kd_lab.system.torchvision_operators import declare_on_import

if TYPE_CHECKING:
    from e2kd_lab import experiments, explanations, figures, losses, methods, metrics, paper, widgets
    from e2kd_lab.explanations import Explanation, explain, register_explanation
    from e2kd_lab.figures.results_table import results_table
    from e2kd_lab.methods import register_method
    from e2kd_lab.models import build_model, register_model
    from e2kd_lab.models.adapt import adapt
    from e2kd_lab.models.bcosify import bcosify
    from e2kd_lab.runs import Run, load_runs, results_of
    from e2kd_lab.runs.cluster import Cluster
    from e2kd_lab.runs.evaluate import evaluate, load_teacher
    from e2kd_lab.runs.plan import plan
    from e2kd_lab.runs.run import run
    from e2kd_lab.runs.sweep import run_all, sweep
    from e2kd_lab.system import errors
    from e2kd_lab.system.errors import LabError, LabNote
    from e2kd_lab.training import Hardware, ProgressBar, Watcher

__version__ = "0.1.0"

# Where each public name is defined. It is imported when it is asked for first: a question to the command line, or a
# process that draws pictures, needs no networks, and training on a cluster needs no panels.
_DEFINED_IN = {
    "Cluster": "runs.cluster",
    "Explanation": "explanations",
    "Hardware": "training",
    "LabError": "system.errors",
    "LabNote": "system.errors",
    "ProgressBar": "training",
    "Run": "runs",
    "Watcher": "training",
    "adapt": "models.adapt",
    "bcosify": "models.bcosify",
    "build_model": "models",
    "errors": "system",
    "evaluate": "runs.evaluate",
    "explain": "explanations",
    "load_runs": "runs",
    "load_teacher": "runs.evaluate",
    "plan": "runs.plan",
    "register_explanation": "explanations",
    "register_method": "methods",
    "register_model": "models",
    "results_of": "runs",
    "results_table": "figures.results_table",
    "run": "runs.run",
    "run_all": "runs.sweep",
    "sweep": "runs.sweep",
}
_FOLDERS = (
    *("bench", "cli", "data", "experiments", "explanations", "figures", "losses", "methods", "metrics", "minidata"),
    *("models", "paper", "runs", "system", "training", "widgets"),
)

__all__ = [
    "Cluster",
    "Explanation",
    "Hardware",
    "LabError",
    "LabNote",
    "ProgressBar",
    "Run",
    "Watcher",
    "adapt",
    "bcosify",
    "build_model",
    "errors",
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
    "paper",
    "plan",
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
    if name in _FOLDERS:
        return importlib.import_module(f"e2kd_lab.{name}")
    if name in _DEFINED_IN:
        return getattr(importlib.import_module(f"e2kd_lab.{_DEFINED_IN[name]}"), name)
    raise AttributeError(f"module 'e2kd_lab' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


let_threads_sleep()
declare_on_import()
use_inherited()
