"""``e2kd-lab data``: make the embedded data sets, check any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from e2kd_lab.cli.tables import say
from e2kd_lab.minidata.minibirds import MiniBirds, make_minibirds
from e2kd_lab.minidata.mininet import MiniNet, make_mininet
from e2kd_lab.minidata.miniscenes import MiniScenes, make_miniscenes
from e2kd_lab.minidata.minivoc import MiniVoc, make_minivoc
from e2kd_lab.system.errors import LabError
from e2kd_lab.system.workspace import data_folder

data_app = typer.Typer(no_args_is_help=True, help="Make the embedded data sets; check any data set.")
make_app = typer.Typer(no_args_is_help=True, help="Write an embedded data set to disk.")
data_app.add_typer(make_app, name="make")
_MINIBIRDS, _MININET, _MINISCENES, _MINIVOC = MiniBirds(), MiniNet(), MiniScenes(), MiniVoc()

OutOption = Annotated[Path | None, typer.Option(help="Folder of the set (default: data/NAME in the workspace)")]
SizeOption = Annotated[int, typer.Option(help="Side of the images, in pixels")]
SeedOption = Annotated[int, typer.Option(help="Seed; the same seed gives the same bytes")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace a set that is in the folder")]


@make_app.command("minibirds")
def make_minibirds_set(
    out: OutOption = None,
    size: SizeOption = _MINIBIRDS.size,
    train: Annotated[
        tuple[int, int], typer.Option(help="Training images: landbirds on land, waterbirds on water")
    ] = _MINIBIRDS.train,
    val: Annotated[int, typer.Option(help="Validation images per group")] = _MINIBIRDS.val,
    test: Annotated[int, typer.Option(help="Test images per group")] = _MINIBIRDS.test,
    teacher: Annotated[
        int, typer.Option("--teacher-images", help="Teacher's training images per group")
    ] = _MINIBIRDS.teacher,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Write MiniBirds, which stands in for Waterbirds-100: drawn birds on land and water."""
    fields = {"size": size, "train": train, "val": val, "test": test, "teacher": teacher, "seed": seed}
    _make("minibirds", make_minibirds, MiniBirds, fields, out, overwrite)


@make_app.command("mininet")
def make_mininet_set(
    out: OutOption = None,
    size: SizeOption = _MININET.size,
    train: Annotated[int, typer.Option(help="Training images per class")] = _MININET.train,
    val: Annotated[int, typer.Option(help="Test images per class, in the folder val")] = _MININET.val,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Write MiniNet, which stands in for ImageNet: drawn objects of 20 classes."""
    fields = {"size": size, "train": train, "val": val, "seed": seed}
    _make("mininet", make_mininet, MiniNet, fields, out, overwrite)


@make_app.command("miniscenes")
def make_miniscenes_set(
    out: OutOption = None,
    size: SizeOption = _MINISCENES.size,
    train: Annotated[int, typer.Option(help="Training images per class")] = _MINISCENES.train,
    val: Annotated[int, typer.Option(help="Test images per class, in the folder val")] = _MINISCENES.val,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Write MiniScenes, which stands in for SUN397: drawn scenes of 10 classes."""
    fields = {"size": size, "train": train, "val": val, "seed": seed}
    _make("miniscenes", make_miniscenes, MiniScenes, fields, out, overwrite)


@make_app.command("minivoc")
def make_minivoc_set(
    out: OutOption = None,
    size: SizeOption = _MINIVOC.size,
    train: Annotated[int, typer.Option(help="Training images")] = _MINIVOC.train,
    val: Annotated[int, typer.Option(help="Validation images")] = _MINIVOC.val,
    test: Annotated[int, typer.Option(help="Test images")] = _MINIVOC.test,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Write MiniVOC, which stands in for PASCAL VOC: drawn scenes of several objects, with bounding boxes."""
    fields = {"size": size, "train": train, "val": val, "test": test, "seed": seed}
    _make("minivoc", make_minivoc, MiniVoc, fields, out, overwrite)


@data_app.command("check")
def data_check(
    path: Annotated[Path, typer.Argument(help="A data set's folder, a root that holds it, or a CSV file")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, for programs")] = False,
) -> None:
    """Read a whole data set and print what it holds, what was repaired and skipped, or what is wrong with it."""
    from e2kd_lab.data.check import check_data
    from e2kd_lab.data.report import refused

    try:
        report = check_data(path)
    except LabError as error:
        if not as_json:
            raise
        say(json.dumps(refused(path, str(error))))
        raise typer.Exit(1) from error
    say(json.dumps(report.values()) if as_json else str(report))


def _make(
    name: str,
    make: Callable[..., Path],
    spec: Callable[..., object],
    fields: dict[str, Any],
    out: Path | None,
    overwrite: bool,
) -> None:
    try:
        folder = make(out or data_folder() / name, spec(**fields), overwrite=overwrite)
    except (ValueError, OSError) as error:
        raise LabError(str(error)) from error
    say(f"{folder} holds {name}, seed {fields['seed']}.")
