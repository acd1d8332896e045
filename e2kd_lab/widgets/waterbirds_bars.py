"""The bars of Fig. 3, B1 and B2 as a panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.experiments import FAMILIES
from e2kd_lab.metrics.groups import GROUP_TITLES
from e2kd_lab.paper import waterbirds_bars
from e2kd_lab.paper.waterbirds import DISTRIBUTIONS
from e2kd_lab.runs import select_by_validation
from e2kd_lab.widgets.panel import Panel, family_switch, shows_errors


class WaterbirdsBars(Panel):
    """Accuracy and agreement in- and out-of-distribution, by method and setting.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one scale of the experiment ``waterbirds``.
    export_folder : Path or str
        Where the export button writes.

    Attributes
    ----------
    family, group, zoom : ipywidgets controls
        Standard or B-cos networks; images to measure on; whether the axes start below the lowest bar.
    """

    def __init__(self, results: pd.DataFrame, *, export_folder: Path | str = "exports") -> None:
        super().__init__("waterbirds_bars", export_folder)
        self.results = results
        present = set(results["family"])
        self.family = family_switch([family for family in FAMILIES if family in present] or FAMILIES)
        titles = {**DISTRIBUTIONS, "worst": "Worst group", **GROUP_TITLES}
        self.group = widgets.Dropdown(description="Images", options=[(title, name) for name, title in titles.items()])
        self.zoom = widgets.Checkbox(description="Zoom in", value=False, indent=False)
        for control in (self.family, self.group, self.zoom):
            control.observe(self._draw, "value")
        self.arrange([self.family], [self.group, self.zoom, self.export_button])
        self._draw(None)

    @shows_errors
    def _draw(self, _: Any) -> None:
        results = self.results.query("family == @self.family.value")
        selected = select_by_validation(results)
        shown = selected.query("split == 'test' and group == @self.group.value")
        if shown.empty:
            self.say("There are no finished runs yet.")
            return
        self.export_name = f"waterbirds_bars_{self.family.value}_{self.group.value}"
        self.show(waterbirds_bars(selected, group=self.group.value, zoom=self.zoom.value), shown)
        tried = results.query("status == 'done'").groupby("method")["run"].nunique()
        self.say(
            "For each method and setting: the configuration with the highest validation accuracy, out of "
            + ", ".join(f"{count} {method}" for method, count in tried.items())
            + " runs. Dots are seeds."
        )
