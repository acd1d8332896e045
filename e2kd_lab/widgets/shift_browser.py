"""Explanations of a shifted image: Fig. 4 as a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
from torch import Tensor

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations import explanation_of
from e2kd_lab.explanations.shifts import compare_shifted, similarities
from e2kd_lab.figures.shifts import ShiftPicture
from e2kd_lab.models import ExplainableModel
from e2kd_lab.widgets.controls import maps_switch
from e2kd_lab.widgets.panel import Panel, shows_errors


class ShiftBrowser(Panel):
    """Explanations of an image by several networks, while a slider shifts it.

    All shifts of an image are explained when it is chosen, so that the slider responds at once.

    Parameters
    ----------
    networks : mapping
        Networks in evaluation mode by method; the first is the teacher. All of them explain its prediction on the
        unshifted image.
    images : Tensor
        Larger images, (N, 3, H, W), uint8 or floats in [0, 1], with H and W at least ``size + largest``; see
        `e2kd_lab.explanations.shifted_crops`.
    titles : sequence of str
        Title of each image.
    size, largest : int
        Side of the networks' input and largest shift, in pixels.
    patch : int
        Patch size of the vision transformer in pixels, for the hairlines.
    export_folder : Path or str
        Folder that the export button writes to.

    Attributes
    ----------
    choice, view, shift : ipywidgets controls
        Image; W(x) or contributions of B-cos networks; shift T.

    Examples
    --------
    >>> import torch
    >>> import e2kd_lab as lab
    >>> networks = {name: lab.build_model("resnet_mini", 3).eval() for name in ("teacher", "kd")}
    >>> panel = ShiftBrowser(networks, torch.rand(1, 3, 40, 40), ["noise"], size=32, largest=8)
    >>> panel.shift.value = 8
    """

    def __init__(
        self,
        networks: Mapping[str, ExplainableModel],
        images: Tensor,
        titles: Sequence[str],
        *,
        size: int = 64,
        largest: int = 32,
        patch: int = 8,
        export_folder: Path | str = "exports",
    ) -> None:
        super().__init__("shift", export_folder)
        self.networks, self.images = dict(networks), as_unit_range(images)
        self.size, self.shifts, self.patch = size, range(largest + 1), patch
        self._pictures: dict[bool, ShiftPicture] = {}
        self._table = pd.DataFrame()
        self.choice = widgets.Dropdown(
            description="Image",
            options=[(f"{number + 1}: {title}", number) for number, title in enumerate(titles)],
        )
        explanation = explanation_of(next(iter(self.networks.values())))
        self.view = maps_switch(explanation, shown=explanation.has_contributions)
        self.shift = widgets.IntSlider(
            description="Shift", min=0, max=largest, value=patch // 2, layout=widgets.Layout(width="460px")
        )
        self.choice.observe(self._explain, "value")
        self.view.observe(self._move, "value")
        self.shift.observe(self._move, "value")
        self.arrange([self.choice, self.view], [self.shift, self.export_button])
        self._explain(None)

    @shows_errors
    def _explain(self, _: Any) -> None:
        self.say("Explaining all shifts of this image ...")
        image = self.images[self.choice.value : self.choice.value + 1]
        self._comparison = compare_shifted(self.networks, image, size=self.size, shifts=self.shifts)
        self.redraw()
        self.say(
            "Every map explains what the teacher predicts for the unshifted image. The cosine is that of a network's "
            "contributions with its own at T = 0, on the area that both images show."
        )

    def draw(self) -> None:
        """See `Panel.draw`: both views of the image, for `_move` to choose from."""
        comparison = self._comparison
        curves = {name: rows[0] for name, rows in similarities(comparison, self.shifts).items()}
        self._pictures = {
            contributions: ShiftPicture(comparison, curves, patch=self.patch, contributions=contributions)
            for contributions in ((False, True) if comparison.method.has_contributions else (False,))
        }
        self._table = pd.DataFrame(
            {"shift": self.shifts} | {name: curve.cpu().numpy() for name, curve in curves.items()}
        )
        self._move(None)

    @shows_errors
    def _move(self, _: Any) -> None:
        picture = self._pictures[self.view.value and len(self._pictures) > 1]
        picture.move(self.shift.value)
        self.export_name = f"shift_{self.choice.value + 1}_{self.shift.value}px"
        self.show(picture.figure, self._table, picture.png())
