"""The command line: ``e2kd-lab``."""

from __future__ import annotations

import io
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from e2kd_lab import experiments
from e2kd_lab.bench import run_benchmarks
from e2kd_lab.cli.data import data_app
from e2kd_lab.cli.demo import demo as run_demo
from e2kd_lab.cli.tables import console, print_measures, print_ratios, print_results, print_storage
from e2kd_lab.data.splits import SPLITS
from e2kd_lab.experiments import Experiment, ImageNetExperiment
from e2kd_lab.experiments.assignments import assigned
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS
from e2kd_lab.paper.all_figures import write_all_figures
from e2kd_lab.paper.catalogue import write_paper_figures
from e2kd_lab.runs import load_runs
from e2kd_lab.runs.evaluate import averaged
from e2kd_lab.runs.evaluate import evaluate as evaluate_student
from e2kd_lab.runs.freeze import freeze as freeze_teacher
from e2kd_lab.runs.freeze import storage_choices
from e2kd_lab.runs.run import run
from e2kd_lab.runs.sweep import sweep as run_sweep
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import ExperimentError, LabError
from e2kd_lab.system.plugins import use
from e2kd_lab.system.workspace import runs_folder, workspace
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.hardware import named_device

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A lab for explanation-enhanced knowledge distillation."
)
app.add_typer(data_app, name="data")

ScaleOption = Annotated[str, typer.Option(help="lab, paper or smoke")]
FamilyOption = Annotated[
    str | None, typer.Option(help="standard (GradCAM) or bcos (W(x)) networks  [default: the experiment's]")
]
RunsOption = Annotated[Path | None, typer.Option(help="Where runs lie  [default: runs in the workspace]")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda")]
RootOption = Annotated[str | None, typer.Option(help="The data set's folder, or a root that holds it")]
TeacherDataOption = Annotated[str | None, typer.Option(help="Unbiased data to train the teacher on")]
TeacherOption = Annotated[str | None, typer.Option(help="The teacher's checkpoint, or a torchvision weight enum")]
ExplanationOption = Annotated[str | None, typer.Option(help=f"{', '.join(EXPLANATIONS)}  [default: the networks' own]")]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        help="A Python file or module with networks, methods, explanations or experiments; again for more",
        callback=lambda plugins: [use(plugin) for plugin in plugins or []] and plugins,
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Any other field of the experiment, such as image_size=64")
]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Receives results.csv and the figures")] = Path("runs/demo"),
    scale: ScaleOption = "lab",
    runs: RunsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train teacher, baseline, KD and e2KD on the embedded data; print a table, write results and figures."""
    table = run_demo(
        out,
        scale=scale,
        runs=runs,
        hardware=Hardware(device=device),
        say=console.print,
    )
    wide = table[table["group"].isin(["in_distribution", "out_of_distribution"])]
    print_results(wide, f"Waterbirds, MiniBirds test set, measured here ({scale}); percent, cosine in [-1, 1]")
    console.print(f"\nResults and figures: {out}")
    notebook = workspace() / "notebooks" / "00_quickstart.ipynb"
    console.print(f"Next: jupyter lab {notebook if notebook.is_file() else 'notebooks/00_quickstart.ipynb'}")


@app.command()
def freeze(
    experiment: Annotated[str, typer.Argument(help="The experiment that gives teacher and images")] = "imagenet_frozen",
    scale: ScaleOption = "lab",
    family: FamilyOption = None,
    report: Annotated[bool, typer.Option(help="Only say what each way to store maps costs and keeps")] = False,
    data_root: RootOption = None,
    teacher: TeacherOption = None,
    set_: SetOption = None,
    plugin: PluginOption = None,
    runs: RunsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Store a teacher's logits and explanations of all training images; an interrupted call is continued."""
    wanted = _experiment(experiment, scale, family, "base", None, data_root, None, teacher, set_)
    if not isinstance(wanted, ImageNetExperiment):
        raise ExperimentError(f"Experiment '{experiment}' cannot be frozen; expected for instance imagenet_frozen.")
    where = str(named_device(device))
    if wanted.teacher_weights is None:
        run(wanted.teacher_experiment(), folder=runs, hardware=Hardware(device=device))
    if report:
        print_storage(storage_choices(wanted, runs=runs, device=where))
        return
    folder = freeze_teacher(wanted, runs=runs, device=where, say=lambda line: console.print(line, highlight=False))
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e9
    console.print(f"{folder} holds the frozen teacher, {size:.2f} GB.", markup=False, highlight=False)


