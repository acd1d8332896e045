"""Content of the opening figure (teaser): the numbers of its bars, and the image it explains."""

from __future__ import annotations

import pandas as pd

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.style import SCALE_TITLES
from e2kd_lab.metrics.groups import GROUP_TITLES, IN_DISTRIBUTION
from e2kd_lab.paper.beside_paper import COLUMNS as BESIDE_COLUMNS

COLUMNS = ["part", "family", *BESIDE_COLUMNS]
_GROUPS = {"in_distribution": "in distribution", "out_of_distribution": "out of distribution"}
_ALL_IMAGES = "all images"  # a column of `beside_paper`
_METRICS = ("accuracy", "agreement")
_METHODS = ("teacher", "kd", "e2kd")


def teaser_numbers(rows: pd.DataFrame, waterbirds: pd.DataFrame) -> pd.DataFrame:
    """Numbers of the left and the centre part of the teaser, in long form.

    Parameters
    ----------
    rows : DataFrame
        Table 1 or 2, see `e2kd_lab.paper.beside_paper`; its columns with the fewest and with all images are used.
    waterbirds : DataFrame
        Rows of `e2kd_lab.load_runs` of Waterbirds, one scale and family, at most one (lam, tau) per method (see
        `e2kd_lab.runs.select_by_validation`); those of the base setting are used.

    Returns
    -------
    DataFrame
        ``part`` (``data`` or ``shift``), ``family`` (that of ``waterbirds``), and the columns of
        `e2kd_lab.paper.beside_paper`, where ``place`` is 0 (few images, in distribution) or 1 (all images, out of
        distribution). Methods are the teacher, KD and e2KD.

    Raises
    ------
    ValueError
        If ``waterbirds`` has several scales or families.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> results = lab.runs.select_by_validation(lab.load_runs())  # doctest: +SKIP
    >>> birds = results.query("experiment == 'waterbirds' and family == 'bcos'")  # doctest: +SKIP
    >>> teaser_numbers(lab.paper.beside_paper(results, "table2"), birds)  # doctest: +SKIP
    """
    kinds = waterbirds[["scale", "family"]].drop_duplicates()
    if len(kinds) > 1:
        named = ", ".join(f"{scale} {family}" for scale, family in kinds.itertuples(index=False))
        raise ValueError(f"teaser_numbers needs Waterbirds results of one scale and family, got {named}.")
    present = [part for part in (*_fewest_and_all(rows), _distributions(waterbirds)) if len(part)]
    numbers = pd.concat(present, ignore_index=True) if present else pd.DataFrame(columns=COLUMNS)
    numbers = numbers.assign(family=kinds["family"].iloc[0] if len(kinds) else "")[COLUMNS]
    kept = numbers["metric"].isin(_METRICS) & numbers["method"].isin(_METHODS)
    return numbers[kept].reset_index(drop=True)


def example_image(comparison: Comparison) -> int:
    """Number of the first image that KD gets wrong and teacher and e2KD get right.

    Images out of distribution come first. If there is no such image, the first one out of distribution is taken.

    Parameters
    ----------
    comparison : Comparison
        At least one image, explained by ``teacher``, ``kd`` and ``e2kd``.

    Returns
    -------
    int
        The image's number, counted from 0.

    Examples
    --------
    >>> import torch
    >>> maps = {name: torch.rand(2, 1, 8, 8) for name in ("teacher", "kd", "e2kd")}
    >>> right = {**dict.fromkeys(maps, torch.tensor([True, True])), "kd": torch.tensor([True, False])}
    >>> example_image(Comparison(torch.rand(2, 3, 8, 8), maps, right))
    1
    """
    usual = {GROUP_TITLES[group] for group in IN_DISTRIBUTION}
    right = comparison.correct

    def order(number: int) -> tuple[bool, bool]:
        in_distribution = comparison.titles[number] in usual if comparison.titles else False
        shows_it = bool(right["teacher"][number] and right["e2kd"][number] and not right["kd"][number])
        return (not shows_it, in_distribution)

    return min(range(len(comparison)), key=order)


def _fewest_and_all(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Columns of a table with the fewest and with all images, for each source."""
    parts = []
    for _, source in rows.groupby("source", sort=False):
        everything = source["column"] == _ALL_IMAGES
        ends = source.assign(part="data", place=everything.astype(int))
        parts.append(ends[everything | (source["place"] == source["place"].min())])
    return parts


def _distributions(waterbirds: pd.DataFrame) -> pd.DataFrame:
    """Test results in and out of distribution."""
    shift = waterbirds.query("split == 'test' and setting == 'base'")
    shift = shift[shift["group"].isin(_GROUPS)]
    return shift.assign(
        part="shift",
        source=shift["scale"].map(SCALE_TITLES),
        place=shift["group"].map({group: place for place, group in enumerate(_GROUPS)}),
        column=shift["group"].map(_GROUPS),
    )
