"""``e2kd-lab export``: a trained network in the layout of Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2kd_lab.cli.evaluate import experiment_of, found_run
from e2kd_lab.cli.options import PluginOption, RootOption, RunsOption, TeacherDataOption, TeacherOption
from e2kd_lab.cli.tables import say
from e2kd_lab.system.errors import LabError, note

if TYPE_CHECKING:
    from e2kd_lab.runs import Run

_IMAGES, _DPI = 4, 200


def export(
    run: Annotated[str, typer.Argument(help="Folder or name of a finished run")],
    to: Annotated[Path, typer.Option(help="The folder to write")],
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    runs: RunsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Write a run's network as model.safetensors, config.json and a model card, which build_model and timm load."""
    from e2kd_lab.runs.model_folder import CARD, export_folder

    found = found_run(run, runs)
    locations = {"data_root": data_root, "teacher_data_root": teacher_data, "teacher_weights": teacher}
    picture = None
    try:
        picture = _picture(found, locations, runs)
    except LabError as error:
        note(f"The card of {to} has no picture of explanations: {error}")
    folder = export_folder(found, to, picture)
    say(f"{folder} holds the network. Fill in the licence in {folder / CARD}, which says how to load and publish it.")


def _picture(run: Run, locations: dict[str, str | None], folder: Path | None) -> bytes:
    """Explanations of a few test images by the run's network and its teacher, as PNG."""
    from e2kd_lab.figures import explanation_comparison, figure_bytes
    from e2kd_lab.runs.examples import examples_of, networks_of

    experiment = experiment_of(run, None, locations)
    if run.config["method"] == "teacher":
        networks = {"teacher": experiment.with_explanation(run.load_model())}
    else:
        networks = networks_of(experiment, [run], folder or run.folder.parent)
    figure = explanation_comparison(examples_of(experiment, _IMAGES).explained_by(networks))
    return figure_bytes(figure, "png", dpi=_DPI)
