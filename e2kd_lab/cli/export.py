"""``e2kd-lab export``: a trained network in the layout of Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2kd_lab.cli.evaluate import found_run
from e2kd_lab.cli.options import PluginOption, RunsOption
from e2kd_lab.cli.tables import say


def export(
    run: Annotated[str, typer.Argument(help="Folder or name of a finished run")],
    to: Annotated[Path, typer.Option(help="The folder to write")],
    runs: RunsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Write a run's network as model.safetensors, config.json and a model card, which build_model and timm load."""
    from e2kd_lab.runs.model_folder import CARD, export_folder

    folder = export_folder(found_run(run, runs), to)
    say(f"{folder} holds the network. Fill in the licence in {folder / CARD}, which says how to load and publish it.")
