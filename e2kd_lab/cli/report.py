"""``e2kd-lab report``: runs by experiment, for one web page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from e2kd_lab.cli.evaluate import experiment_of, found_run
from e2kd_lab.system.errors import LabError, RunError, note
from e2kd_lab.system.workspace import runs_folder

if TYPE_CHECKING:
    from e2kd_lab.experiments import Experiment
    from e2kd_lab.runs import Run

_SAME = ("name", "scale", "family", "setting", "teacher", "data", "image_size", "explanation")


def sets_of_runs(
    names: Sequence[str] | None, runs: Path | None, locations: dict[str, str | None]
) -> dict[str, tuple[Experiment, list[Run]]]:
    """Finished runs of students by title, those of one experiment, setting, family, teacher and data together.

    Raises
    ------
    RunError
        If there are none.
    """
    from e2kd_lab.figures.labels import title_of
    from e2kd_lab.runs.results import find_runs

    folder = runs_folder() if runs is None else runs
    found = [found_run(name, runs) for name in names] if names else list(find_runs(folder))
    groups: dict[str, list[Run]] = {}
    for run in found:
        if run.status == "done" and run.config["method"] != "teacher":
            groups.setdefault(repr([run.config.get(name) for name in _SAME]), []).append(run)
    sets: dict[str, tuple[Experiment, list[Run]]] = {}
    for own in groups.values():
        try:
            experiment = experiment_of(own[0], None, locations)
        except LabError as error:
            note(f"{own[0].folder.name} and others like it are left out: {error}")
            continue
        config = own[0].config
        parts = [title_of("experiment", config["name"]), title_of("family", config["family"]).lower()]
        setting = experiment.plan.title(config["setting"])
        title = ", ".join([*parts, *([setting] if setting else [])])
        while title in sets:
            title += " (other data, teacher or explanation)"
        sets[title] = experiment, own
    if not sets:
        raise RunError(f"{folder} holds no finished runs of students to report; train some first.")
    return sets
