"""A researcher's own measures, computed beside the lab's on validation and test images."""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable, Container, Mapping
from typing import Any

import pandas as pd
import torch

from e2kd_lab.metrics import Grouping, Predictions
from e2kd_lab.metrics.groups import WATERBIRDS
from e2kd_lab.metrics.titles import LAB_MEASURES
from e2kd_lab.system.errors import ExperimentError, note, shown
from e2kd_lab.training.logit_collector import LogitCollector
from e2kd_lab.training.preserved_state import random_state_preserved

MeasureFunction = Callable[[Predictions], Any]


class OwnMeasures:
    """Functions of `e2kd_lab.metrics.Predictions` that each return a number, by their names.

    They never end a training or change its numbers: where one raises or returns no finite number, that is said once and
    its row is left out; what it draws at random or changes in place is undone.

    Parameters
    ----------
    metrics : mapping of str to callable, optional
        For instance ``{"confidence": lambda p: p.logits.softmax(1).amax(1).mean()}``.

    Raises
    ------
    ExperimentError
        If a name is no identifier or one of the lab's measures, or a value is no function.

    Examples
    --------
    >>> own = OwnMeasures({"images": lambda predictions: len(predictions.labels)})
    >>> own.rows(Predictions(torch.eye(3), torch.arange(3), None, None, pd.DataFrame({"index": range(3)})), "test")
      group  metric  value
    0   all  images    3.0
    """

    def __init__(self, metrics: Mapping[str, MeasureFunction] | None = None) -> None:
        self._functions = _checked({} if metrics is None else metrics)
        self._said: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the measures."""
        return tuple(self._functions)

    def without(self, known: Container[str]) -> OwnMeasures:
        """Those of the measures that are not known yet."""
        return OwnMeasures({name: function for name, function in self._functions.items() if name not in known})

    def collector(self) -> LogitCollector | None:
        """A collector for an evaluation to fill; None without measures, which need none."""
        return LogitCollector() if self._functions else None

    def rows(self, predictions: Predictions, split: str, grouping: Grouping = WATERBIRDS) -> pd.DataFrame:
        """All measures of a split, of all images and of each group that they have.

        Parameters
        ----------
        predictions : Predictions
            Of the split; at least one image.
        split : str
            Its name, for what is said.
        grouping : Grouping
            What the numbers of groups mean; Waterbirds' by default.

        Returns
        -------
        DataFrame
            ``group``, ``metric``, ``value``.
        """
        parts = {"all": torch.ones(len(predictions.logits), dtype=torch.bool)}
        if predictions.groups is not None:
            parts |= grouping.members(predictions.groups)
        rows = []
        for metric, function in self._functions.items():
            for group, chosen in parts.items():
                value = self._value(metric, function, predictions.of(chosen), f"{split}, {group}")
                if value is not None:
                    rows.append({"group": group, "metric": metric, "value": value})
        return pd.DataFrame(rows, columns=["group", "metric", "value"])

    def _value(self, metric: str, function: MeasureFunction, predictions: Predictions, where: str) -> float | None:
        try:
            with random_state_preserved():
                value = float(function(predictions))
            if math.isfinite(value):
                return value
            problem = f"returned {value}"
        except Exception as error:
            problem = f"raised {type(error).__name__} ({error})"
        if metric not in self._said:
            self._said.add(metric)
            note(f"Measure '{metric}' {problem} on {where}; rows for which it has no finite number are left out.")
        return None


def _checked(metrics: Mapping[str, MeasureFunction]) -> dict[str, MeasureFunction]:
    if not isinstance(metrics, Mapping):
        raise ExperimentError(f"'metrics' is {type(metrics).__name__}; expected a dictionary of names and functions.")
    for name, function in metrics.items():
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise ExperimentError(f"A measure has the name '{shown(name)}'; expected an identifier, such as ece.")
        if name in LAB_MEASURES:
            raise ExperimentError(f"'{name}' is a measure of the lab; expected another name for your own.")
        if not callable(function):
            raise ExperimentError(
                f"Measure '{name}' is {type(function).__name__}; expected a function of Predictions that returns a "
                "number."
            )
    return dict(metrics)
