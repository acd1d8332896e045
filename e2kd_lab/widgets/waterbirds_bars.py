"""Fig. 3, B1 and B2 as a panel."""

from __future__ import annotations

import functools
from pathlib import Path

import ipywidgets as widgets
import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.experiments import FAMILIES
from e2kd_lab.figures import FigureOptions, caption, figure_options, waterbirds_bars
from e2kd_lab.figures.export import screen_png
from e2kd_lab.figures.glossary import GLOSSARY
from e2kd_lab.figures.labels import methods_of, networks_name, title_of
from e2kd_lab.metrics.groups import GROUPS
from e2kd_lab.runs import select_by_validation
from e2kd_lab.widgets.controls import switch
from e2kd_lab.widgets.panel import Panel, family_switch

_PICTURES_KEPT = 32


class WaterbirdsBars(Panel):
    """Accuracy and agreement in and out of distribution, by method and setting.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one scale of the experiment ``waterbirds``.
    export_folder : Path or str
        Folder that the export button writes to.

    Attributes
    ----------
    family, group, zoom : ipywidgets controls
        Standard or B-cos networks; group of images; start the axes below the lowest bar.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> WaterbirdsBars(lab.load_runs().query("experiment == 'waterbirds' and scale == 'lab'"))  # doctest: +SKIP
    """

    def __init__(self, results: pd.DataFrame, *, export_folder: Path | str = "exports") -> None:
        super().__init__("waterbirds_bars", export_folder)
        self.results = results
        self._selected = functools.cache(self._select)
        self._picture = functools.lru_cache(_PICTURES_KEPT)(self._drawn)
        present = set(results["family"])
        self.family = family_switch([family for family in FAMILIES if family in present] or FAMILIES)
        groups = ("out_of_distribution", "in_distribution", "worst", *GROUPS)
        self.group = widgets.Dropdown(
            description="Images",
            options=[(title_of("group", name), name) for name in groups],
            tooltip=f"{GLOSSARY['out-of-distribution']} {GLOSSARY['in-distribution']} {GLOSSARY['worst group']}",
        )
        self.zoom = switch("Axes from", [("0", False), ("lowest bar", True)], width=110)
        for control in (self.family, self.group, self.zoom):
            control.observe(self.redraw, "value")
        self.arrange([self.family], [self.group], [self.zoom], [self.export_button], beside=True)
        self.redraw()

    def draw(self) -> None:
        """See `Panel.draw`."""
        selected = self._selected(self.family.value)
        shown = selected.query("split == 'test' and group == @self.group.value")
        if shown.empty:
            self.show_nothing("There are no finished runs yet.")
            return
        self.export_name = f"waterbirds_bars_{self.family.value}_{self.group.value}"
        self.show(*self._picture(self.family.value, self.group.value, self.zoom.value, self.figure_options))
        done = self.results.query("family == @self.family.value and status == 'done' and method != 'teacher'")
        tried = done.groupby("method")["run"].nunique()
        counts = ", ".join(f"{tried[name]} {title_of('method', name)}" for name in methods_of(done))
        self.say(
            "For each method and setting: the configuration with the highest validation accuracy, out of "
            f"{counts} runs. Dots are seeds."
        )

    def caption(self) -> str:
        """See `Panel.caption`."""
        if self.data is None:
            return ""
        selected = self._selected(self.family.value)
        drawn = selected[selected["method"].isin(self.data["method"]) & selected["setting"].isin(self.data["setting"])]
        group = title_of("group", self.group.value).lower()
        networks = networks_name(self.family.value)
        return caption(f"accuracy and agreement of {networks} on Waterbirds, {group}", drawn, kind="bars")

    def _select(self, family: str) -> pd.DataFrame:
        return select_by_validation(self.results[self.results["family"] == family])

    def _drawn(self, family: str, group: str, zoom: bool, options: FigureOptions) -> tuple[Figure, None, bytes]:
        """Figure and PNG for some controls; cached, because drawing takes half a second."""
        selected = self._selected(family)
        with figure_options(options):
            figure = waterbirds_bars(selected, group=group, zoom=zoom)
            return figure, None, screen_png(figure)
