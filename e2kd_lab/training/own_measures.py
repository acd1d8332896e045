"""A researcher's own measures, computed on validation and test images beside the lab's."""

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
from e2kd_lab.system.errors import ExperimentError, note, raised, shown
from e2kd_lab.training.logit_collector import LogitCollector
from e2kd_lab.training.preserved_state import random_state_preserved

MeasureFunction = Callable[[Predictions], Any]


class OwnMeasures:
    """Named functions from `e2kd_lab.metrics.Predictions` to a number.

    They cannot end training or change its numbers. A function that raises, or returns no finite number, is noted once
    and its row left out; random draws and changes in place are undone.

    Parameters
    ----------
    metrics : mapping of str to callable, optional
        For instance ``{"confidence": lambda p: p.logits.softmax(1).amax(1).mean()}``.

    Raises
    ------
    ExperimentError
        If a name is not an identifier or is a measure of the lab, or a value is not callable.

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
        """The measures whose names are not in ``known``."""
        return OwnMeasures({name: function for name, function in self._functions.items() if name not in known})

    def collector(self) -> LogitCollector | None:
        """A collector for an evaluation to fill; None without measures, which need none."""
        return LogitCollector() if self._functions else None

    def rows(self, predictions: Predictions, split: str, grouping: Grouping = WATERBIRDS) -> pd.DataFrame:
        """All measures of a split, on all images and on each group.

        Parameters
        ----------
        predictions : Predictions
            Predictions of at least one image.
        split : str
            Name of the split, for notes.
        grouping : Grouping
            Names of the groups; those of Waterbirds by default.

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
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            problem = raised(error)
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
