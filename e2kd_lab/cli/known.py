"""``e2kd-lab list``: what experiments, methods, explanations and networks there are."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

import e2kd_lab as lab
from e2kd_lab.cli.options import experiment_names
from e2kd_lab.cli.tables import console
from e2kd_lab.system.errors import LabError

KINDS = ("experiments", "methods", "explanations", "networks")


def print_names(kind: str | None) -> None:
    """Print the names of one kind, or of all.

    Raises
    ------
    LabError
        If there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise LabError(f"There is no list of '{kind}'; expected one of {', '.join(KINDS)}.")
    for one in KINDS if kind is None else (kind,):
        table = Table(title=one, title_justify="left", show_header=False)
        for name, title in _titled(one):
            table.add_row(name, title)
        console.print(table)


def _titled(kind: str) -> Iterable[tuple[str, str]]:
    if kind == "experiments":
        return [
            (name, "settings: " + ", ".join(lab.experiments.get(name).settings(beyond=True)))
            for name in experiment_names()
        ]
    if kind == "networks":
        return [(name, "") for name in lab.models.model_names()]
    known = lab.methods.METHODS if kind == "methods" else lab.explanations.EXPLANATIONS
    return [(name, entry.title) for name, entry in known.items()]
