"""Fig. 3, B1 and B2 as a panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.experiments import FAMILIES
from e2kd_lab.figures import waterbirds_bars
from e2kd_lab.figures.labels import title_of
from e2kd_lab.metrics.groups import GROUPS
from e2kd_lab.runs import select_by_validation
from e2kd_lab.widgets.panel import Panel, family_switch, shows_errors


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
        present = set(results["family"])
        self.family = family_switch([family for family in FAMILIES if family in present] or FAMILIES)
        groups = ("out_of_distribution", "in_distribution", "worst", *GROUPS)
        self.group = widgets.Dropdown(
            description="Images", options=[(title_of("group", name), name) for name in groups]
        )
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
