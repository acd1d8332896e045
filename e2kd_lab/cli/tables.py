"""Tables that the commands print."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from e2kd_lab.bench import Findings
    from e2kd_lab.runs.freeze import Storage

console = Console(soft_wrap=True)
say = partial(console.print, markup=False, highlight=False)  # paths may look like markup
_HASH_DIGITS = 6  # enough to tell the configurations of a table apart
_SHORT_GROUPS = {"in_distribution": "ID", "out_of_distribution": "OOD"}


def print_storage(choices: list[Storage]) -> None:
    """A row per way to store frozen explanations."""
    title = "Ways to store explanations (frozen_dtype, frozen_reduction), and cosine with the original maps"
    table = Table(title=title, title_justify="left")
    for heading in ("frozen_dtype", "side (px)", "bits a value", "GB", "cosine", "lowest", "ms to read"):
        table.add_column(heading, justify="right")
    for choice in choices:
        measured = (f"{choice.bits:.2f}", f"{choice.gigabytes:.3f}", f"{choice.cosine:.4f}", f"{choice.lowest:.4f}")
        table.add_row(choice.spec.dtype, str(choice.spec.side), *measured, f"{choice.milliseconds:.2f}")
    console.print(table)


def print_ratios(findings: Findings) -> None:
    """Two tables: the lab against the plain program, and methods against each other."""
    machine = findings.machine
    where = f"{machine['device_name']}, threads: {machine['threads']}"
    titles = {"gain": "Time of plain PyTorch / time of the lab", "cost": "Time of the first / time of the second"}
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
    """A row per configuration: mean ± standard deviation (number of seeds), or the number itself for one seed.

    Configurations that differ in recipe or data alone are told apart by their hash.
    """
    from e2kd_lab.runs import configurations_of

    rows = rows.assign(hash=configurations_of(rows).str.rpartition("-")[2].str[:_HASH_DIGITS])
    keys = ["method", "lam", "tau", "hash"]
    found: Any = rows.groupby([*keys, "metric", "group"], sort=False)["value"].agg(["mean", "std", "count"])
    columns = list(dict.fromkeys(zip(rows["metric"], rows["group"], strict=True)))
    configurations: dict[tuple[Any, ...], dict[Any, Any]] = {}
    for (*configuration, metric, group), values in found.to_dict("index").items():
        configurations.setdefault(tuple(configuration), {})[metric, group] = values
    told_apart = len({configuration[:-1] for configuration in configurations}) < len(configurations)
    table = Table(title=title, title_justify="left", caption=_abbreviations(columns), caption_justify="left")
    for heading in ("method", "λ", "τ", *(["hash"] if told_apart else [])):
        table.add_column(heading, no_wrap=True)
    for metric, group in columns:
        table.add_column(f"{_short_title(metric)}\n{_SHORT_GROUPS.get(group, group)}", justify="right")
    for configuration, cells in configurations.items():
        shown = (_mean(metric, **cells[metric, group]) if (metric, group) in cells else "" for metric, group in columns)
        table.add_row(*_names(*configuration)[: 4 if told_apart else 3], *shown)
    console.print(table)


def _abbreviations(columns: list[tuple[str, str]]) -> str:
    """What short headings stand for: a line of measures, a line of groups."""
    from e2kd_lab.figures.labels import title_of

    measures = {_short_title(metric): title_of("metric", metric) for metric, _ in columns}
    groups = {short: title_of("group", group) for _, group in columns if (short := _SHORT_GROUPS.get(group))}
    lines = (", ".join(f"{short}: {title}" for short, title in long.items()) for long in (measures, groups))
    return "\n".join(filter(None, lines))


def _names(method: str, lam: float, tau: float, digest: str) -> list[str]:
    """A configuration's cells; a hyper-parameter that the method does not have is left empty."""
    from e2kd_lab.methods import has_hyperparameter

    weights = {"lam": lam, "tau": tau}
    return [method, *(f"{v:g}" if has_hyperparameter(method, name) else "" for name, v in weights.items()), digest]


def _mean(metric: str, mean: float, std: float, count: int) -> str:
    spread = f" ± {_number(metric, std)} ({count})" if count > 1 else ""
    return _number(metric, mean) + spread


def _short_title(metric: str) -> str:
    from e2kd_lab.metrics.titles import measure_title

    return measure_title(metric).short


def print_measures(rows: pd.DataFrame, title: str) -> None:
    """A row per group of images, a column per metric."""
    from e2kd_lab.figures.labels import title_of

    wide: Any = rows.pivot_table(index="group", columns="metric", values="value", sort=False)
    table = Table(title=title, title_justify="left")
    table.add_column("images", no_wrap=True)
    for metric in wide.columns:
        table.add_column(title_of("metric", metric), justify="right")
    for group, values in wide.iterrows():
        cells = [_number(metric, value) for metric, value in values.items()]
        table.add_row(title_of("group", group), *cells)
    console.print(table)


def _number(metric: str, value: float) -> str:
    from e2kd_lab.metrics.titles import measure_title

    return "" if value != value else measure_title(metric).text(value)  # NaN: not measured
