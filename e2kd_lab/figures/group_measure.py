"""A measure on a group of images, such as agreement out of distribution, and its colour map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from e2kd_lab.figures.labels import in_order, title_of
from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title

# Even steps in lightness; one map for each kind of measure, so that two sweep maps are not confused.
MEASURE_COLOURS: Mapping[str, str] = {
    "accuracy": "crest",
    "balanced_accuracy": "crest",
    "f1": "crest",
    "agreement": "flare",
    "explanation_cosine": "ch:start=0,rot=0.1",
    "epg": "ch:start=0,rot=0.1",
    "iou": "ch:start=0,rot=0.1",
}
OWN_COLOURS = "ch:start=2.6,rot=0.1"
# Out of distribution comes first: there it shows whether a Waterbirds student learned the right features.
_GROUPS: Mapping[str, str] = {
    "out_of_distribution": "out-of-distribution",
    "worst": "worst group",
    "in_distribution": "in-distribution",
    "all": "",
}


@dataclass(frozen=True)
class Measure:
    """A measure on a group of images, shown by a `sweep_map`.

    Parameters
    ----------
    metric : str
        ``accuracy``, ``balanced_accuracy``, ``f1``, ``agreement``, ``epg`` or ``iou``, in percent;
        ``explanation_cosine``, in [-1, 1]; or a measure of your own.
    group : str
        ``all``, or a group of the data set.

    Examples
    --------
    >>> Measure("agreement", "out_of_distribution").title
    'Agreement, out-of-distribution'
    """

    metric: str
    group: str = "all"

    @property
    def title(self) -> str:
        """Title of the measure and its group."""
        group = _GROUPS.get(self.group, title_of("group", self.group))
        return measure_title(self.metric).title + (f", {group}" if group else "")

    @property
    def unit(self) -> str:
        """``%``, or an empty string."""
        return measure_title(self.metric).unit

    @property
    def colours(self) -> str:
        """Name of a seaborn colour map."""
        return MEASURE_COLOURS.get(self.metric, OWN_COLOURS)

    def text(self, value: float) -> str:
        """Format a value: one decimal for percentages, two for cosines."""
        return measure_title(self.metric).text(value)


# The lab's measures, in menu order.
MEASURES: tuple[Measure, ...] = tuple(Measure(metric, group) for metric in MEASURE_COLOURS for group in _GROUPS)


def measures_of(results: pd.DataFrame) -> list[Measure]:
    """Measures of the students in a results table: the lab's in menu order, then others.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.

    Examples
    --------
    >>> row = {"split": "test", "method": "kd", "metric": "accuracy", "group": "all"}
    >>> measures_of(pd.DataFrame([row]))
    [Measure(metric='accuracy', group='all')]
    """
    students = results.query("split == 'test' and method != 'teacher'")
    pairs = students[["metric", "group"]].drop_duplicates()
    present = [Measure(*pair) for pair in pairs.itertuples(index=False, name=None)]
    known = [measure for measure in MEASURES if measure in present]
    groups = [*_GROUPS, *(str(name) for name in in_order("group", pairs["group"]) if name not in _GROUPS)]
    others = [measure for measure in present if measure not in known and measure.metric != "dead_map_rate"]
    lab = list(LAB_MEASURES)
    place = {name: lab.index(name) if name in lab else len(lab) for name in pairs["metric"]}
    return known + sorted(others, key=lambda one: (place[one.metric], one.metric, groups.index(one.group)))
