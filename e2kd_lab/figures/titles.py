"""Titles and colours of whatever a table of results names: the lab's, or the raw name of somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from e2kd_lab.figures.style import (
    FAMILY_TITLES,
    METHOD_COLOURS,
    METHOD_TITLES,
    SCALE_TITLES,
)
from e2kd_lab.methods import SYMBOLS
from e2kd_lab.metrics.groups import GROUP_TITLES
from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title
from e2kd_lab.runs import RESULT_COLUMNS

# In the order in which they are shown; groups of other data sets follow.
_GROUPS = {
    "all": "All images",
    "out_of_distribution": "Out-of-distribution",
    "in_distribution": "In-distribution",
    "worst": "Worst group",
    "mean": "Mean over groups",
    **{name: title.capitalize() for name, title in GROUP_TITLES.items()},
}
# For methods without a colour of their own; told apart by colour-blind readers, from the lab's methods, too.
_SPARE_COLOURS = ("#332288", "#44AA99", "#882255", "#999933", "#661100", "#6699CC")


def title_of(column: str, value: object) -> str:
    """A value of a column of `e2kd_lab.load_runs` in words.

    Parameters
    ----------
    column : str
        ``method``, ``metric``, ``group``, ``family``, or any other one.
    value : object
        What stands there.

    Examples
    --------
    >>> title_of("method", "e2kd"), title_of("method", "their_method"), title_of("lam", 5.0)
    ('e²KD', 'their_method', '5')
    """
    if value == "":  # a hyper-parameter that the method does not have
        return "–"
    if isinstance(value, float):
        return f"{value:g}"
    name = str(value)
    if column == "metric":
        return measure_title(name).with_unit
    known = {"method": METHOD_TITLES, "group": _GROUPS, "family": FAMILY_TITLES, "scale": SCALE_TITLES}
    return known[column].get(name, name) if column in known else name


def column_title(column: str) -> str:
    """Heading of a column of `e2kd_lab.load_runs`, for instance *Method*, or *λ*."""
    if column in SYMBOLS:
        return SYMBOLS[column]
    known = column in RESULT_COLUMNS  # what a stranger's hyper-parameter is called is theirs
    return "Networks" if column == "family" else column.capitalize() if known else column


def in_order(column: str, values: Iterable[object]) -> list[object]:
    """Distinct values of a column of `e2kd_lab.load_runs`: known names as the lab shows them, then others in order.

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
    """The methods of a table of results, in order."""
    return [str(name) for name in in_order("method", results["method"])]


def method_colours(methods: Sequence[str]) -> dict[str, str]:
    """A colour for each method; those without one of their own get spare ones, by their names' order.

    Examples
    --------
    >>> method_colours(["e2kd", "theirs"])
    {'e2kd': '#0072B2', 'theirs': '#332288'}
    """
    others = sorted({name for name in methods if name not in METHOD_COLOURS})
    spare = {name: _SPARE_COLOURS[place % len(_SPARE_COLOURS)] for place, name in enumerate(others)}
    return {name: spare.get(name) or METHOD_COLOURS[name] for name in methods}


def where_measured(results: pd.DataFrame) -> str:
    """Where the numbers of a table of results come from, in words."""
    scales = in_order("scale", results["scale"])
    return ", ".join(SCALE_TITLES.get(str(scale), f"measured here ({scale})") for scale in scales)


def _comparable(value: object) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))