@app.command()
def train(
    experiment: Annotated[str, typer.Argument(help=", ".join(experiments.names()))],
    scale: ScaleOption = "lab",
    family: FamilyOption = None,
    method: Annotated[str, typer.Option(help=", ".join(METHODS))] = "e2kd",
    lam: Annotated[
        float | None, typer.Option(help="Weight of the explanation or feature loss  [default: the method's]")
    ] = None,
    tau: Annotated[float | None, typer.Option(help="Temperature  [default: the method's]")] = None,
    explanation: ExplanationOption = None,
    seed: int = 0,
    setting: Annotated[str, typer.Option(help="The experiment's variant, such as mixup or 10-shots")] = "base",
    epochs: Annotated[int | None, typer.Option(help="In place of the recipe's")] = None,
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    set_: SetOption = None,
    plugin: PluginOption = None,
    runs: RunsOption = None,
    device: DeviceOption = "auto",
    devices: Annotated[int, typer.Option(help="Processes, one a device; torchrun works too")] = 1,
    workers: Annotated[int, typer.Option(help="Data-loading processes per device")] = 0,
) -> None:
    """Train one run, or resume it; a finished run is only loaded. Ctrl-C saves its state."""
    wanted = _experiment(experiment, scale, family, setting, epochs, data_root, teacher_data, teacher, set_, method,
                         lam=lam, tau=tau, seed=seed, explanation=explanation)  # fmt: skip
    with _StopOnSignal() as stop:
        finished = run(
            wanted,
            folder=runs,
            hardware=Hardware(device=device, devices=devices, workers=workers),
            watchers=[stop],
        )
    console.print(f"{finished.folder}: {finished.status}")
    if finished.status == "done":
        rows = finished.results().query("split == 'test'")
        print_measures(rows, f"{wanted.title}, test")


