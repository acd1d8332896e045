"""One of the paper's tables beside our results, as curves or bars."""

from __future__ import annotations

import functools
from pathlib import Path

import ipywidgets as widgets
import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.figures import FigureOptions, figure_options, method_bars, shot_curves
from e2kd_lab.figures.export import screen_png
from e2kd_lab.figures.style import METHOD_ORDER, METHOD_TITLES
from e2kd_lab.paper import beside_paper
from e2kd_lab.paper.beside_paper import selecting_measure
from e2kd_lab.runs import select_by_validation
from e2kd_lab.widgets.controls import switch
from e2kd_lab.widgets.panel import Panel

_PICTURES_KEPT = 32


class ResultsPlot(Panel):
    """Accuracy and agreement of all methods, in the paper and here, and e2KD's gain over KD (Tables 1 to 3, 5, B1).

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of the table's students and teachers.
    table : str
        See `e2kd_lab.paper.beside_paper`.
    title : str
        Title of the figure.
    export_folder : Path or str
        Folder that the export button writes to.

    Attributes
    ----------
    view : ipywidgets.ToggleButtons
        Curves over the shots, or bars.
    shots : ipywidgets.SelectionSlider
        Column of the table whose gain or bars are shown.
    methods : ipywidgets.SelectMultiple
        Methods to show.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> ResultsPlot(lab.load_runs().query("experiment == 'imagenet_bcos'"), "table2")  # doctest: +SKIP
    """

    def __init__(
        self, results: pd.DataFrame, table: str, *, title: str = "", export_folder: Path | str = "exports"
    ) -> None:
        super().__init__(table, export_folder)
        self.results, self.table, self.title = results, table, title
        self.rows = beside_paper(select_by_validation(results), table)
        self._picture = functools.lru_cache(_PICTURES_KEPT)(self._drawn)
        places = self.rows.groupby("place")["column"].unique()
        many = len(places) > 2
        options = [("Curves", "curves"), ("Bars", "bars")]
        self.view = switch("View", options, width=80, shown=many, value="curves" if many else "bars")
        self.shots = widgets.SelectionSlider(
            description="Data",
            options=[(" / ".join(columns), place) for place, columns in places.items()],
            continuous_update=False,
            layout=widgets.Layout(width="460px", display=None if len(places) > 1 else "none"),
        )
        present = [method for method in METHOD_ORDER if method in set(self.rows["method"]) - {"teacher"}]
        self.methods = widgets.SelectMultiple(
            description="Methods",
            options=[(METHOD_TITLES[method], method) for method in present],
            value=tuple(present),
            rows=min(len(present), 6),
            tooltip="Ctrl or Shift for several",
        )
        for control in (self.view, self.shots, self.methods):
            control.observe(self.redraw, "value")
        self.arrange([self.view, self.shots], [self.methods, self.export_button])
        self.redraw()
        for _, place in self.shots.options:  # drawn in advance, so that the slider responds at once
            self._picture(self.view.value, place, self.methods.value, self.figure_options)

    def _drawn(
        self, view: str, place: int, methods: tuple[str, ...], options: FigureOptions
    ) -> tuple[Figure, pd.DataFrame, bytes]:
        """Figure, data and PNG for some controls; cached, because drawing takes half a second."""
        shown = self.rows[self.rows["method"].isin([*methods, "teacher"])]
        if view == "bars":
            shown = shown[shown["place"] == place]
        with figure_options(options):
            if view == "curves":
                figure = shot_curves(shown, place=place, title=self.title)
            else:
                figure = method_bars(shown, title=self.title)
            return figure, shown, screen_png(figure)

    def draw(self) -> None:
        """See `Panel.draw`."""
        methods, place = self.methods.value, self.shots.value
        if not methods:
            self.say("Choose at least one method.")
            return
        self.export_name = f"{self.table}_{self.view.value}_{place}"
        self.show(*self._picture(self.view.value, place, methods, self.figure_options))
        done = self.results.query("status == 'done' and method != 'teacher'")
        self.say(
            f"{done['run'].nunique()} finished runs. For each method and column: the temperature, weight and recipe "
            f"with the highest validation {selecting_measure(self.rows)}; bands and dots are seeds."
        )
