"""Insertion and deletion of the pixels of one image, as a panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations.pixel_ranking import PixelRanking, pixel_rankings
from e2kd_lab.figures import caption
from e2kd_lab.figures.pixel_shares import PixelShares as Picture
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run, results_of
from e2kd_lab.runs.examples import Examples, examples_of, networks_of
from e2kd_lab.widgets.panel import Panel, by_family, family_switch, shows_errors

_STEPS = 32


class PixelShares(Panel):
    """Insert and delete the pixels that each network calls important, and see what it makes of the picture.

    Every network ranks the pixels by its explanation of its own prediction. All shares are computed when an image is
    chosen, so that the slider responds at once.

    Parameters
    ----------
    experiments : Experiment or sequence of Experiment
        Source of images and teacher: one, or one a family of networks.
    runs : sequence of Run
        Finished runs of students, one a family and method, in the order of the columns.
    count : int
        Number of test images to choose from.
    folder : Path or str, optional
        Folder of the runs.
    export_folder : Path or str
        Folder that the export button writes to.

    Attributes
    ----------
    networks, choice, share : ipywidgets controls
        Family of networks; image; share of its pixels that are inserted or deleted, in [0, 1].

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> birds = lab.experiments.get("waterbirds", "lab")
    >>> runs = [lab.run(birds.replace(method=method)) for method in ("kd", "e2kd")]  # doctest: +SKIP
    >>> PixelShares(birds, runs).share.value = 0.5  # doctest: +SKIP
    """

    figure_choices = ("width", "font_size")

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment],
        runs: Sequence[Run],
        *,
        count: int = 8,
        folder: Path | str | None = None,
        export_folder: Path | str = "exports",
    ) -> None:
        first, self.experiments = by_family(experiments)
        super().__init__(f"{first.name}_pixels", export_folder)
        self.runs = {family: [run for run in runs if run.config["family"] == family] for family in self.experiments}
        self.folder, self._networks = folder, dict[str, dict[str, ExplainableModel]]()
        self._rankings: dict[tuple[str, int], dict[str, PixelRanking]] = {}
        self._examples: Examples = examples_of(first, count)
        self.networks = family_switch(list(self.experiments))
        self.choice = widgets.Dropdown(
            description="Image",
            layout=widgets.Layout(width="320px"),
            options=[(f"{number + 1}: {title}", number) for number, title in enumerate(self._examples.titles)],
        )
        self.share = widgets.FloatSlider(
            description="Pixels",
            value=0.25,
            min=0,
            max=1,
            step=1 / _STEPS,
            readout_format=".0%",
            continuous_update=False,
            layout=widgets.Layout(width="430px"),
        )
        for control in (self.networks, self.choice):
            control.observe(self.redraw, "value")
        self.share.observe(self._move, "value")
        self.arrange([self.networks], [self.choice], [self.share], [self.export_button], beside=True)
        self.redraw()

    def draw(self) -> None:
        """See `Panel.draw`."""
        image = self._examples.images[self.choice.value]
        self._picture = Picture(image, self._ranked(), share=self.share.value)
        self._show()
        self.say(
            "Inserted: into the blurred image, the most important pixels first; a faithful map's curve rises early. "
            "Deleted: to the image's mean colour; it falls early. Each curve is the probability of what the network "
            "predicts for the whole image."
        )

    def caption(self) -> str:
        """See `Panel.caption`."""
        if self.figure is None:
            return ""
        what = f"insertion and deletion of the pixels of an image, {self.share.value:.0%} of them shown"
        runs = self.runs[self.networks.value]
        return caption(what, results_of(runs) if runs else pd.DataFrame())

    @shows_errors
    def _move(self, _: Any) -> None:
        self._picture.move(self.share.value)
        self._show()

    def _show(self) -> None:
        self.export_name = f"pixels_{self.networks.value}_{self.choice.value + 1}_{self.share.value:.0%}".rstrip("%")
        self.show(self._picture.figure)

    def _ranked(self) -> dict[str, PixelRanking]:
        """How the networks of the chosen family rank the pixels of the chosen image; computed once."""
        family, number = self.networks.value, self.choice.value
        if family not in self._networks:
            self._networks[family] = networks_of(self.experiments[family], self.runs[family], self.folder)
        if (family, number) not in self._rankings:
            image = self._examples.images[number]
            self._rankings[family, number] = pixel_rankings(self._networks[family], image, steps=_STEPS)
        return self._rankings[family, number]
