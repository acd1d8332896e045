"""e2KD Lab: explanation-enhanced knowledge distillation, from a slider to the paper's figures.

Typical use::

    import e2kd_lab as lab

    experiment = lab.experiments.get("waterbirds", scale="lab").replace(method="e2kd", lam=5.0, tau=1.0)
    run = lab.run(experiment)
    lab.load_runs()
"""

# These two come first: the one before torch is imported, the other before torchvision is.
from e2kd_lab import _threads  # noqa: F401

# isort: split
from e2kd_lab import _torchvision  # noqa: F401

# isort: split
from e2kd_lab import experiments, explanations, losses, methods, metrics
from e2kd_lab.evaluating import evaluate, load_teacher
from e2kd_lab.execute import run, run_all, sweep
from e2kd_lab.explanations import Explanation, explain, register_explanation
from e2kd_lab.methods import register_method
from e2kd_lab.models import build_model, register_model
from e2kd_lab.models.adapt import adapt
from e2kd_lab.runs import Run, load_runs, results_of
from e2kd_lab.system.plugins import use, use_inherited
from e2kd_lab.training import Hardware

__version__ = "0.1.0"

__all__ = [
    "Explanation",
    "Hardware",
    "Run",
    "adapt",
    "build_model",
    "evaluate",
    "experiments",
    "explain",
    "explanations",
    "load_runs",
    "load_teacher",
    "losses",
    "methods",
    "metrics",
    "register_explanation",
    "register_method",
    "register_model",
    "results_of",
    "run",
    "run_all",
    "sweep",
    "use",
]

use_inherited()
