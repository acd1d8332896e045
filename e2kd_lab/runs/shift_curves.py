"""Shift curves of a network over many images, kept in the run's folder, and their summary (Sec. 4.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch.utils.data import Dataset

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations.shifts import shift_curve
from e2kd_lab.metrics.shift_similarity import PeriodEstimate, estimate_period
from e2kd_lab.models import ExplainableModel
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.paths import readable
from e2kd_lab.training.hardware import on_device

COLUMNS = ["index", "shift", "similarity"]


def shift_curves(
    model: ExplainableModel,
    dataset: Dataset,
    *,
    size: int,
    largest: int,
    folder: Path | None = None,
    split: str = "test",
    count: int | None = None,
    batch_size: int = 32,
    device: torch.device | str = "auto",
) -> pd.DataFrame:
    """Similarity of the explanations of shifted images to those of the unshifted ones, image by image.

    Each image is explained for the class that the network predicts for it unshifted. Results are written every
    ``batch_size`` images; an interrupted call is continued by the next one, to the same results.

    Parameters
    ----------
    model : ExplainableModel
        The network; evaluated on ``device`` in evaluation mode; its device and mode are restored.
    dataset : Dataset
        Samples with ``image``, (3, H, W), uint8 or floats in [0, 1], where H and W are at least ``size + largest``: the
        images before the crop (see `e2kd_lab.explanations.shifted_crops`).
    size : int
        Side of the images that the network sees.
    largest : int
        T_max: the shifts are 0, 1, ..., T_max.
    folder : Path, optional
        The run's folder, which keeps the results as ``shifts-<split>.csv``; None to keep nothing.
    split : str
        Name of the split, for the name of the file.
    count : int, optional
        Number of images, spread evenly over the data set; all if None or if there are not more.
    batch_size, device
        How to compute; ``auto`` is a GPU if there is one. They change results by rounding only.

    Returns
    -------
    DataFrame
        One row an image and shift, in order: ``index`` (place in the data set), ``shift``, ``similarity`` in [-1, 1],
        to six digits.

    Raises
    ------
    RunError
        If the file is damaged, has other shifts or cannot be written.
    ValueError
        If the images are too small.
    """
    path = None if folder is None else folder / f"shifts-{split}.csv"
    total = len(dataset)  # type: ignore[arg-type]
    wanted = range(total) if count is None or count >= total else [n * total // count for n in range(count)]
    known = pd.DataFrame(columns=COLUMNS)
    if path is not None:
        with readable(path, RunError):
            known = _read(path, largest, total) if path.is_file() else known
    missing = sorted(set(wanted) - set(known["index"]))
    mode = model.training
    model.eval()
    try:
        with on_device(device, model) as where:
            for first in range(0, len(missing), batch_size):
                chunk = missing[first : first + batch_size]
                images = as_unit_range(torch.stack([dataset[index]["image"] for index in chunk]).to(where))
                cosines = shift_curve(model, images, size=size, shifts=range(largest + 1)).cpu().double()
                rows = [
                    (index, shift, round(value, 6))
                    for index, curve in zip(chunk, cosines.tolist(), strict=True)
                    for shift, value in enumerate(curve)
                ]
                parts = [part for part in (known, pd.DataFrame(rows, columns=COLUMNS)) if len(part)]
                known = pd.concat(parts).sort_values(["index", "shift"], ignore_index=True)
                if path is not None:
                    write_text(path, known.to_csv(index=False, na_rep="nan", lineterminator="\n"))
    finally:
        model.train(mode)
    return known[known["index"].isin(wanted)].reset_index(drop=True)


@dataclass(frozen=True)
class ShiftSummary:
    """Summary of the shift curves of one network.

    Attributes
    ----------
    curve : DataFrame
        One row a shift: ``shift``, ``mean``, ``std`` over images, and the range of the middle 80 % of the images,
        ``low`` to ``high``.
    period : PeriodEstimate
        Of the mean curve.
    between, at_multiples : float
        Mean similarity at shifts that are no multiples of the patch size, and at multiples (without 0); NaN where there
        are none.
    """

    curve: pd.DataFrame
    period: PeriodEstimate
    between: float
    at_multiples: float


def summarise_shifts(curves: pd.DataFrame, *, patch: int) -> ShiftSummary:
    """Mean curve over images, its period, and its height between and at shifts by whole patches.

    Parameters
    ----------
    curves : DataFrame
        One network's rows of `shift_curves`.
    patch : int
        Side of the vision transformer's patches in pixels.
    """
    by_shift = curves.groupby("shift")["similarity"]
    table = by_shift.agg(["mean", "std"]).assign(low=by_shift.quantile(0.1), high=by_shift.quantile(0.9)).reset_index()
    whole = table["shift"] % patch == 0
    return ShiftSummary(
        curve=table,
        period=estimate_period(torch.tensor(table["mean"].to_numpy())),
        between=float(table.loc[~whole, "mean"].mean()),
        at_multiples=float(table.loc[whole & (table["shift"] > 0), "mean"].mean()),
    )


def _read(path: Path, largest: int, total: int) -> pd.DataFrame:
    """The rows of a file, which holds whole curves only."""
    expected = f"expected the columns {', '.join(COLUMNS)}; delete it to measure anew"
    try:
        # Python's float() is exact, which pandas' own parser is not in every version.
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows = rows.astype({"index": int, "shift": int, "similarity": float} if list(rows.columns) == COLUMNS else {})
    except (ValueError, OverflowError, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}; {expected}.") from error
    if list(rows.columns) != COLUMNS:
        raise RunError(f"{path} has the columns {', '.join(map(str, rows.columns))}; {expected}.")
    bad = ~rows["index"].between(0, total - 1) | (rows["similarity"].abs() > 1)
    if bad.any():
        raise RunError(
            f"{path} has an impossible index or similarity in line {bad.to_numpy().argmax() + 2}; expected an index "
            f"from 0 to {total - 1} and a similarity in [-1, 1]; delete it to measure anew."
        )
    for index, shifts in rows.groupby("index")["shift"].agg(list).to_dict().items():
        if shifts != list(range(largest + 1)):
            raise RunError(
                f"{path} does not have each shift from 0 to {largest} once for image {index!s}, as was expected; ask "
                "for the shifts that it has, or delete it to measure anew."
            )
    return rows
