"""How measures are written: title, unit and decimals of the lab's own, and a fallback for those of others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MeasureTitle:
    """How one measure is written.

    Attributes
    ----------
    title : str
        In figures and tables.
    short : str
        In narrow columns.
    unit : str
        ``%``, or nothing.
    decimals : int or None
        Digits after the point; None for three significant ones.
    best : str or None
        Which values are good: ``highest``, ``lowest``, or None where that is not known.
    """

    title: str
    short: str
    unit: str = "%"
    decimals: int | None = 1
    best: Literal["highest", "lowest"] | None = "highest"

    @property
    def with_unit(self) -> str:
        """For an axis or a column, for instance *Accuracy (%)*."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float, *, largest: float | None = None) -> str:
        """A value in words; NaN is a dash.

        Parameters
        ----------
        value : float
            The value.
        largest : float, optional
            Largest of the values beside it, so that all of them have as many decimals.
        """
        if math.isnan(value):
            return "–"
        decimals = significant_decimals(value if largest is None else largest)
        return f"{value:.{decimals if self.decimals is None else self.decimals}f}"


# In the order in which they are shown. Their names are taken: an own measure needs another one.
LAB_MEASURES: Mapping[str, MeasureTitle] = {
    "accuracy": MeasureTitle("Accuracy", "acc."),
    "balanced_accuracy": MeasureTitle("Balanced accuracy", "bal."),
    "f1": MeasureTitle("F1", "F1"),
    "agreement": MeasureTitle("Agreement", "agr."),
    "explanation_cosine": MeasureTitle("Explanation cosine", "cos.", unit="", decimals=2),
    "epg": MeasureTitle("EPG", "EPG"),
    "iou": MeasureTitle("IoU", "IoU"),
    "dead_map_rate": MeasureTitle("Dead-map rate", "dead", best="lowest"),
}


def measure_title(metric: str) -> MeasureTitle:
    """How a measure is written; one that the lab does not know by its name, with spaces and without a unit.

    Examples
    --------
    >>> measure_title("accuracy").with_unit, measure_title("brier_score").with_unit
    ('Accuracy (%)', 'brier score')
    """
    words = metric.replace("_", " ")
    return LAB_MEASURES.get(metric) or MeasureTitle(words, words, unit="", decimals=None, best=None)


def significant_decimals(largest: float) -> int:
    """Decimals that show three significant digits of a number, at most six.

    Examples
    --------
    >>> significant_decimals(57.3), significant_decimals(0.0512), significant_decimals(0.0)
    (1, 4, 2)
    """
    if not largest or not math.isfinite(largest):
        return 2
    return min(6, max(0, 2 - math.floor(math.log10(abs(largest)))))
