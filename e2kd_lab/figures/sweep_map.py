"""A sweep over lambda and tau as a map: each cell is a student, its colour a measure, averaged over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

from e2kd_lab.figures.style import FAMILY_TITLES, SCALE_TITLES, TEXT_WIDTH, new_figure, styled

# Of even steps in lightness, one for each kind of measure, so that two maps are not taken for the same one.
_COLOURS: Mapping[str, str] = {
    "accuracy": "crest",
    "balanced_accuracy": "crest",
    "f1": "crest",
    "agreement": "flare",
    "explanation_cosine": "ch:start=0,rot=0.1",
    "epg": "ch:start=0,rot=0.1",
    "iou": "ch:start=0,rot=0.1",
}
_TITLES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "agreement": "Agreement",
    "explanation_cosine": "Explanation cosine",
    "epg": "EPG",
    "iou": "IoU",
}
# First what tells whether a Waterbirds student learned the right features.
_GROUP_TITLES: Mapping[str, str] = {
    "out_of_distribution": ", out-of-distribution",
    "worst": ", worst group",
    "in_distribution": ", in-distribution",
    "all": "",
}
_EMPTY, _HATCH = "#EFEFEF", "#B5B5B5"
_ROOMY = 8  # more columns leave no space for "90.1–95.2" in one line


@dataclass(frozen=True)
class Measure:
    """What the colour of a `sweep_map` stands for.

    Attributes
    ----------
    metric : str
        ``accuracy``, ``balanced_accuracy``, ``f1``, ``agreement``, ``epg`` or ``iou``, in percent, or
        ``explanation_cosine``, in [-1, 1].
    group : str
        Images to measure on: ``all``, or a group of Waterbirds.
    """

    metric: str
    group: str = "all"

    @property
    def title(self) -> str:
        """Name of the measure, for instance *Agreement, out-of-distribution*."""
        return _TITLES[self.metric] + _GROUP_TITLES[self.group]

    @property
    def unit(self) -> str:
        """``%``, or nothing."""
        return "" if self.metric == "explanation_cosine" else "%"

    def text(self, value: float) -> str:
        """A value in words, with one decimal in percent, with two for cosines."""
        return f"{value:.1f}" if self.unit else f"{value:.2f}"


# In the order in which they are offered.
MEASURES: tuple[Measure, ...] = tuple(Measure(metric, group) for metric in _TITLES for group in _GROUP_TITLES)


def measures_of(results: pd.DataFrame) -> list[Measure]:
    """The measures of `MEASURES` that students in a table of results have, in that order.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
    """
    students = results.query("split == 'test' and method in ('kd', 'e2kd')")
    present = set(zip(students["metric"], students["group"], strict=True))
    return [measure for measure in MEASURES if (measure.metric, measure.group) in present]


def sweep_cells(results: pd.DataFrame, measure: Measure, *, grid: Iterable[tuple[float, float]] = ()) -> pd.DataFrame:
    """The numbers of a `sweep_map`.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one experiment, scale, family and setting; only finished runs of KD, which is
        e2KD with lambda 0 (Eq. 2), and of e2KD with lambda > 0 count.
    measure : Measure
        What to average, on test images.
    grid : iterable of (lam, tau)
        Cells that belong into the map whether they have runs or not.

    Returns
    -------
    DataFrame
        A row for each cell of the rectangle of all lambdas and taus, by tau, then lambda: ``lam``, ``tau``, ``in_grid``
        (whether ``grid`` has it), ``n`` (number of runs), ``mean``, ``low`` and ``high`` (lowest and highest run; NaN
        without runs), ``runs`` (their names, with spaces between).
    """
    grid = set(grid)
    kept = results.query("status == 'done' and split == 'test' and (method == 'kd' or (method == 'e2kd' and lam > 0))")
    kept = kept[(kept["metric"] == measure.metric) & (kept["group"] == measure.group)]
    kept = kept.assign(lam=kept["lam"].where(kept["method"] == "e2kd", 0.0)).astype({"lam": float, "tau": float})
    lams = sorted({*kept["lam"], *(lam for lam, _ in grid)})
    taus = sorted({*kept["tau"], *(tau for _, tau in grid)})
    cells = dict(list(kept.groupby(["lam", "tau"])))
    rows = []
    for tau in taus:
        for lam in lams:
            part = cells.get((lam, tau), kept.iloc[:0])
            values = part["value"].astype(float)
            row = {"lam": lam, "tau": tau, "in_grid": (lam, tau) in grid, "n": len(values)}
            row |= {"mean": values.mean(), "low": values.min(), "high": values.max()}
            rows.append(row | {"runs": " ".join(sorted(part["run"]))})
    return pd.DataFrame(rows, columns=["lam", "tau", "in_grid", "n", "mean", "low", "high", "runs"])


def sweep_map(
    results: pd.DataFrame,
    measure: Measure,
    *,
    grid: Iterable[tuple[float, float]] = (),
    picked: tuple[float, float] | None = None,
) -> Figure:
    """A measure of students over lambda (columns, the first is KD) and tau (rows).

    Parameters
    ----------
    results : DataFrame
        As for `sweep_cells`; if the run of the students' teacher is among them, the title tells its value.
    measure : Measure
        What colour and number of a cell stand for.
    grid : iterable of (lam, tau)
        Cells that belong into the map; those without finished runs are hatched, cells outside of it stay grey.
    picked : (lam, tau), optional
        The cell to outline.

    Returns
    -------
    Figure
        In each cell the mean over seeds, below it the lowest and the highest seed, and the number of seeds.

    Raises
    ------
    ValueError
        If there is neither a finished run nor a grid.
    """
    cells = sweep_cells(results, measure, grid=grid)
    if cells.empty:
        raise ValueError("A map needs finished runs of KD or e2KD, or a grid; there are none.")
    means = cells.pivot(index="tau", columns="lam", values="mean").astype(float)
    taus, lams = [float(tau) for tau in means.index], [float(lam) for lam in means.columns]
    low, high = _range(cells["mean"].dropna(), measure)
    scale = ScalarMappable(Normalize(low, high), seaborn.color_palette(_COLOURS[measure.metric], as_cmap=True))
    with styled():
        roomy = len(lams) <= _ROOMY
        figure = new_figure(TEXT_WIDTH, 1.0 + (0.45 if roomy else 0.55) * len(taus))
        axis = figure.subplots()
        seaborn.heatmap(
            means,
            ax=axis,
            cmap=scale.get_cmap(),
            vmin=low,
            vmax=high,
            cbar=False,
            linewidths=1.2,
            linecolor="white",
            xticklabels=["0 (KD)" if lam == 0 else f"{lam:g}" for lam in lams],
            yticklabels=[f"{tau:g}" for tau in taus],
        )
        records: list[dict[str, Any]] = cells.to_dict("records")  # type: ignore[assignment]
        for cell in records:
            place = lams.index(cell["lam"]), taus.index(cell["tau"])
            if cell["n"]:
                _write(axis, place, cell, measure, scale, roomy=roomy)
            else:
                axis.add_patch(
                    Rectangle((place[0] + 0.02, place[1] + 0.03), 0.96, 0.94, **_without_runs(cell["in_grid"]))
                )
            if picked == (cell["lam"], cell["tau"]):
                _outline(axis, place)
        axis.set(xlabel="weight of the explanation loss, λ", ylabel="temperature, τ")
        axis.tick_params(length=0, labelsize=6.5)
        axis.tick_params(axis="y", rotation=0)
        axis.grid(visible=False)
        if cells["n"].any():
            _colour_bar(figure, axis, scale, measure, rows=len(taus))
        missing = cells[cells["n"] == 0]
        titles = {True: "no finished run yet", False: "not in the paper's grid"}
        handles = [
            Patch(**_without_runs(known), label=title)
            for known, title in titles.items()
            if (missing["in_grid"] == known).any()
        ]
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=6)
        _name(figure, axis, results, measure)
    return figure


def _range(means: pd.Series, measure: Measure) -> tuple[float, float]:
    """Range of the colours: that of the means, but at least one point, or 0.02 of a cosine."""
    low, high = (means.min(), means.max()) if len(means) else (0.0, 0.0)
    widen = max(0.0, (1.0 if measure.unit else 0.02) - (high - low)) / 2
    return low - widen, high + widen


def _write(
    axis: Axes, place: tuple[int, int], cell: Mapping[str, Any], measure: Measure, scale: ScalarMappable, *, roomy: bool
) -> None:
    """The mean of a cell, its lowest and highest seed, and their number."""
    below = [f"n = {cell['n']}"]
    if cell["n"] > 1:
        dash = "–" if roomy else "–\n"
        below.insert(0, f"{measure.text(cell['low'])}{dash}{measure.text(cell['high'])}")
    x, y = place[0] + 0.5, place[1] + (0.46 if roomy else 0.4)
    text: dict[str, Any] = {"ha": "center", "color": _legible(scale.to_rgba(cell["mean"]))}
    axis.text(x, y, measure.text(cell["mean"]), va="bottom", fontsize=8, **text)
    axis.text(x, y + 0.08, "\n".join(below), va="top", fontsize=5, linespacing=1.2, **text)


def _legible(colour: Any) -> str:
    """Black or white, whichever has more contrast to an RGBA colour (WCAG 2: contrast of relative luminances)."""
    channels = np.asarray(colour[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def _without_runs(in_grid: bool) -> dict[str, Any]:
    """How a cell without finished runs looks."""
    if in_grid:
        return {"facecolor": "white", "edgecolor": _HATCH, "hatch": "////", "linewidth": 0}
    return {"facecolor": _EMPTY, "edgecolor": _EMPTY, "linewidth": 0}


def _outline(axis: Axes, place: tuple[int, int]) -> None:
    """A black line with a white one around it, seen on any colour."""
    axis.add_patch(
        Rectangle(
            place,
            1,
            1,
            fill=False,
            edgecolor="black",
            linewidth=1.4,
            clip_on=False,
            zorder=5,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    )


def _colour_bar(figure: Figure, axis: Axes, scale: ScalarMappable, measure: Measure, *, rows: int) -> None:
    bar = figure.colorbar(scale, ax=axis, aspect=8 * rows, fraction=0.05, pad=0.015)
    bar.ax.tick_params(labelsize=5.5, length=2)
    bar.ax.locator_params(nbins=4)
    bar.ax.grid(visible=False)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label(_TITLES[measure.metric] + (f" ({measure.unit})" if measure.unit else ""), fontsize=6)


def _name(figure: Figure, axis: Axes, results: pd.DataFrame, measure: Measure) -> None:
    """Title with the teacher's value, and where the numbers come from."""
    if results.empty:
        figure.suptitle(measure.title, fontsize=8.5)
        return
    rows = results[(results["split"] == "test") & (results["metric"] == measure.metric)]
    rows = rows[rows["group"] == measure.group]
    taught_by = rows.loc[rows["method"].isin(["kd", "e2kd"]), "teacher"]
    teacher = rows.loc[rows["run"].isin(taught_by), "value"]
    parts = [measure.title, FAMILY_TITLES[results["family"].iloc[0]]]
    parts += [f"Teacher: {measure.text(teacher.mean())} {measure.unit}".rstrip()] if len(teacher) else []
    figure.suptitle(" — ".join(parts), fontsize=8.5)
    source = f"{SCALE_TITLES[results['scale'].iloc[0]]}: mean, lowest and highest of n seeds"
    axis.set_title(source, fontsize=6, color="#555555", pad=4)
