"""What the colour of a map stands for: a measure on a group of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from e2kd_lab.figures.titles import in_order, title_of
from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title

# Of even steps in lightness, one for each kind of measure, so that two maps are not taken for the same one.
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
# First what tells whether a Waterbirds student learned the right features.
_GROUPS: Mapping[str, str] = {
    "out_of_distribution": "out-of-distribution",
    "worst": "worst group",
    "in_distribution": "in-distribution",
    "all": "",
}


@dataclass(frozen=True)
class Measure:
    """What the colour of a `sweep_map` stands for.

    Attributes
    ----------
    metric : str
        ``accuracy``, ``balanced_accuracy``, ``f1``, ``agreement``, ``epg`` or ``iou``, in percent,
        ``explanation_cosine``, in [-1, 1], or an own measure.
    group : str
        Images to measure on: ``all``, or a group of the data set.
    """

    metric: str
    group: str = "all"

    @property
    def title(self) -> str:
        """Name of the measure, for instance *Agreement, out-of-distribution*."""
        group = _GROUPS.get(self.group, title_of("group", self.group))
        return measure_title(self.metric).title + (f", {group}" if group else "")

    @property
    def unit(self) -> str:
        """``%``, or nothing."""
        return measure_title(self.metric).unit

    @property
    def colours(self) -> str:
        """Seaborn's name of a colour map."""
        return MEASURE_COLOURS.get(self.metric, OWN_COLOURS)

    def text(self, value: float) -> str:
        """A value in words, with one decimal in percent, with two for cosines."""
        return measure_title(self.metric).text(value)


# The lab's, in the order in which they are offered.
MEASURES: tuple[Measure, ...] = tuple(Measure(metric, group) for metric in MEASURE_COLOURS for group in _GROUPS)


def measures_of(results: pd.DataFrame) -> list[Measure]:
    """The measures that students in a table of results have: those of `MEASURES` in that order, then others.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
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
