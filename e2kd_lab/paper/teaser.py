"""The opening figure of the paper: fewer data, distribution shift and explanations, side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.explanations import Block, frame, pictures_of
from e2kd_lab.figures.style import (
    FAMILY_TITLES,
    METHOD_COLOURS,
    METHOD_TITLES,
    SCALE_TITLES,
    new_figure,
    styled,
)
from e2kd_lab.metrics.groups import GROUP_TITLES, IN_DISTRIBUTION
from e2kd_lab.paper.beside_paper import COLUMNS as BESIDE_COLUMNS
from e2kd_lab.paper.beside_paper import METRIC_TITLES, PAPER

PARTS = ("data", "shift", "explanations")
COLUMNS = ["part", "family", *BESIDE_COLUMNS]
_TITLES = {
    "data": "With fewer data",
    "shift": "Under distribution shift",
    "explanations": "With similar explanations",
}
_GROUPS = {"in_distribution": "in distribution", "out_of_distribution": "out of distribution"}
_EVERYTHING = "all images"  # the column's name in `beside_paper`
_METRICS = ("accuracy", "agreement")
_METHODS = ("kd", "e2kd")

# Inches. From the left: names of the vertical axes, bars, a gap, and pictures two by two.
_MARGIN, _LABELS, _BARS, _GAP, _PICTURE, _BETWEEN = 0.05, 0.38, 1.245, 0.18, 0.71, 0.05
_WIDTHS = {"data": _BARS, "shift": _BARS, "explanations": 2 * _PICTURE + _BETWEEN}
# From the top: titles of the parts, two rows of bars with their ticks, or of pictures with their names.
_TITLE, _NAME, _PANEL, _BETWEEN_PANELS, _TICKS = 0.2, 0.12, 0.69, 0.11, 0.27
_COLOURS = _TITLE + 2 * (_NAME + _PICTURE) + 0.04  # where the scale of the pictures begins
_LINE = 0.1  # of what is written below
_SMALL = 5  # points
_CHARACTER = 0.042  # inches that one takes at that size
_LOW = 15  # percent: below it a bar's number finds no room inside
_DIAMOND: dict[str, Any] = {
    "linestyle": "",
    "marker": "D",
    "markersize": 2.8,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 0.6,
}


def teaser_numbers(rows: pd.DataFrame, waterbirds: pd.DataFrame) -> pd.DataFrame:
    """What the left and the centre of the opening figure show, in one long form.

    Parameters
    ----------
    rows : DataFrame
        Table 1 or 2, see `e2kd_lab.paper.beside_paper`: its columns with the fewest images and with all of them
        are taken.
    waterbirds : DataFrame
        Rows of `e2kd_lab.load_runs` of Waterbirds, one scale and family, at most one (lam, tau) a method (see
        `e2kd_lab.runs.select_by_validation`); those of the base setting are taken.

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
    """
    kinds = waterbirds[["scale", "family"]].drop_duplicates()
    if len(kinds) > 1:
        named = ", ".join(f"{scale} {family}" for scale, family in kinds.itertuples(index=False))
        raise ValueError(f"teaser_numbers needs Waterbirds results of one scale and family, got {named}.")
    family = kinds["family"].iloc[0] if len(kinds) else ""
    parts = []
    for _, source in rows.groupby("source", sort=False):
        everything = source["column"] == _EVERYTHING
        ends = source.assign(part="data", place=everything.astype(int))
        parts.append(ends[everything | (source["place"] == source["place"].min())])
    shift = waterbirds.query("split == 'test' and setting == 'base'")
    shift = shift[shift["group"].isin(_GROUPS)]
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
    numbers = pd.concat(present, ignore_index=True) if present else pd.DataFrame(columns=COLUMNS)
    numbers = numbers.assign(family=family)[COLUMNS]
    kept = numbers["metric"].isin(_METRICS) & numbers["method"].isin(["teacher", *_METHODS])
    return numbers[kept].reset_index(drop=True)


def telling_image(comparison: Comparison) -> int:
    """The first image that shows what explanations are good for: KD is wrong about it, teacher and e2KD are not.

    Images out of distribution go before others; where no image is like that, the first of those is taken.

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
        Of ``data``, ``shift`` and ``explanations`` those to draw.
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
    if not parts or not set(parts) <= set(PARTS):
        raise ValueError(f"teaser has the parts {', '.join(PARTS)}, got {', '.join(parts) or 'none'}.")
    if "explanations" in parts and comparison is None:
        raise ValueError("teaser needs a comparison for its part 'explanations', got None.")
    chosen = [part for part in PARTS if part in parts]
    bars = [part for part in chosen if part != "explanations"]
    labels = _LABELS if bars else 0.0
    widths = [_WIDTHS[part] for part in chosen]
    plots = labels + _BARS * len(bars) + _GAP * (len(bars) - 1)
    legend = _handles(numbers[numbers["part"].isin(bars)])
    notes = _notes(numbers[numbers["part"].isin(bars)], plots) if bars else []
    rows = 2 if len(bars) == 1 and len(legend) > 3 else 1
    top = _TITLE + 2 * _PANEL + _BETWEEN_PANELS + _TICKS
    height = top + _LINE * (rows + 1 + len(notes))
    block = None if comparison is None or chosen == bars else pictures_of(comparison, contributions)
    if block is not None:
        label = textwrap.wrap(block.label, int(_WIDTHS["explanations"] / _CHARACTER))
        height = max(height, _COLOURS + 0.2 + _LINE * len(label))
    with styled():
        figure = new_figure(sum(widths) + labels + _GAP * (len(chosen) - 1) + 2 * _MARGIN, height)
        figure.set_layout_engine("none")
        left = _MARGIN + labels
        for part, width in zip(chosen, widths, strict=True):
            _write(figure, left + width / 2, 0.03, _TITLES[part], fontsize=7)
            if part != "explanations":
                _panels(figure, left, numbers[numbers["part"] == part], named=part == bars[0])
            elif block is not None:
                _pictures(figure, left, block, number)
                _colours(figure, left, block, label)
            left += width + _GAP
        if bars:
            _legend(figure, _MARGIN + plots / 2, top, legend, rows, notes)
    return figure


