"""A researcher's own data from any source: a folder, a CSV file or torch data sets."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from e2kd_lab.data.own_data import OwnData
from e2kd_lab.data.own_datasets import read_datasets
from e2kd_lab.data.own_images import read_folder
from e2kd_lab.data.own_table import read_table
from e2kd_lab.data.splits import SPLITS
from e2kd_lab.system.errors import ExperimentError, LabNote, shown
from e2kd_lab.system.paths import expanded, is_folder

Source = str | Path | Mapping[str, Dataset] | Sequence[Dataset] | OwnData


def read(
    data: Source,
    *,
    hold_out: float = 0.1,
    root: str | None = None,
    groups: str | Sequence[str] | None = None,
    version: str | None = None,
) -> OwnData:
    """Read own data from a folder, a CSV file or torch data sets.

    Parameters
    ----------
    data, hold_out, groups, version
        See `e2kd_lab.experiments.own`.
    root : str, optional
        Folder that paths in a CSV file are relative to.

    Raises
    ------
    DataError
        If the data cannot be read or are inconsistent.
    ExperimentError
        If an option does not apply to this kind of data.
    """
    if not isinstance(hold_out, int | float) or not 0 < hold_out < 1:
        raise ExperimentError(f"'hold_out' is {shown(hold_out)}; expected a share in (0, 1), such as 0.1.")
    if isinstance(data, OwnData):
        return data
    if not isinstance(data, str | Path):
        if isinstance(groups, str):
            raise ExperimentError(f"'groups' is '{shown(groups)}'; expected the names of the groups of the data sets.")
        return read_datasets(data, version or "", groups=groups or ())
    if version is not None:
        raise ExperimentError(
            f"'version' is '{shown(version)}', but pictures in files are identified by their content; expected none."
        )
    if is_folder(expanded(data)):
        if groups is not None or root is not None:
            raise ExperimentError(f"{data} is a folder, which takes neither groups nor data_root; expected a CSV file.")
        return read_folder(data, hold_out)
    if not (groups is None or isinstance(groups, str)):
        raise ExperimentError(f"'groups' is {shown(groups)}; expected the name of the column of {data} that has them.")
    return read_table(data, root, hold_out, groups)


def describe(data: Source, **options: Any) -> str:
    """Read every image of own data, and report what was found, skipped, repaired and guessed.

    Parameters
    ----------
    data
        See `e2kd_lab.experiments.own`.
    **options
        Options of `e2kd_lab.experiments.own` about data: ``hold_out``, ``groups``, ``version``; ``root`` of a CSV file.

    Returns
    -------
    str
        The report, several lines.

    Raises
    ------
    DataError
        At the first file that is missing or damaged.

    Examples
    --------
    >>> print(describe("pets/"))  # doctest: +SKIP
    pets/: 7390 images of 37 classes, all of them readable
      train 5920 images, 147 to 160 a class
      val   735 images, 18 to 20 a class
      test  735 images, 18 to 20 a class
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabNote)  # the notes are in the report
        found = read(data, **options)
    findings = found.look_through()
    images = sum(len(found.labels(name)) for name in SPLITS)
    place = f"{data}: " if isinstance(data, str | Path) else ""
    lines = [f"{place}{images} images of {len(found.classes)} classes, all of them readable", *summary(found)]
    return "\n".join([*lines, *(f"  {line}" for line in (*findings.sentences(), *found.notes))])


def summary(data: OwnData) -> list[str]:
    """Lines on groups and splits."""
    lines = [f"  {len(data.groups)} groups: {', '.join(data.groups)}"] if data.groups else []
    for name in SPLITS:
        counts = torch.bincount(data.labels(name), minlength=len(data.classes))
        lines.append(f"  {name:<6}{counts.sum()} images, {counts.min()} to {counts.max()} a class")
    return lines
