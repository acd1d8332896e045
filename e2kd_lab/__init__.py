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
from e2kd_lab import experiments, losses, metrics
from e2kd_lab.evaluating import evaluate, load_teacher
from e2kd_lab.execute import run, run_all, sweep
from e2kd_lab.explanations import Explanation, explain
from e2kd_lab.models import build_model
from e2kd_lab.runs import Run, load_runs, results_of
from e2kd_lab.training import Hardware, ProgressBar, Watcher

__version__ = "0.1.0"

__all__ = [
    "Explanation",
    "Hardware",
    "ProgressBar",
    "Run",
    "Watcher",
    "build_model",
    "evaluate",
    "experiments",
    "explain",
    "load_runs",
    "load_teacher",
    "losses",
    "metrics",
    "results_of",
    "run",
    "run_all",
    "sweep",
]