def _area(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the upper left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Text centred below a place in inches from the upper left corner."""
    across, down = figure.get_size_inches()
    figure.text(left / across, 1 - top / down, text, ha="center", va="top", **style)


def _panels(figure: Figure, left: float, numbers: pd.DataFrame, named: bool) -> None:
    """Accuracy above, agreement below."""
    for row, metric in enumerate(_METRICS):
        axis = _area(figure, left, _TITLE + row * (_PANEL + _BETWEEN_PANELS), _BARS, _PANEL)
        _groups(axis, numbers[numbers["metric"] == metric])
        axis.set_ylim(0, 104)
        axis.set_yticks((0, 50, 100), ("0", "50", "100") if named else ("", "", ""), fontsize=_SMALL)
        axis.set_xlim(-0.5, 1.5)
        axis.set_xticks((0, 1), _columns(numbers) if row else ("", ""), fontsize=_SMALL)
        axis.tick_params(length=0, pad=2)
        if named:
            axis.set_ylabel(f"{METRIC_TITLES[metric]} (%)", fontsize=6, labelpad=2)


def _columns(numbers: pd.DataFrame) -> list[str]:
    """What the two groups of bars are, with the paper's name for it where that is another one."""
    names = []
    for place in (0, 1):
        here, paper = (
            numbers.loc[(numbers["place"] == place) & (numbers["source"].eq(PAPER) == published), "column"].unique()
            for published in (False, True)
        )
        name = here[0] if len(here) else paper[0] if len(paper) else ""
        other = len(here) and len(paper) and here[0] != paper[0]
        names.append(f"{name}\n(paper: {paper[0].removesuffix(' shots')})" if other else name.replace(" ", "\n", 1))
    return names


def _groups(axis: Axes, numbers: pd.DataFrame) -> None:
    paper = numbers["source"] == PAPER
    for place in (0, 1):
        here, theirs = numbers[~paper & (numbers["place"] == place)], numbers[paper & (numbers["place"] == place)]
        teacher = here.loc[here["method"] == "teacher", "value"]
        if len(teacher):
            ends = [place - 0.45, place + 0.45]
            axis.plot(ends, [teacher.mean()] * 2, ":", color=METHOD_COLOURS["teacher"], linewidth=0.9)
        for number, method in enumerate(_METHODS):
            middle = place + 0.4 * (number - 0.5)
            published = theirs.loc[theirs["method"] == method, "value"]
            _bar(axis, middle, method, here.loc[here["method"] == method, "value"], published)
            axis.plot([middle] * len(published), published, **_DIAMOND)


def _bar(axis: Axes, middle: float, method: str, values: pd.Series, published: pd.Series) -> None:
    """The mean as a bar with its number at the foot, or above a low one if there is room; the seeds as dots."""
    if values.empty:
        axis.text(middle, 2, "–", ha="center", va="bottom", color="#BBBBBB", fontsize=_SMALL)
        return
    mean, top = values.mean(), values.max()
    axis.bar(middle, mean, width=0.38, color=METHOD_COLOURS[method])
    if len(values) > 1:
        offsets = [middle + 0.09 * (number - (len(values) - 1) / 2) for number in range(len(values))]
        axis.plot(offsets, values, "o", markersize=1.6, color="black", markeredgewidth=0, alpha=0.75)
    low = values.min() < _LOW
    above = low and not published.between(top - 4, top + 19).any()
    axis.annotate(
        f"{mean:.1f}",
        (middle, top if above else 0),
        xytext=(0, 1.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=_SMALL,
        color="white" if method == "e2kd" and not low else "black",
    )


def _legend(figure: Figure, centre: float, top: float, handles: Sequence[Any], rows: int, notes: Sequence[str]) -> None:
    """What colours and marks mean, in a number of rows, and below it the notes."""
    across, down = figure.get_size_inches()
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(centre / across, 1 - top / down),
        ncols=-(-len(handles) // rows),
        fontsize=5.5,
        borderaxespad=0,
        handlelength=1.5,
        columnspacing=1,
    )
    for line, note in enumerate(notes):
        _write(figure, centre, top + _LINE * (rows + 0.7 + line), note, fontsize=_SMALL, color="#555555")


def _handles(numbers: pd.DataFrame) -> list[Any]:
    here = numbers["source"] != PAPER
    handles: list[Any] = [Patch(color=METHOD_COLOURS[method], label=METHOD_TITLES[method]) for method in _METHODS]
    if (here & numbers["method"].eq("teacher")).any():
        handles.append(Line2D([], [], linestyle=":", color=METHOD_COLOURS["teacher"], label=METHOD_TITLES["teacher"]))
    if not here.all():
        handles.append(Line2D([], [], **_DIAMOND, label="paper"))
    return handles


def _notes(numbers: pd.DataFrame, width: float) -> list[str]:
    """Which networks these are, and where each number comes from, in lines of a width in inches."""
    family = numbers["family"].iloc[0] if len(numbers) else ""
    here = numbers.loc[numbers["source"] != PAPER, "source"].unique()
    paper = numbers[(numbers["source"] == PAPER) & (numbers["method"] != "teacher")].sort_values("place")
    networks = f"{FAMILY_TITLES[family]}. " if family in FAMILY_TITLES else ""
    several = numbers.loc[numbers["source"].ne(PAPER) & numbers["method"].ne("teacher"), "seed"].nunique() > 1
    drawn = "Bars, dots (seeds), dotted lines" if several else "Bars and dotted lines"
    sentences = [f"{networks}{drawn}: {', '.join(here)}."] if len(here) else []
    sentences += [f"Diamonds: {PAPER}, {' and '.join(paper['column'].unique())}."] if len(paper) else []
    return [line for sentence in sentences for line in textwrap.wrap(sentence, int(width / _CHARACTER))]


def _pictures(figure: Figure, left: float, block: Block, number: int) -> None:
    """Image and teacher above, KD and e2KD below."""
    comparison = block.comparison
    title = comparison.titles[number] if comparison.titles else "Image"
    image = comparison.images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    cells: list[tuple[str, Any, Any]] = [(title, "black", image)]
    for method in ("teacher", *_METHODS):
        sign = "✓" if comparison.correct[method][number] else "✗"
        name = f"{METHOD_TITLES[method]} {sign}"
        cells.append((name, METHOD_COLOURS[method], block.pictures[method][number]))
    for place, (name, colour, picture) in enumerate(cells):
        row, column = divmod(place, 2)
        across, down = left + column * (_PICTURE + _BETWEEN), _TITLE - 0.02 + row * (_NAME + _PICTURE)
        axis = _area(figure, across, down + _NAME, _PICTURE, _PICTURE)
        axis.imshow(picture)
        frame(axis)
        _write(figure, across + _PICTURE / 2, down + 0.025, name, fontsize=_SMALL, color=colour)


def _colours(figure: Figure, left: float, block: Block, label: Sequence[str]) -> None:
    """The scale that the three maps share."""
    width = _WIDTHS["explanations"]
    axis = _area(figure, left + 0.1, _COLOURS, width - 0.2, 0.05)
    bar = figure.colorbar(block.scale, cax=axis, orientation="horizontal")
    bar.ax.locator_params(nbins=4)
    bar.ax.tick_params(labelsize=_SMALL, length=1.5, pad=1)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    for line, text in enumerate(label):
        _write(figure, left + width / 2, _COLOURS + 0.165 + _LINE * line, text, fontsize=_SMALL)
