"""The opening figure of the paper: fewer data, distribution shift and explanations, side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from e2kd_lab.explain.comparison import Comparison
from e2kd_lab.figures.beside_paper import COLUMNS as BESIDE_COLUMNS
from e2kd_lab.figures.beside_paper import METRIC_TITLES, PAPER
from e2kd_lab.figures.explanations import frame, pictures_of
from e2kd_lab.figures.style import (
    FAMILY_TITLES,
    METHOD_COLOURS,
    METHOD_TITLES,
    SCALE_TITLES,
    TEXT_WIDTH,
    new_figure,
    styled,
)
from e2kd_lab.metrics.groups import GROUP_TITLES, IN_DISTRIBUTION

PARTS = ("data", "shift", "explanations")
COLUMNS = ["part", "family", *BESIDE_COLUMNS]
_TITLES = {
    "data": "With fewer data",
    "shift": "Under distribution shift",
    "explanations": "With similar explanations",
}
_GROUPS = {"in_distribution": "in distribution", "out_of_distribution": "out of distribution"}
_METRICS = ("accuracy", "agreement")
_METHODS = ("kd", "e2kd")

# Inches. From the left: names of the vertical axes, bars, a gap, and pictures two by two.
_MARGIN, _LABELS, _BARS, _GAP, _PICTURE, _BETWEEN = 0.05, 0.38, 1.245, 0.18, 0.71, 0.05
_PICTURES = 2 * _PICTURE + _BETWEEN
# From the top: titles of the parts, two rows of bars or of pictures with their names, then ticks, legend, notes.
_TITLE, _NAME, _PANEL, _BETWEEN_PANELS, _TICKS, _LINE = 0.21, 0.115, 0.69, 0.11, 0.25, 0.1
_ROWS = _TITLE + 2 * _PANEL + _BETWEEN_PANELS + _TICKS
_SMALL = 5  # points
_CHARACTER = 0.0415  # inches that one takes at that size
_LOW = 22  # percent: a bar in which its number finds no room


def teaser_numbers(rows: pd.DataFrame, waterbirds: pd.DataFrame) -> pd.DataFrame:
    """What the left and the centre of the opening figure show, in one long form.

    Parameters
    ----------
    rows : DataFrame
        Table 1 or 2, see `e2kd_lab.figures.beside_paper`: of its columns the one with the fewest images and the one with
        all of them are taken.
    waterbirds : DataFrame
        Rows of `e2kd_lab.load_runs` of Waterbirds, one scale and family, at most one (lam, tau) a method (see
        `e2kd_lab.runs.select_by_validation`); those of the base setting are taken.

    Returns
    -------
    DataFrame
        ``part`` (``data`` or ``shift``), ``family`` (that of ``waterbirds``), and the columns of
        `e2kd_lab.figures.beside_paper`, where ``place`` is 0 (few images, in distribution) or 1 (all images, out of
        distribution). Methods are the teacher, KD and e2KD.

    Raises
    ------
    ValueError
        If ``waterbirds`` has several scales or families.
    """
    kinds = waterbirds[["scale", "family"]].drop_duplicates()
    if len(kinds) > 1:
        named = ", ".join(f"{scale} {family}" for scale, family in kinds.itertuples(index=False))
        raise ValueError(f"teaser_numbers needs Waterbirds results of one scale and family, got {named}.")
    family = kinds["family"].iloc[0] if len(kinds) else ""
    parts = []
    for _, source in rows.groupby("source", sort=False):
        ends = source[source["place"].isin([source["place"].min(), source["place"].max()])]
        parts.append(ends.assign(part="data", place=(ends["place"] > source["place"].min()).astype(int)))
    shift = waterbirds.query("split == 'test' and setting == 'base' and group in @_GROUPS", local_dict={"_GROUPS": [*_GROUPS]})
    places = {group: place for place, group in enumerate(_GROUPS)}
    parts.append(
        shift.assign(
            part="shift",
            source=shift["scale"].map(SCALE_TITLES),
            place=shift["group"].map(places),
            column=shift["group"].map(_GROUPS),
        )
    )
    present = [part for part in parts if len(part)]
    numbers = pd.concat(present, ignore_index=True) if present else pd.DataFrame(columns=[*COLUMNS, "metric"])
    numbers = numbers.assign(family=family)[COLUMNS]
    kept = numbers["metric"].isin(_METRICS) & numbers["method"].isin(["teacher", *_METHODS])
    return numbers[kept].reset_index(drop=True)


def telling_image(comparison: Comparison) -> int:
    """The first image that shows what explanations are good for: KD is wrong about it, teacher and e2KD are not.

    Images out of distribution go before others; where no image is like that, the first of them is taken.

    Parameters
    ----------
    comparison : Comparison
        At least one image, explained by ``teacher``, ``kd`` and ``e2kd``.

    Returns
    -------
    int
        The image's number.
    """
    usual = {GROUP_TITLES[group] for group in IN_DISTRIBUTION}
    right = comparison.correct

    def order(number: int) -> tuple[bool, bool]:
        expected = comparison.titles[number] in usual if comparison.titles else False
        tells = bool(right["teacher"][number] and right["e2kd"][number] and not right["kd"][number])
        return (not tells, expected)

    return min(range(len(comparison)), key=order)


def teaser(
    numbers: pd.DataFrame,
    comparison: Comparison | None = None,
    *,
    number: int = 0,
    parts: Sequence[str] = PARTS,
    contributions: bool = False,
) -> Figure:
    """KD and e2KD with fewer data (left), under distribution shift (centre), and explanations of one image (right).

    Parameters
    ----------
    numbers : DataFrame
        See `teaser_numbers`.
    comparison : Comparison, optional
        Images explained by ``teacher``, ``kd`` and ``e2kd``, for the part ``explanations``.
    number : int
        The image to show.
    parts : sequence of str
        Of ``data``, ``shift`` and ``explanations`` those to draw, from the left.
    contributions : bool
        See `e2kd_lab.figures.explanation_comparison`.

    Returns
    -------
    Figure
        As wide as the paper's text with all parts, narrower with fewer. Bars are means over seeds, dots the seeds;
        diamonds are the paper's numbers, dotted lines the teacher.

    Raises
    ------
    ValueError
        If a part is not known, or has no comparison to show.
    """
    if unknown := [part for part in parts if part not in PARTS] or not parts:
        raise ValueError(f"teaser has the parts {', '.join(PARTS)}, got {unknown or 'none'}.")
    if "explanations" in parts and comparison is None:
        raise ValueError("teaser needs a comparison for its part 'explanations', got None.")
    bars = [part for part in parts if part != "explanations"]
    widths = [_PICTURES if part == "explanations" else _BARS for part in parts]
    width = 2 * _MARGIN + (_LABELS if bars else 0) + sum(widths) + _GAP * (len(parts) - 1)
    shown = numbers[numbers["part"].isin(bars)]
    notes = _notes(shown, _LABELS + len(bars) * (_BARS + _GAP))
    below = [_LINE * -(-len(_HANDLES) * (len(bars) == 1) or 1)]
    return Figure()
