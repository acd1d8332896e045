"""A run's ``outcomes-<split>.csv``: the cached outcomes of each image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from e2kd_lab.system.errors import RunError, shown

_NEEDED = ("index", "label", "prediction")
_MEASURES = ("explanation_cosine", "class_cosine", "epg", "iou")
_WHOLE = ("group", "class", "top", "teacher_prediction", "teacher_top")


def read_outcomes(path: Path) -> pd.DataFrame:
    """Read a table written from `e2kd_lab.training.outcomes` or `multilabel_outcomes`.

    Raises
    ------
    RunError
        If the file is missing, lacks a column, or its rows are not of the images 0, 1, 2 and so on.
    """
    expected = f"expected the columns {', '.join(_NEEDED)} and others; delete it to look at the images anew"
    try:
        rows = pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}; {expected}.") from error
    if missing := [name for name in _NEEDED if name not in rows.columns]:
        raise RunError(f"{path} lacks the column '{missing[0]}'; {expected}.")
    for name in rows.columns.intersection([*_NEEDED, *_MEASURES, *_WHOLE]):
        numeric = is_numeric_dtype(rows[name])  # bool counts as numeric
        if not numeric or (name not in _MEASURES and not (rows[name] % 1 == 0).all()):
            kind = "numbers" if name in _MEASURES else "whole numbers"
            raise RunError(f"{path} has something else than {kind} in its column '{name}'; {expected}.")
    if list(rows["index"].unique()) != list(range(rows["index"].nunique())) or not len(rows):
        found = shown(list(rows["index"].unique()[:5]))
        raise RunError(f"{path} has rows of the images {found}; expected 0, 1, 2 and so on; delete it to look anew.")
    return rows
