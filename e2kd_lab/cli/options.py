"""Options that several commands share: one word, one meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import e2kd_lab as lab

# Panels of the help pages.
EXPERIMENT, METHOD, RECIPE, DATA, HARDWARE, OUTPUT = "Experiment", "Method", "Recipe", "Data", "Hardware", "Output"
CLUSTER = "Cluster"


def experiment_names() -> list[str]:
    """Experiments of the paper, then those of plug-ins."""
    from e2kd_lab.experiments.own_experiment import OWN

    return [*lab.experiments.names(), *OWN]


def method_names() -> list[str]:
    """Methods of distillation, those of plug-ins included."""
    return list(lab.methods.METHODS)


def scale_names() -> list[str]:
    """Scales of the paper's experiments."""
    return list(lab.experiments.SCALES)


def split_names() -> list[str]:
    """Splits of a data set."""
    from e2kd_lab.data.splits import SPLITS

    return list(SPLITS)


def _option(help: str, panel: str, *flags: str, **more: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=panel, **more)


ExperimentArgument = Annotated[
    str,
    typer.Argument(
        help="Name of the experiment, such as waterbirds; 'e2kd-lab list' shows all",
        autocompletion=experiment_names,
    ),
]
SweptArgument = Annotated[
    str | None,
    typer.Argument(
        help="Name of the experiment; --status and --cancel without one are about all runs",
        autocompletion=experiment_names,
    ),
]
ScaleOption = Annotated[
    str,
    _option(
        "lab (a CPU, minutes), paper (GPUs, real data) or smoke (seconds; the numbers mean nothing)",
        EXPERIMENT,
        autocompletion=scale_names,
    ),
]
FamilyOption = Annotated[
    str | None,
    _option(
        "Networks: standard, explained by GradCAM, or bcos, by their linear map W(x) (default: the experiment's)",
        EXPERIMENT,
        autocompletion=lambda: list(lab.experiments.FAMILIES),
    ),
]
SettingOption = Annotated[str, _option("Variant of the experiment, such as mixup or 10-shots", EXPERIMENT)]
AnySettingOption = Annotated[str, _option("Variant of the experiment, or all", EXPERIMENT)]
SeedsOption = Annotated[str, _option("Seeds, such as 0,1,2", EXPERIMENT)]
SeedOption = Annotated[int, _option("Seed of initialisation, order and augmentation", EXPERIMENT)]
PluginOption = Annotated[
    list[str] | None,
    _option(
        "Python file or module that registers your own networks, methods, explanations or experiments; repeatable",
        EXPERIMENT,
        "--plugin",
        callback=lambda plugins: [lab.use(plugin) for plugin in plugins or []] and plugins,
    ),
]
SetOption = Annotated[
    list[str] | None,
    _option("Another field of the experiment, such as image_size=64; repeatable", RECIPE, "--set"),
]
EpochsOption = Annotated[int | None, _option("Number of epochs (default: the recipe's)", RECIPE)]
MethodOption = Annotated[
    str, _option("Distillation method; 'e2kd-lab list' shows all", METHOD, autocompletion=method_names)
]
MethodsOption = Annotated[
    list[str] | None,
    _option("Method whose grid is trained; repeatable", METHOD, "--method", autocompletion=method_names),
]
LamOption = Annotated[
    float | None, _option("Weight λ of the explanation or feature loss (default: the method's)", METHOD)
]
TauOption = Annotated[float | None, _option("Temperature τ (default: the method's)", METHOD)]
ExplanationOption = Annotated[
    str | None,
    _option(
        "Explanation of teacher and student; 'e2kd-lab list' shows all (default: the networks' own)",
        METHOD,
        autocompletion=lambda: list(lab.explanations.EXPLANATIONS),
    ),
]
RootOption = Annotated[str | None, _option("Folder of the data set, or one that contains it", DATA)]
TeacherDataOption = Annotated[str | None, _option("Folder of unbiased data to train the teacher on", DATA)]
TeacherOption = Annotated[
    str | None, _option("Teacher's checkpoint, or a torchvision weight enum (default: train one)", DATA)
]
DeviceOption = Annotated[str, _option("auto, cpu or cuda", HARDWARE, autocompletion=lambda: ["auto", "cpu", "cuda"])]
DevicesOption = Annotated[int, _option("Number of devices, one process each; torchrun works too", HARDWARE)]
WorkersOption = Annotated[int, _option("Data-loading processes per device", HARDWARE)]
RunsOption = Annotated[Path | None, _option("Folder of runs (default: runs in the workspace)", OUTPUT)]
LogOption = Annotated[
    list[str] | None,
    _option(
        "Dashboard that follows the run: tensorboard, wandb, trackio or your own; repeatable",
        OUTPUT,
        "--log",
        autocompletion=lambda: list(lab.training.TRACKERS),
    ),
]
OnOption = Annotated[
    str | None,
    _option(
        "Give the runs to jobs: slurm (an array, one job a run) or local (processes here that share them)",
        CLUSTER,
        autocompletion=lambda: ["slurm", "local"],
    ),
]
ParallelOption = Annotated[int | None, _option("Jobs at once (default: what the cluster gives)", CLUSTER)]
PartitionOption = Annotated[str | None, _option("Slurm's partition (default: the cluster's)", CLUSTER)]
GpusOption = Annotated[int, _option("GPUs of each run, one process each; 0 asks for none", CLUSTER)]
TimeOption = Annotated[
    str, _option("Time limit of a job, as 90 (minutes) or 1-12:00:00; at its end the run is saved and queued", CLUSTER)
]
ExtraOption = Annotated[
    list[str] | None, _option("Another option of sbatch, such as account=vision; repeatable", CLUSTER, "--extra")
]
StatusOption = Annotated[
    bool, _option("Train nothing; show where the runs stand, from any machine that sees them", CLUSTER, "--status")
]
CancelOption = Annotated[bool, _option("End the jobs, with their runs saved", CLUSTER, "--cancel")]
