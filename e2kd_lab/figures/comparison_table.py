"""The numbers of an explanation grid: what each network predicts, and how close its map is to the teacher's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.metrics import explanation_cosine


def comparison_table(
    comparison: Comparison, *, indices: Sequence[int] | None = None, classes: Sequence[str] = ()
) -> pd.DataFrame:
    """Table of an explanation grid, a row per image and network.

    Parameters
    ----------
    comparison : Comparison
        N images and their maps; the first network is the teacher.
    indices : sequence of int, optional
        Place of each image in its data set; by default its place in the grid, from 1.
    classes : sequence of str
        Names of the classes; their numbers by default.

    Returns
    -------
    DataFrame
        ``image``; ``group`` (the image's title: its group or class); ``label``; ``network``; ``prediction`` (empty
        where an image may show several classes); ``correct``; ``cosine_to_teacher``, in [-1, 1].

    Examples
    --------
    >>> import torch
    >>> maps = {"teacher": torch.ones(1, 1, 2, 2), "kd": torch.ones(1, 1, 2, 2)}
    >>> right = {"teacher": torch.tensor([True]), "kd": torch.tensor([False])}
    >>> comparison_table(Comparison(torch.rand(1, 3, 2, 2), maps, right))["cosine_to_teacher"].tolist()
    [1.0, 1.0]
    """
    count = len(comparison)
    images = range(1, count + 1) if indices is None else list(indices)
    reference = next(iter(comparison.maps.values()))
    parts = []
    for name, maps in comparison.maps.items():
        columns = {
            "image": images,
            "group": comparison.titles or [""] * count,
            "label": _named(comparison.labels, classes, count),
            "network": name,
            "prediction": _named(comparison.predictions.get(name), classes, count),
            "correct": comparison.correct[name].cpu().numpy(),
            "cosine_to_teacher": np.round(explanation_cosine(maps, reference).double().clamp(-1, 1).cpu().numpy(), 6),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)  # image by image, as in the grid


def _named(numbers: Tensor | None, classes: Sequence[str], count: int) -> list[object]:
    if numbers is None:
        return [""] * count
    return [classes[number] if classes else number for number in numbers.tolist()]
