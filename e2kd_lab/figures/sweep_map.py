"""A sweep over lambda and tau as a heat map of a measure, averaged over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

from e2kd_lab.figures.group_measure import Measure
from e2kd_lab.figures.labels import counted, title_of, where_measured
from e2kd_lab.figures.lettering import legend_below, text_width, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import SELECTION, new_figure, small, styled
from e2kd_lab.metrics.titles import measure_title

EMPTY, _HATCH = "#EFEFEF", "#B5B5B5"


def sweep_cells(
    results: pd.DataFrame, measure: Measure, *, grid: Iterable[tuple[float, float]] = (), method: str = "e2kd"
) -> pd.DataFrame:
    """Numbers of a `sweep_map`.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one experiment, scale, family and setting; only the method's finished runs
        count.
    measure : Measure
        Measure to average, on test images.
    grid : iterable of (lam, tau)
        Cells to include even without runs.
    method : str
        The method. For e2KD, the column lambda = 0 is KD (Eq. 2).

    Returns
    -------
    DataFrame
        A row per cell of the rectangle of all lambdas and taus, by tau, then lambda: ``lam``, ``tau``, ``in_grid``
        (whether it is in ``grid``), ``n`` (number of runs), ``mean``, ``low`` and ``high`` (lowest and highest run; NaN
        without runs), ``runs`` (their names, separated by spaces).

    Examples
    --------
    >>> row = {"status": "done", "split": "test", "metric": "accuracy", "group": "all", "run": "a", "value": 70.0}
    >>> results = pd.DataFrame([{**row, "method": "e2kd", "lam": 5.0, "tau": 1.0}])
    >>> sweep_cells(results, Measure("accuracy"))[["lam", "tau", "n", "mean"]].values.tolist()
    [[5.0, 1.0, 1.0, 70.0]]
    """
    grid = set(grid)
    kept = results[(results["status"] == "done") & (results["split"] == "test") & _of_method(results, method)]
    kept = kept[(kept["metric"] == measure.metric) & (kept["group"] == measure.group)]
    kept = kept.assign(lam=kept["lam"].where(kept["method"] == method, 0.0)).astype({"lam": float, "tau": float})
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


def _of_method(results: pd.DataFrame, method: str) -> pd.Series:
    if method != "e2kd":
        return results["method"] == method
    return (results["method"] == "kd") | ((results["method"] == "e2kd") & (results["lam"] > 0))


def sweep_map(
    results: pd.DataFrame,
    measure: Measure,
    *,
    grid: Iterable[tuple[float, float]] = (),
    picked: tuple[float, float] | None = None,
    method: str = "e2kd",
) -> Figure:
    """Heat map of a measure over lambda (columns; for e2KD the first is KD) and tau (rows).

    Parameters
    ----------
    results : DataFrame
        As for `sweep_cells`; if it holds the students' teacher, the title gives its value.
    measure : Measure
        Measure to show.
    grid : iterable of (lam, tau)
        Cells to include. Cells of the grid without finished runs are hatched, other empty cells stay grey.
    picked : (lam, tau), optional
        Cell to outline on the screen; `export_figure` leaves the outline out.
    method : str
        See `sweep_cells`.

    Returns
    -------
    Figure
        Each cell shows the mean over seeds, the lowest and highest seed, and the number of seeds.

    Raises
    ------
    ValueError
        If there is neither a finished run nor a grid.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> runs = lab.load_runs().query("experiment == 'waterbirds' and scale == 'lab'")  # doctest: +SKIP
    >>> sweep_map(runs.query("family == 'bcos' and setting == 'base'"), Measure("agreement"))  # doctest: +SKIP
    """
    cells = sweep_cells(results, measure, grid=grid, method=method)
    if cells.empty:
        named = "KD or e2KD" if method == "e2kd" else f"'{method}'"
        raise ValueError(f"A map needs finished runs of {named}, or a grid; there are none.")
    scale = _colour_scale(cells["mean"].dropna(), measure)
    rows, columns = cells["tau"].nunique(), cells["lam"].nunique()
    lettering = _Lettering.of(cells, measure, 56 * current_options().inches / columns)
    with styled():
        figure = new_figure(1.05 + max(lettering.height * rows, 0.4))
        axis = figure.subplots()
        _draw_heatmap(axis, cells, scale, method)
        _draw_cells(axis, cells, measure, scale, picked, lettering)
        if cells["n"].any():
            _draw_colour_bar(figure, axis, scale, measure, rows=rows)
        _name(figure, results, measure, method)
        note = "" if results.empty else f"{where_measured(results)}: {lettering.note(cells)}"
        legend_below(figure, _empty_cells(cells, planned=bool(cells["in_grid"].any())), note=note)
    return figure


def _colour_scale(means: pd.Series, measure: Measure) -> ScalarMappable:
    """Colours of the range of the means, but of at least one point, 0.02 of a cosine, or a fiftieth of other values."""
    import seaborn  # takes a second, so only where it draws

    low, high = (means.min(), means.max()) if len(means) else (0.0, 0.0)
    least = 1.0 if measure.unit else 0.02 if measure.metric == "explanation_cosine" else max(-low, high) / 50 or 0.02
    widen = max(0.0, least - (high - low)) / 2
    return ScalarMappable(Normalize(low - widen, high + widen), seaborn.color_palette(measure.colours, as_cmap=True))


def _draw_heatmap(axis: Axes, cells: pd.DataFrame, scale: ScalarMappable, method: str) -> None:
    """Colours, ticks and names of the axes."""
    import seaborn

    means = cells.pivot(index="tau", columns="lam", values="mean").astype(float)
    lams = [float(lam) for lam in means.columns]
    seaborn.heatmap(
        means,
        ax=axis,
        cmap=scale.get_cmap(),
        vmin=scale.norm.vmin,
        vmax=scale.norm.vmax,
        cbar=False,
        linewidths=1.2,
        linecolor="white",
        xticklabels=["0 (KD)" if lam == 0 and method == "e2kd" else f"{lam:g}" for lam in lams],
        yticklabels=[f"{tau:g}" for tau in means.index],
    )
    weight = "weight of the explanation loss, λ" if method == "e2kd" else "weight, λ"
    axis.set(xlabel=weight, ylabel="temperature, τ")
    axis.tick_params(length=0)
    axis.tick_params(axis="y", rotation=0)
    axis.grid(visible=False)


def _draw_cells(
    axis: Axes,
    cells: pd.DataFrame,
    measure: Measure,
    scale: ScalarMappable,
    picked: tuple[float, float] | None,
    lettering: _Lettering,
) -> None:
    """Numbers of cells with runs, hatches of those without, and the outline of the picked one."""
    taus, lams = (sorted(cells[name].unique()) for name in ("tau", "lam"))
    records: list[dict[str, Any]] = cells.to_dict("records")  # type: ignore[assignment]
    for cell in records:
        place = lams.index(cell["lam"]), taus.index(cell["tau"])
        if cell["n"]:
            lettering.write(axis, place, cell, measure, _legible(scale.to_rgba(cell["mean"])))
        else:
            axis.add_patch(Rectangle((place[0] + 0.02, place[1] + 0.03), 0.96, 0.94, **_without_runs(cell["in_grid"])))
        if picked == (cell["lam"], cell["tau"]):
            _outline(axis, place)


def _empty_cells(cells: pd.DataFrame, *, planned: bool) -> list[Patch]:
    """Legend handles of cells without runs; without a grid, none was planned."""
    missing = cells[cells["n"] == 0]
    titles = {True: "no finished run yet", False: "not in the paper's grid" if planned else "no finished run"}
    return [
        Patch(**_without_runs(known), label=title)
        for known, title in titles.items()
        if (missing["in_grid"] == known).any()
    ]


@dataclass(frozen=True)
class _Lettering:
    """What a cell's width has room for: the mean, its lowest and highest seed in one line or in two, and n.

    Attributes
    ----------
    lines : int
        Lines below the mean: 2, 3, or 0 where they do not fit.
    large, small : float
        Sizes of the mean and of these lines, in points.
    """

    lines: int
    large: float
    small: float

    @classmethod
    def of(cls, cells: pd.DataFrame, measure: Measure, room: float) -> _Lettering:
        there = cells[cells["n"] > 0]
        ends = [measure.text(value) for name in ("mean", "low", "high") for value in there[name]] or ["0"]
        widest = max(ends, key=lambda text: text_width(text, 1))
        size, room = small(), room - 3
        ways = {2: f"{widest}–{widest}", 3: f"{widest}–"}
        lines = next((count for count, text in ways.items() if text_width(text, size) <= room), 0)
        large = max(size, min(1.15 * current_options().font_size, size * room / text_width(widest, size)))
        return cls(lines, large, size)

    @property
    def height(self) -> float:
        """Height of a cell in inches."""
        return (1.3 * self.large + 1.3 * self.lines * self.small + 7) / 72

    def note(self, cells: pd.DataFrame) -> str:
        """What the numbers of a cell are."""
        if self.lines:
            return "mean, lowest and highest of n seeds"
        fewest, most = cells.loc[cells["n"] > 0, "n"].agg(["min", "max"])
        return f"mean of {counted(most, 'seed')}" if fewest == most else f"mean of {fewest} to {most} seeds"

    def write(self, axis: Axes, place: tuple[int, int], cell: Mapping[str, Any], measure: Measure, colour: str) -> None:
        """Write the numbers of a cell."""
        ends = [f"{measure.text(cell['low'])}–", measure.text(cell["high"])] if cell["n"] > 1 else []
        below = [*(["".join(ends)] if ends and self.lines == 2 else ends), f"n = {cell['n']}"]
        below, points = below if self.lines else [], 72 * self.height
        top = (points - 1.3 * (self.large + len(below) * self.small)) / 2 / points
        text: dict[str, Any] = {"ha": "center", "va": "top", "color": colour, "linespacing": 1.15}
        x, y = place[0] + 0.5, place[1] + top
        axis.text(x, y, measure.text(cell["mean"]), fontsize=self.large, **text)
        if below:
            axis.text(x, y + 1.25 * self.large / points, "\n".join(below), fontsize=self.small, **text)


def _legible(colour: Any) -> str:
    """Black or white, whichever has more contrast to an RGBA colour (WCAG 2: contrast of relative luminances)."""
    channels = np.asarray(colour[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return "black" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "white"


def _without_runs(in_grid: bool) -> dict[str, Any]:
    """Style of a cell without finished runs."""
    if in_grid:
        return {"facecolor": "white", "edgecolor": _HATCH, "hatch": "////", "linewidth": 0}
    return {"facecolor": EMPTY, "edgecolor": EMPTY, "linewidth": 0}


def _outline(axis: Axes, place: tuple[int, int]) -> None:
    """Outline a cell in black with a white rim, visible on any colour."""
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
            gid=SELECTION,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    )


def _draw_colour_bar(figure: Figure, axis: Axes, scale: ScalarMappable, measure: Measure, *, rows: int) -> None:
    bar = figure.colorbar(scale, ax=axis, aspect=8 * rows, fraction=0.05, pad=0.015)
    bar.ax.tick_params(length=2)
    bar.ax.locator_params(nbins=4 if rows > 1 else 2)
    bar.ax.grid(visible=False)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label(measure_title(measure.metric).with_unit, fontsize=small())


def _name(figure: Figure, results: pd.DataFrame, measure: Measure, method: str) -> None:
    """Write the title with the teacher's value."""
    if results.empty:
        write_title(figure, measure.title)
        return
    rows = results[(results["split"] == "test") & (results["metric"] == measure.metric)]
    rows = rows[rows["group"] == measure.group]
    taught_by = rows.loc[_of_method(rows, method), "teacher"]
    teacher = rows.loc[rows["run"].isin(taught_by), "value"]
    parts = [] if method == "e2kd" else [title_of("method", method)]
    parts += [measure.title, title_of("family", results["family"].iloc[0])]
    parts += [f"Teacher: {measure.text(teacher.mean())} {measure.unit}".rstrip()] if len(teacher) else []
    write_title(figure, " — ".join(parts))