@app.command()
def sweep(
    experiment: Annotated[str, typer.Argument(help=", ".join(experiments.names()))],
    method: Annotated[list[str], typer.Option(help="A method whose grid of the paper to run; again for more")],
    seeds: Annotated[str, typer.Option(help="Seeds, such as 0,1,2")] = "0",
    explanation: ExplanationOption = None,
    scale: ScaleOption = "lab",
    family: FamilyOption = None,
    setting: Annotated[str, typer.Option(help="The experiment's variant, or 'all'")] = "base",
    epochs: Annotated[int | None, typer.Option(help="In place of the recipe's")] = None,
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    set_: SetOption = None,
    plugin: PluginOption = None,
    runs: RunsOption = None,
    device: DeviceOption = "auto",
    devices: Annotated[int, typer.Option(help="Processes, one a device; torchrun works too")] = 1,
    workers: Annotated[int, typer.Option(help="Data-loading processes per device")] = 0,
) -> None:
    """Train the paper's grid of a method; finished runs are not repeated, failed ones are listed at the end."""
    settings = experiments.get(experiment, scale, family).settings() if setting == "all" else (setting,)
    variants = [
        (one, _experiment(experiment, scale, family, name, epochs, data_root, teacher_data, teacher, set_, one,
                          explanation=explanation))
        for name in settings
        for one in method
    ]  # fmt: skip
    wanted = [
        chosen.replace(seed=seed) for one, variant in variants for chosen in variant.grid(one) for seed in _seeds(seeds)
    ]
    with _StopOnSignal() as stop:
        result = run_sweep(
            wanted,
            folder=runs,
            hardware=Hardware(device=device, devices=devices, workers=workers),
            watchers=[stop],
            say=lambda line: console.print(line, markup=False, highlight=False),
        )
    done = sum(finished.status == "done" for finished in result.runs)
    console.print(f"{done} of {len(wanted)} runs are done, {len(result.failures)} failed.")
    if result.failures:
        raise typer.Exit(1)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A student's checkpoint, such as runs/.../best.ckpt")],
    experiment: Annotated[str, typer.Option(help="The experiment that gives data and teacher")] = "waterbirds",
    scale: ScaleOption = "lab",
    family: FamilyOption = None,
    split: Annotated[str, typer.Option(help="train, val or test")] = "test",
    alone: Annotated[bool, typer.Option(help="Without a teacher: accuracy only")] = False,
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    set_: SetOption = None,
    plugin: PluginOption = None,
    runs: RunsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Evaluate one checkpoint beside its teacher."""
    if split not in SPLITS:
        raise ExperimentError(f"There is no split '{split}'; expected one of {', '.join(SPLITS)}.")
    wanted = _experiment(experiment, scale, family, "base", None, data_root, teacher_data, teacher, set_)
    wanted = wanted.replace(method="teacher" if alone else "kd")
    student = wanted.build(wanted.student, weights=str(checkpoint))
    table = evaluate_student(wanted, student, split=split, folder=runs, device=str(named_device(device)))
    print_measures(averaged(wanted, table), f"{checkpoint}, {split}")


@app.command()
def results(
    runs: RunsOption = None,
    plugin: PluginOption = None,
    out: Annotated[Path | None, typer.Option(help="Write all rows to this CSV file")] = None,
) -> None:
    """Print the test results of all runs, means over seeds."""
    table = load_runs(runs)
    if table.empty:
        raise LabError(f"{runs or runs_folder()} holds no runs with results yet; train some first.")
    if out is not None:
        write_text(out, table.to_csv(index=False, lineterminator="\n"))
    test = table.query("split == 'test'")
    for (experiment, scale, family, setting), part in test.groupby(["experiment", "scale", "family", "setting"]):
        distributions = part[part["group"].isin(["in_distribution", "out_of_distribution"])]
        shown = distributions if len(distributions) else part[part["group"] == "all"]
        print_results(
            shown[shown["metric"] != "dead_map_rate"],
            f"{experiment}, {family} networks, {setting}, measured here ({scale}); means over n seeds",
        )


@app.command()
def figures(
    runs: RunsOption = None,
    plugin: PluginOption = None,
    out: Annotated[Path, typer.Option(help="Folder that receives the figures")] = Path("exports"),
    everything: Annotated[
        bool, typer.Option("--all", help="Every figure and table of the paper, explanations and shifts too")
    ] = False,
    scale: Annotated[str | None, typer.Option(help="lab, paper or smoke  [default: all that have runs]")] = None,
) -> None:
    """Draw every figure that the finished runs allow, as PDF, SVG, PNG and CSV; --all says which runs are missing."""
    if everything:
        say = partial(console.print, markup=False, highlight=False)
        files = write_paper_figures(out, runs=runs, scale=scale, say=say)
    else:
        results = load_runs(runs)
        chosen = results if scale is None else results[results["scale"] == scale]
        files = write_all_figures(chosen, out, runs=runs or runs_folder())
        for file in files:
            console.print(str(file))
    if not files:
        which = "" if scale is None else f" at scale '{scale}'"
        raise LabError(f"{runs or runs_folder()} holds no finished runs{which} yet; train some first.")


@app.command()
def bench(
    only: Annotated[
        list[str] | None, typer.Option(help="steps, explaining, epg_iou, frozen or loading; again for more")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny and meaningless: shows that it works")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Receives bench.json and the figure  [default: bench in the runs folder]")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Time the lab beside a straightforward program that computes the same; write bench.json and a figure."""
    say = partial(console.print, markup=False, highlight=False)
    findings = run_benchmarks(only, device=device, quick=quick, out=out, say=say)
    print_ratios(findings)
    console.print(f"\nNumbers and figure: {out or runs_folder() / 'bench'}", markup=False, highlight=False)


def main() -> None:
    """Entry point: errors that the lab explains by itself are one line and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without τ, λ or a file's name shows a question mark
            stream.reconfigure(errors="replace")
    try:
        app()
    except LabError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        sys.exit(1)


class _StopOnSignal(Watcher):
    """Ctrl-C and termination stop the run at its next step, with its state saved."""

    def __init__(self) -> None:
        self._stop = False

    def should_stop(self) -> bool:
        return self._stop

    def __enter__(self) -> _StopOnSignal:
        self._before = {kind: signal.signal(kind, self._on_signal) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *details: Any) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # A second Ctrl-C ends the program at once.
        signal.signal(number, signal.SIG_DFL)
        self._stop = True


def _experiment(
    name: str,
    scale: str,
    family: str | None,
    setting: str,
    epochs: int | None,
    data_root: str | None,
    teacher_data: str | None,
    teacher: str | None,
    assignments: list[str] | None,
    method: str | None = None,
    **values: Any,
) -> Experiment:
    changes: dict[str, Any] = {
        "epochs": epochs,
        "data_root": data_root,
        "teacher_data_root": teacher_data,
        "teacher_weights": teacher,
        **values,
    }
    changes = {field: value for field, value in changes.items() if value is not None}
    changes |= assigned(assignments or [])
    # What is asked for outright goes before what the setting changes.
    chosen = experiments.get(name, scale, family).with_setting(setting)
    return chosen.replace(**changes) if method is None else chosen.by_method(method, **changes)


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise ExperimentError(f"--seeds {text} is no list of whole numbers; expected for instance 0,1,2.") from None
