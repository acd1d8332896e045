"""Titles, units and decimals of metrics: the lab's own, and defaults for custom ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MeasureTitle:
    """Title, unit and number format of a metric.

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
        Better values: ``highest``, ``lowest``, or None if unknown.
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
        """A value as text; a dash for NaN.

        Parameters
        ----------
        value : float
            The value.
        largest : float, optional
            Largest of the values shown together; all get the same number of decimals.
        """
        if math.isnan(value):
            return "–"
        decimals = significant_decimals(value if largest is None else largest)
        return f"{value:.{decimals if self.decimals is None else self.decimals}f}"


# In display order. Custom metrics need other names.
LAB_MEASURES: Mapping[str, MeasureTitle] = {
    "accuracy": MeasureTitle("Accuracy", "acc."),
    "balanced_accuracy": MeasureTitle("Balanced accuracy", "bal."),
    "f1": MeasureTitle("F1", "F1"),
    "agreement": MeasureTitle("Agreement", "agr."),
    "explanation_cosine": MeasureTitle("Explanation cosine", "cos.", unit="", decimals=2),
    "epg": MeasureTitle("EPG", "EPG"),
    "iou": MeasureTitle("IoU", "IoU"),
    "dead_map_rate": MeasureTitle("Dead-map rate", "dead", best="lowest"),
    "insertion": MeasureTitle("Insertion", "ins.", unit="", decimals=3),
    "deletion": MeasureTitle("Deletion", "del.", unit="", decimals=3, best="lowest"),
    "insertion_minus_deletion": MeasureTitle("Insertion - deletion", "ins. - del.", unit="", decimals=3),
    "deletion_least_first": MeasureTitle("Deletion, least first", "least", unit="", decimals=3),
    "infidelity": MeasureTitle("Infidelity", "infid.", unit="", decimals=None, best="lowest"),
    "sensitivity": MeasureTitle("Sensitivity", "sens.", unit="", decimals=None, best="lowest"),
    "gridpg_2x2": MeasureTitle("GridPG 2x2", "GridPG 2x2", unit="", decimals=3),
    "gridpg_3x3": MeasureTitle("GridPG 3x3", "GridPG 3x3", unit="", decimals=3),
    "randomised_cosine": MeasureTitle("Cosine after randomisation", "rand. cos.", unit="", decimals=2, best="lowest"),
    "randomised_rank_correlation": MeasureTitle(
        "Rank correlation after randomisation", "rand. rank", unit="", decimals=2, best="lowest"
    ),
    "faithfulness_images": MeasureTitle("Images of faithfulness", "images", unit="", decimals=0, best=None),
}


def measure_title(metric: str) -> MeasureTitle:
    """Title and number format of a metric; a custom one is titled by its name with spaces, without a unit.

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
