"""Titles, order and colours of what a results table names: methods, measures, groups, networks, scales.

Names that are not registered here appear as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from e2kd_lab import experiments
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FAMILY_TITLES, METHOD_COLOURS, METHOD_TITLES, SCALE_TITLES
from e2kd_lab.methods import METHODS, SYMBOLS, Distiller, defaults_of, has_hyperparameter
from e2kd_lab.metrics.groups import GROUP_TITLES
from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title
from e2kd_lab.runs import RESULT_COLUMNS

# Source of published numbers; the sources of our own are `SCALE_TITLES`.
PAPER = "paper"
# Metrics of the paper's tables, in the order of their columns.
TABLE_METRICS = ("accuracy", "agreement", "epg", "iou", "f1")
# Display order; groups of other data sets follow.
_GROUPS = {
    "all": "All images",
    "out_of_distribution": "Out-of-distribution",
    "in_distribution": "In-distribution",
    "worst": "Worst group",
    "mean": "Mean over groups",
    **{name: title.capitalize() for name, title in GROUP_TITLES.items()},
}
_SHORT_GROUPS = {"out_of_distribution": "OOD", "in_distribution": "ID", **{name: name for name in GROUP_TITLES}}
# For methods without a colour of their own. Colour-blind readers can tell them apart, also from the lab's methods.
_SPARE_COLOURS = ("#332288", "#44AA99", "#882255", "#999933", "#661100", "#6699CC")


def title_of(column: str, value: object, *, experiment: str = "") -> str:
    """Display title of one value of a results column.

    Parameters
    ----------
    column : str
        ``method``, ``metric``, ``group``, ``family``, or any other column of `e2kd_lab.load_runs`.
    value : object
        A value of this column.
    experiment : str
        Name of the experiment, which has its own titles of settings.

    Examples
    --------
    >>> title_of("method", "e2kd"), title_of("method", "their_method"), title_of("lam", 5.0)
    ('e²KD', 'their_method', '5')
    >>> title_of("setting", "base"), title_of("setting", "base", experiment="voc")
    ('default', 'EPG teacher')
    """
    if value == "":  # a hyper-parameter that the method does not have
        return "–"
    if isinstance(value, float):
        return f"{value:g}"
    name = str(value)
    if column == "metric":
        return measure_title(name).with_unit
    if column == "setting":
        return experiments.setting_title(experiment, name) or "default"
    if column == "experiment":
        return experiments.title(name)
    known = {"method": METHOD_TITLES, "group": _GROUPS, "family": FAMILY_TITLES, "scale": SCALE_TITLES}
    return known[column].get(name, name) if column in known else name


def networks_name(family: str) -> str:
    """Networks of a family within a sentence.

    Examples
    --------
    >>> networks_name("standard"), networks_name("bcos")
    ('standard networks', 'B-cos networks')
    """
    return title_of("family", family).replace("Standard", "standard")


def group_name(group: str) -> str:
    """Name of a group of images, in full or short, see `e2kd_lab.figures.FigureOptions`.

    Examples
    --------
    >>> group_name("LL"), group_name("out_of_distribution")
    ('Landbird on land', 'Out-of-distribution')
    """
    full = title_of("group", group)
    return _SHORT_GROUPS.get(group, full) if current_options().group_names == "short" else full


def group_key(groups: Iterable[str]) -> str:
    """What the short names of groups mean; empty if names are in full."""
    if current_options().group_names == "full":
        return ""
    known = [name for name in map(str, in_order("group", groups)) if name in _SHORT_GROUPS]
    return "; ".join(f"{_SHORT_GROUPS[name]}: {title_of('group', name).lower()}" for name in known)


def counted(number: int, thing: str) -> str:
    """A number of things in words.

    Examples
    --------
    >>> counted(1, "epoch"), counted(30, "epoch")
    ('1 epoch', '30 epochs')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def column_title(column: str) -> str:
    """Heading of a results column, for instance *Method* or *λ*."""
    if column in SYMBOLS:
        return SYMBOLS[column]
    known = column in RESULT_COLUMNS  # other columns are hyper-parameters of registered methods; their names stay
    return "Networks" if column == "family" else column.capitalize() if known else column


def run_label(method: str, hyperparameters: Mapping[str, Any]) -> str:
    """Method and hyper-parameters of a run, for legends and messages.

    Parameters
    ----------
    method : str
        The method's name.
    hyperparameters : mapping
        Values by name. Those that are NaN, or that the method does not have, are left out.

    Examples
    --------
    >>> run_label("e2kd", {"lam": 5.0, "tau": 1.0}), run_label("kd", {"lam": 5.0, "tau": 1.0})
    ('e²KD, λ = 5, τ = 1', 'KD, τ = 1')
    """
    own = {name: value for name, value in hyperparameters.items() if has_hyperparameter(method, name)}
    own = {name: value for name, value in own.items() if pd.notna(value)}
    described = METHODS[method].describe(defaults_of(method) | own) if method in METHODS else Distiller.describe(own)
    return ", ".join([title_of("method", method), *described])


def in_order(column: str, values: Iterable[object]) -> list[object]:
    """Distinct values of a results column: known names in display order, then the others, sorted.

    Examples
    --------
    >>> in_order("method", ["theirs", "e2kd", "kd", "e2kd"])
    ['kd', 'e2kd', 'theirs']
    """
    known = {"method": METHOD_TITLES, "metric": LAB_MEASURES, "group": _GROUPS, "family": FAMILY_TITLES}
    places = {name: place for place, name in enumerate(known.get(column, ["base"]))}
    numbers_first = sorted(set(values), key=lambda value: (not isinstance(value, int | float), _comparable(value)))
    return sorted(numbers_first, key=lambda value: places.get(str(value), len(places)))


def methods_of(results: pd.DataFrame) -> list[str]:
    """Methods of a results table, in display order."""
    return [str(name) for name in in_order("method", results["method"])]


def method_colours(methods: Sequence[str]) -> dict[str, str]:
    """A colour for each method. Methods without one get spare colours, in alphabetical order.

    Examples
    --------
    >>> method_colours(["e2kd", "theirs"])
    {'e2kd': '#0072B2', 'theirs': '#332288'}
    """
    others = sorted({name for name in methods if name not in METHOD_COLOURS})
    spare = {name: _SPARE_COLOURS[place % len(_SPARE_COLOURS)] for place, name in enumerate(others)}
    return {name: spare.get(name) or METHOD_COLOURS[name] for name in methods}


def where_measured(results: pd.DataFrame) -> str:
    """Source of the numbers of a results table, for instance *measured here (lab)*."""
    scales = in_order("scale", results["scale"])
    return ", ".join(SCALE_TITLES.get(str(scale), f"measured here ({scale})") for scale in scales)


def source_title(source: str) -> str:
    """Where numbers beside the paper's come from: without the scale if notes of it are left out."""
    return source if source == PAPER or current_options().scale_note else "here"


def _comparable(value: object) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))
