"""What several networks make of pictures: explanations and probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison


@dataclass(frozen=True)
class Answers:
    """What several networks make of N pictures.

    Attributes
    ----------
    comparisons : sequence of Comparison
        Maps of the same N pictures by network; one comparison for each kind of explanation.
    probabilities : mapping
        Probability of each class, (N, K), by network, in the order of the figure.
    methods : mapping
        Method of each network, for its colour.
    classes : sequence of str
        Names of the K classes.
    explained : int
        The class that the maps explain.
    """

    comparisons: Sequence[Comparison]
    probabilities: Mapping[str, Tensor]
    methods: Mapping[str, str]
    classes: Sequence[str]
    explained: int

    def __len__(self) -> int:
        return len(self.comparisons[0])

    def table(self, **columns: Sequence[Any]) -> pd.DataFrame:
        """A row for each picture and network: prediction, and the probability of each class."""
        rows = []
        for network, shares in self.probabilities.items():
            for number, own in enumerate(shares):
                values = {f"probability of {k}": round(p, 6) for k, p in zip(self.classes, own.tolist(), strict=True)}
                place = {name: column[number] for name, column in columns.items()}
                rows.append({**place, "network": network, "prediction": self.classes[int(own.argmax())], **values})
        return pd.DataFrame(rows)
