"""The interface of explanations: maps, evidence, drawing and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from matplotlib.colors import Colormap
from torch import Tensor

from e2kd_lab.explanations.rendering import HEAT, SIGNED, heat_overlay, largest, signed_colours, unit_norm
from e2kd_lab.models.interface import ExplainableModel

_LABEL = " {of}, divided by its L2 norm"


class Explanation(NamedTuple):
    """Logits and explanation maps of a batch.

    Attributes
    ----------
    logits : Tensor
        (N, K).
    classes : Tensor
        The explained class of each image, integers (N,).
    maps : Tensor
        Explanation maps at image size, (N, C, H, W), in at least float32: for instance GradCAM (N, 1, H, W) with values
        >= 0, or the signed dynamic weights W(x) of a B-cos network (N, 6, H, W).

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> logits, classes, maps = lab.explain(lab.build_model("resnet_mini", 2).eval(), torch.rand(4, 3, 64, 64))
    >>> logits.shape, classes.shape, maps.shape
    (torch.Size([4, 2]), torch.Size([4]), torch.Size([4, 1, 64, 64]))
    """

    logits: Tensor
    classes: Tensor
    maps: Tensor


@dataclass(frozen=True)
class Drawing:
    """Maps of several networks drawn on one colour scale.

    Attributes
    ----------
    pictures : dict
        RGB pictures in [0, 1], (N, H, W, 3), by network name.
    low, high : float
        Ends of the colour scale.
    colours : Colormap
        The colour scale.
    label : str
        Label of the scale; ``{of}`` stands for the explained class.
    """

    pictures: dict[str, np.ndarray]
    low: float
    high: float
    colours: Colormap
    label: str


class ExplanationMethod:
    """Base of all explanations; a subclass computes maps and may override their evidence and drawing.

    Attributes
    ----------
    name : str
        Registered name.
    title : str
        Title in figures and panels.
    channels : int
        Channels C of a map.
    is_signed : bool
        Whether negative values are evidence against the class, and are drawn as such.
    has_contributions : bool
        Whether the evidence differs from the map itself.
    passes_whole_network : bool
        Whether a map needs a backward pass through the whole network; it is then faster to explain a part of a batch in
        a forward pass of its own.
    pixels_at_once : int
        Maximum pixels per explanation pass; larger batches are explained in parts.
    """

    name: str = ""
    title: str = ""
    channels: ClassVar[int] = 1
    is_signed: ClassVar[bool] = False
    has_contributions: ClassVar[bool] = False
    passes_whole_network: ClassVar[bool] = False
    pixels_at_once: ClassVar[int] = 32 * 224**2

    def check(self, model: ExplainableModel) -> None:
        """Refuse a network that this explanation does not support.

        Raises
        ------
        ExperimentError
            One sentence that names what the network lacks.
        """

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """Explain a batch (see `e2kd_lab.explain`); maps (N, channels, H, W) have the images' height and width."""
        raise NotImplementedError

    def evidence(self, maps: Tensor, images: Tensor) -> Tensor:
        """Evidence of each pixel for the class, (N, 1, H, W), for EPG, IoU, guidance and shift curves.

        Parameters
        ----------
        maps : Tensor
            Explanations (N, channels, H, W).
        images : Tensor
            The explained RGB images in [0, 1], (N, 3, H, W).
        """
        return maps

    def draw(self, images: Tensor, maps: Mapping[str, Tensor], *, contributions: bool = False) -> Drawing:
        """Draw maps of several networks on one colour scale, each divided by its L2 norm.

        Positive maps are heatmaps over the dimmed image; signed ones are red and blue on white.

        Parameters
        ----------
        images : Tensor
            RGB images in [0, 1], (N, 3, H, W).
        maps : mapping
            Explanations (N, channels, H, W) by network name.
        contributions : bool
            Draw the evidence instead of the map, where they differ.
        """
        contributions = contributions and self.has_contributions
        if not contributions and not self.is_signed:
            return self.heatmap(images, maps)
        shown = {name: self.evidence(one, images) for name, one in maps.items()} if contributions else dict(maps)
        shown = {name: unit_norm(one) for name, one in shown.items()}
        what = "contribution to the logit" if contributions else self.title
        vmax = largest(one.abs() for one in shown.values())
        pictures = {name: signed_colours(one, vmax=vmax) for name, one in shown.items()}
        return Drawing(pictures, -vmax, vmax, SIGNED, what + _LABEL)

    def heatmap(self, images: Tensor, maps: Mapping[str, Tensor]) -> Drawing:
        """Draw positive maps, each divided by its L2 norm, as heatmaps over the dimmed image; see `draw`."""
        shown = {name: unit_norm(one) for name, one in maps.items()}
        vmax = largest(shown.values())
        pictures = {name: heat_overlay(images, one, vmax=vmax) for name, one in shown.items()}
        return Drawing(pictures, 0, vmax, HEAT, self.title + _LABEL)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
