"""Tables of the command line."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from e2kd_lab.bench import Findings
from e2kd_lab.methods import has_hyperparameter
from e2kd_lab.metrics.titles import measure_title
from e2kd_lab.runs import configurations_of
from e2kd_lab.runs.freeze import Storage

console = Console(soft_wrap=True)
_ACRONYMS = {"f1": "F1", "epg": "EPG", "iou": "IoU"}
# Of a configuration's hash, for the same reason.
_DIGITS = 6


def print_storage(choices: list[Storage]) -> None:
    """A row a way to store frozen explanations."""
    table = Table(title="Frozen explanations: what each way to store them costs and keeps", title_justify="left")
    for heading in ("maps", "side in px", "GB", "cosine"):
        table.add_column(heading, justify="right")
    for choice in choices:
        spec = choice.spec
        table.add_row(spec.dtype, str(spec.side), f"{choice.gigabytes:.3f}", f"{choice.cosine:.4f}")
    console.print(table)


def print_ratios(findings: Findings) -> None:
    """A table of what the lab saves and one of what methods cost in it."""
    machine = findings.machine
    where = f"{machine['device_name']}, threads: {machine['threads']}"
    titles = {"gain": "Time of the plain program / time of the lab", "cost": "Time of one / time of the other"}
    for kind, title in titles.items():
        table = Table(title=f"{title}, measured here ({where})", title_justify="left")
        for heading in ("case", kind):
            table.add_column(heading)
        numbers = ["median", "quartiles", "operations"][: 3 if kind == "cost" else 2]
        for heading in numbers:
            table.add_column(heading, justify="right", no_wrap=True)
        for ratio in findings.ratios:
            if ratio.kind == kind:
                value, operations = ratio.value, "" if ratio.operations is None else f"{ratio.operations:.2f}"
                cells = [f"{value.median:.2f}", f"{value.lower:.2f}–{value.upper:.2f}", operations]
                table.add_row(ratio.case, ratio.title, *cells[: len(numbers)])
        if table.row_count:
            console.print(table)


def print_results(rows: pd.DataFrame, title: str) -> None:
    """A row a configuration, means over its n seeds; a hash tells those that differ in recipe or data only."""
    rows = rows.assign(hash=configurations_of(rows).str.rpartition("-")[2].str[:_DIGITS])
    keys = ["method", "lam", "tau", "hash"]
    wide: Any = rows.pivot_table(index=keys, columns=["metric", "group"], values="value", aggfunc="mean", sort=False)
    seeds = rows.groupby(keys)["run"].nunique()
    told_apart = wide.index.droplevel("hash").has_duplicates
    table = Table(title=title, title_justify="left")
    for heading in ("method", "λ", "τ", *(["hash"] if told_apart else [])):
        table.add_column(heading)
    table.add_column("n", justify="right")  # seeds
    for metric, group in wide.columns:
        short = {"in_distribution": "ID", "out_of_distribution": "OOD"}.get(group, group)
        table.add_column(f"{measure_title(metric).short}\n{short}", justify="right")
    for (method, lam, tau, digest), values in wide.iterrows():
        weights = {"lam": lam, "tau": tau}
        names = [method, *(f"{v:g}" if has_hyperparameter(method, name) else "" for name, v in weights.items())]
        names += [digest] if told_apart else []
        cells = [_number(metric, value) for (metric, _), value in values.items()]
        table.add_row(*names, str(seeds[method, lam, tau, digest]), *cells)
    console.print(table)


def print_measures(rows: pd.DataFrame, title: str) -> None:
    """A row a group of images, a column a metric."""
    wide: Any = rows.pivot_table(index="group", columns="metric", values="value", sort=False)
    table = Table(title=title, title_justify="left")
    table.add_column("images", no_wrap=True)
    for metric in wide.columns:
        table.add_column(_ACRONYMS.get(metric, metric.replace("_", " ")), justify="right")
    for group, values in wide.iterrows():
        cells = [_number(metric, value) for metric, value in values.items()]
        table.add_row(group.replace("_", "-"), *cells)
    console.print(table)


def _number(metric: str, value: float) -> str:
    return "" if pd.isna(value) else measure_title(metric).text(value)
