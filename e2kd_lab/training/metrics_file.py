"""A run's ``metrics.csv``: long format, one row per step, split, group and metric."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import RunError, shown

COLUMNS = ["step", "epoch", "split", "group", "metric", "value"]


class MetricsFile:
    """The metrics of a run, written to disk by every `add`.

    Parameters
    ----------
    path : Path
        The file.
    last_step : int
        Rows of later steps are dropped; a resumed run measures them again.

    Attributes
    ----------
    rows : DataFrame
        All rows so far.
    """

    def __init__(self, path: Path, last_step: int) -> None:
        self.path = path
        rows = read_metrics(path) if path.is_file() else pd.DataFrame(columns=COLUMNS)
        self.rows = rows[rows["step"] <= last_step].reset_index(drop=True)

    def add(self, step: int, epoch: int, split: str, measures: pd.DataFrame) -> pd.DataFrame:
        """Add measures (``group``, ``metric``, ``value``) and return them as complete rows.

        They replace rows of the same step, split, group and metric, and follow other rows of the same step and split.
        """
        rows = measures.assign(step=step, epoch=epoch, split=split)[COLUMNS]
        together = (self.rows["step"] == step) & (self.rows["split"] == split)
        anew = pd.MultiIndex.from_frame(self.rows[["group", "metric"]]).isin(
            pd.MultiIndex.from_frame(rows[["group", "metric"]])
        )
        known, together = self.rows[~(together & anew)], together[~(together & anew)]
        place = int(together.to_numpy().nonzero()[0].max()) + 1 if together.any() else len(known)
        parts = [part for part in (known[:place], rows, known[place:]) if len(part)]
        self.rows = pd.concat(parts, ignore_index=True) if parts else rows
        write_text(self.path, self.rows.to_csv(index=False, lineterminator="\n"))
        return rows


def read_metrics(path: Path) -> pd.DataFrame:
    """Read a ``metrics.csv``.

    Raises
    ------
    RunError
        If the file is missing or malformed.
    """
    try:
        # As text first: a class may be called "None" or "NA".
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise RunError(f"{path} is not there; expected the metrics of a run.") from None
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}; expected the columns {', '.join(COLUMNS)}.") from error
    if list(rows.columns) != COLUMNS:
        found = ", ".join(shown(column) for column in rows.columns[:10])
        raise RunError(f"{path} has the columns {found}; expected {', '.join(COLUMNS)}.")
    if (unnamed := rows[["split", "group", "metric"]].isna().any(axis=1)).any():
        raise RunError(
            f"{path}, line {unnamed.to_numpy().argmax() + 2}: a name is missing; expected split, group, metric."
        )
    try:
        # Python's float() is exact; the parser of pandas is not in every version.
        return rows.astype({"step": "int64", "epoch": "int64", "value": float})
    except (ValueError, OverflowError) as error:
        raise RunError(f"{path} has a value that is not a number: {error}; expected whole steps and epochs.") from error
