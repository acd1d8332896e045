"""``e2kd-lab evaluate``: a run, or any checkpoint of a student."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import e2kd_lab as lab
from e2kd_lab.cli.chosen_experiment import chosen_experiment
from e2kd_lab.cli.options import (
    DATA,
    EXPERIMENT,
    DeviceOption,
    FamilyOption,
    PluginOption,
    RootOption,
    RunsOption,
    SetOption,
    SettingOption,
    TeacherDataOption,
    TeacherOption,
    scale_names,
    split_names,
)
from e2kd_lab.cli.tables import console, print_measures
from e2kd_lab.system.errors import ExperimentError, RunError
from e2kd_lab.system.paths import expanded, is_file
from e2kd_lab.system.workspace import runs_folder

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from e2kd_lab.experiments import Experiment
    from e2kd_lab.runs import Run

# What a configuration has besides fields of the experiment: fingerprints, mostly.
_NO_FIELDS = ("network", "data", "teacher", "options", "plugins", "initial_weights", "results_version")


def evaluate(
    run: Annotated[
        str, typer.Argument(help="Folder or name of a run; with CHECKPOINT, the name of an experiment", metavar="RUN")
    ],
    checkpoint: Annotated[Path | None, typer.Argument(help="A student's weights, such as best.ckpt")] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="With CHECKPOINT: lab, paper or smoke (default: lab)",
            rich_help_panel=EXPERIMENT,
            autocompletion=scale_names,
        ),
    ] = None,
    family: FamilyOption = None,
    setting: SettingOption = "base",
    plugin: PluginOption = None,
    set_: SetOption = None,
    split: Annotated[
        str, typer.Option(help="train, val or test", rich_help_panel=DATA, autocompletion=split_names)
    ] = "test",
    alone: Annotated[
        bool, typer.Option("--alone", help="Evaluate without a teacher: accuracy only", rich_help_panel=DATA)
    ] = False,
    faithful: Annotated[
        bool, typer.Option("--faithfulness", help="Also measure whether the student's explanations are faithful")
    ] = False,
    images: Annotated[int, typer.Option(help="Number of images of --faithfulness", min=1)] = 128,
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    device: DeviceOption = "auto",
    runs: RunsOption = None,
) -> None:
    """Evaluate a student and compare it with its teacher.

    A finished run: e2kd-lab evaluate RUN. Any checkpoint: e2kd-lab evaluate EXPERIMENT CHECKPOINT. What --faithfulness
    measures of a RUN is kept in its metrics.csv.
    """
    from e2kd_lab.data.splits import SPLITS
    from e2kd_lab.runs.evaluate import averaged
    from e2kd_lab.runs.faithfulness import keep_faithfulness, measure_faithfulness
    from e2kd_lab.training.hardware import named_device

    if split not in SPLITS:
        raise ExperimentError(f"There is no split '{split}'; expected one of {', '.join(SPLITS)}.")
    found = None
    locations = {"data_root": data_root, "teacher_data_root": teacher_data, "teacher_weights": teacher}
    if checkpoint is None:
        if (scale, family, setting) != (None, None, "base"):
            raise ExperimentError(f"Run '{run}' has its own scale, family and setting; expected none beside it.")
        found = found_run(run, runs)
        wanted, student = experiment_of(found, set_, locations), found.load_model()
        runs, name = found.folder.parent if runs is None else runs, found.folder.name
    else:
        wanted = chosen_experiment(run, scale or "lab", family, setting, assignments=set_, **locations)
        wanted = wanted.replace(method="kd")
        student, name = wanted.build(wanted.student, weights=str(checkpoint)), str(checkpoint)
    if alone:
        wanted = wanted.replace(method="teacher", teacher=wanted.network)
    where = str(named_device(device))
    table = lab.evaluate(wanted, student, split=split, folder=runs, device=where)  # type: ignore[arg-type]
    print_measures(averaged(wanted, table), f"{name}, {split}")
    if faithful:
        measured = measure_faithfulness(wanted, student, split=split, count=images, device=where)  # type: ignore[arg-type]
        console.print(_intervals(measured.values, f"Faithfulness of {name}, {split}"))
        if found is not None:
            keep_faithfulness(found, wanted, measured, split=split)  # type: ignore[arg-type]


def _intervals(measured: dict[str, Tensor], title: str) -> Table:
    """A row per measure: mean and bootstrap interval over images."""
    from rich.table import Table

    from e2kd_lab.metrics import bootstrap_interval
    from e2kd_lab.metrics.titles import measure_title

    table = Table(title=title, title_justify="left")
    table.add_column("measure", no_wrap=True)
    for heading in ("better", "mean", "95% interval", "values"):
        table.add_column(heading, justify="right", no_wrap=True)
    for metric, values in measured.items():
        shown, interval = measure_title(metric), bootstrap_interval(values)
        mean, low, high = (shown.text(value) for value in interval)
        table.add_row(shown.title, shown.best, mean, f"{low} to {high}", str(len(values)))
    return table


def found_run(name: str, runs: Path | None) -> Run:
    """A run by its folder, or by its name in the folder of runs."""
    places = [expanded(name), (runs_folder() if runs is None else runs) / name]
    for folder in places:
        if is_file(folder / "config.json"):
            return lab.Run(folder)
    raise RunError(
        f"'{name}' is no run, neither as a folder nor in {places[1].parent}; expected a run's folder or name, or an "
        "experiment and a checkpoint."
    )


def experiment_of(run: Run, assignments: list[str] | None, locations: dict[str, str | None]) -> Experiment:
    """The experiment of a run's configuration, checked against what that says of data and teacher."""
    from e2kd_lab.experiments.bcosified import SETTING

    config = run.config
    which = {name: config[name] for name in ("name", "scale", "family")}
    # A converted teacher has the recipe of its ordinary network from this setting.
    setting = SETTING if "ordinary" in config else config["setting"]
    if setting in lab.experiments.get(**which).settings(beyond=True):  # else a label of one's own
        which["setting"] = setting
    base = chosen_experiment(**which, method=config["method"])
    recorded = {name: _as_field(config[name]) for name in config.keys() - {*which, *_NO_FIELDS, "setting"}}
    values = {name: value for name, value in recorded.items() if getattr(base, name, value) != value}
    values["teacher" if config["method"] == "teacher" else "student"] = config["network"]
    values |= config.get("options", {})
    values |= {field: value for field, value in locations.items() if value is not None}
    wanted = chosen_experiment(**which, method=config["method"], assignments=assignments, **values)
    wanted = wanted.replace(setting=config["setting"])
    expected = wanted.config()
    if config["data"] != expected["data"]:
        raise RunError(f"{run.folder} was trained on other data; expected those, by --data-root or --plugin.")
    if config.get("teacher") != expected.get("teacher"):
        raise RunError(f"{run.folder} had another teacher; expected that, by --teacher, --teacher-data or --set.")
    return wanted


def _as_field(value: Any) -> Any:
    """JSON has lists in place of tuples."""
    return tuple(map(_as_field, value)) if isinstance(value, list) else value
