"""The command line: ``e2kd-lab``.

Nothing in this folder imports torch, pandas or matplotlib before a command needs it, so that help answers at once.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console

import e2kd_lab as lab
from e2kd_lab.cli.archive import archive
from e2kd_lab.cli.data import data_app
from e2kd_lab.cli.demo import demo as run_demo
from e2kd_lab.cli.evaluate import evaluate
from e2kd_lab.cli.export import export
from e2kd_lab.cli.known import KINDS, print_names
from e2kd_lab.cli.options import (
    DeviceOption,
    PluginOption,
    RootOption,
    RunsOption,
    ScaleOption,
    TeacherDataOption,
    TeacherOption,
)
from e2kd_lab.cli.planned import plan
from e2kd_lab.cli.tables import console, print_ratios, print_results, say
from e2kd_lab.cli.train import freeze, sweep, train
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import LabError
from e2kd_lab.system.workspace import runs_folder, workspace

# Panels of ``e2kd-lab --help``.
TRAINING, RESULTS, MORE = "Train", "Results", "More"

app = typer.Typer(
    no_args_is_help=True,
    help="Train students to match a teacher's logits and explanations (e²KD); draw the paper's figures.",
)


@app.command(rich_help_panel=TRAINING)
def demo(
    out: Annotated[Path, typer.Option(help="Folder for results.csv and the figures")] = Path("runs/demo"),
    scale: ScaleOption = "lab",
    runs: RunsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train a teacher and three students (baseline, KD, e²KD) on embedded data; print a table and draw figures."""
    table = run_demo(out, scale=scale, runs=runs, hardware=lab.Hardware(device=device), say=console.print)
    wide = table[table["group"].isin(["in_distribution", "out_of_distribution"])]
    print_results(wide, f"Waterbirds, MiniBirds test set, measured here ({scale}); percent, cosine in [-1, 1]")
    console.print(f"\nResults and figures: {out}")
    notebook = workspace() / "notebooks" / "00_quickstart.ipynb"
    console.print(f"Next: jupyter lab {notebook if notebook.is_file() else 'notebooks/00_quickstart.ipynb'}")


app.command(rich_help_panel=TRAINING)(train)
app.command(rich_help_panel=TRAINING)(sweep)
app.command(rich_help_panel=TRAINING)(plan)
app.command(rich_help_panel=TRAINING)(freeze)
app.command(rich_help_panel=RESULTS)(evaluate)


@app.command(rich_help_panel=RESULTS)
def results(
    runs: RunsOption = None,
    plugin: PluginOption = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write all rows to")] = None,
) -> None:
    """Print the test results of all runs: mean and standard deviation over seeds."""
    table = lab.load_runs(runs)
    if table.empty:
        raise LabError(f"{runs or runs_folder()} holds no runs with results yet; train some first.")
    if out is not None:
        write_text(out, table.to_csv(index=False, lineterminator="\n"))
    test = table.query("split == 'test' and metric != 'dead_map_rate'")
    for (experiment, scale, family, setting), part in test.groupby(["experiment", "scale", "family", "setting"]):
        distributions = part[part["group"].isin(["in_distribution", "out_of_distribution"])]
        print_results(
            distributions if len(distributions) else part[part["group"] == "all"],
            f"{experiment}, {family} networks, {setting}, measured here ({scale}); mean ± SD (seeds)",
        )


@app.command(rich_help_panel=RESULTS)
def figures(
    runs: RunsOption = None,
    plugin: PluginOption = None,
    out: Annotated[Path, typer.Option(help="Folder for the figures")] = Path("exports"),
    scale: Annotated[
        str | None,
        typer.Option(
            help="lab, paper, smoke or own (default: all that have runs)",
            autocompletion=lambda: list(get_args(lab.experiments.Scale)),
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", hidden=True)] = False,  # what it asked for is done anyway
) -> None:
    """Draw the paper's figures and tables from finished runs, as PDF, SVG, PNG and CSV; list missing runs."""
    if not lab.paper.write_figures(out, runs=runs, scale=scale, say=say):
        which = "" if scale is None else f" at scale '{scale}'"
        raise LabError(f"{runs or runs_folder()} holds no finished runs{which} yet; train some first.")


@app.command(rich_help_panel=RESULTS)
def report(
    names: Annotated[
        list[str] | None, typer.Argument(help="Folders or names of runs (default: all)", metavar="RUNS")
    ] = None,
    to: Annotated[Path, typer.Option(help="The HTML file")] = Path("report.html"),
    examples: Annotated[int, typer.Option(help="Test images of each experiment", min=1)] = 24,
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    runs: RunsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Write one web page with tables, curves and explanations of runs, which needs neither network nor kernel."""
    from e2kd_lab.cli.report import sets_of_runs

    locations = {"data_root": data_root, "teacher_data_root": teacher_data, "teacher_weights": teacher}
    sets = sets_of_runs(names, runs, locations)
    lab.paper.write_report(sets, to, images=examples, folder=runs)
    console.print(f"Report: {to} ({to.stat().st_size / 1e6:.1f} MB)")


app.command(rich_help_panel=RESULTS)(archive)
app.command(rich_help_panel=RESULTS)(export)
app.add_typer(data_app, name="data", rich_help_panel=MORE)


@app.command("list", rich_help_panel=MORE)
def list_names(
    kind: Annotated[
        str | None, typer.Argument(help=f"{', '.join(KINDS)} (default: all)", autocompletion=lambda: list(KINDS))
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """List experiments, methods, explanations and networks by name, those of plug-ins included."""
    print_names(kind)


@app.command(rich_help_panel=MORE)
def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="steps, explaining, epg_iou, frozen or loading (default: all); repeatable",
            autocompletion=lambda: list(lab.bench.BENCHMARKS),
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only check that it runs; the numbers mean nothing")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for bench.json and the figure (default: bench in the runs folder)")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Time the lab against a plain PyTorch baseline that computes the same; write bench.json and a figure."""
    from e2kd_lab.training.hardware import named_device

    where = named_device(device).type if device == "auto" else device
    findings = lab.bench.run_benchmarks(only, device=where, quick=quick, out=out, say=say)
    print_ratios(findings)
    say(f"\nNumbers and figure: {out or runs_folder() / 'bench'}")


def main() -> None:
    """Entry point. A `LabError` is printed on one line, and the exit status is 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without τ, λ or a file's name shows a question mark
            stream.reconfigure(errors="replace")
    try:
        app()
    except LabError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        sys.exit(1)
