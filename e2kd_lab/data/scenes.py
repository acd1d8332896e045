"""Pictures that can be drawn in another way: what may be changed, and the picture after a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor
from torchvision import tv_tensors


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A number that can be changed.

    Attributes
    ----------
    name, title, short : str
        Its key, and its name for people, in figures and, where there is little room, beside its slider.
    low, high, step : float
        Its range, and how fine its slider is.
    value : float
        Its value in the unchanged picture.
    about : str
        What it does.
    """

    name: str
    title: str
    low: float
    high: float
    step: float
    value: float
    about: str = ""
    short: str = ""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of a range, from one number to another, within 0 to 100 percent.

    Attributes
    ----------
    name, title, about : str
        As those of `Amount`.
    value : tuple of float
        Its ends in the unchanged picture.
    """

    name: str
    title: str
    value: tuple[float, float] = (25.0, 75.0)
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few things.

    Attributes
    ----------
    name, title, about : str
        As those of `Amount`.
    options : tuple of str
        What can be chosen.
    value : str
        What the unchanged picture shows.
    """

    name: str
    title: str
    options: tuple[str, ...]
    value: str
    about: str = ""


Change = Amount | Span | Choice
Values = Mapping[str, Any]


class Drawn(NamedTuple):
    """A picture.

    Attributes
    ----------
    image : Tensor
        uint8 (3, H, W), or floating point in [0, 1].
    mask : Tensor or None
        Soft mask of the object, uint8 (1, H, W), 255 on the object; None if it is not known.
    """

    image: Tensor
    mask: Tensor | None = None


class Scene:
    """A picture that can be drawn in another way; base of all scenes.

    Attributes
    ----------
    changes : tuple of Amount, Span or Choice
        What can be changed.
    path : str
        Name of the `Amount` whose path is shown first.
    """

    @property
    def path(self) -> str:
        """Name of the `Amount` whose path is shown first; empty if there is none."""
        return ""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What can be changed; nothing by default."""
        return ()

    def draw(self, values: Values) -> Drawn:
        """Draw the picture.

        Parameters
        ----------
        values : mapping
            Values by name; what is left out stays as it is.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Photograph(Scene):
    """A picture that is what it is; `e2kd_lab.data.edits` can change its pixels.

    Attributes
    ----------
    image : Tensor
        uint8 (3, H, W).
    mask : Tensor or None
        uint8 (1, H, W).

    Examples
    --------
    >>> import torch
    >>> Photograph(torch.zeros(3, 8, 8, dtype=torch.uint8)).draw({}).image.shape
    torch.Size([3, 8, 8])
    """

    image: Tensor
    mask: Tensor | None = None

    def draw(self, values: Values) -> Drawn:
        """See `Scene.draw`."""
        return Drawn(tv_tensors.Image(self.image), None if self.mask is None else tv_tensors.Mask(self.mask))


@dataclass(frozen=True)
class Resized(Scene):
    """A scene as a network sees it.

    Attributes
    ----------
    scene : Scene
        The scene.
    transform : callable
        Takes a dictionary of ``image`` and ``mask``.

    Examples
    --------
    >>> import torch
    >>> from e2kd_lab.data.transforms import eval_transform
    >>> Resized(Photograph(torch.zeros(3, 8, 8, dtype=torch.uint8)), eval_transform(4, 4)).draw({}).image.shape
    torch.Size([3, 4, 4])
    """

    scene: Scene
    transform: Callable[[Any], Any]

    @property
    def changes(self) -> tuple[Change, ...]:
        """See `Scene.changes`."""
        return self.scene.changes

    @property
    def path(self) -> str:
        """See `Scene.path`."""
        return self.scene.path

    def draw(self, values: Values) -> Drawn:
        """See `Scene.draw`."""
        drawn = self.scene.draw(values)
        pictures = {"image": drawn.image} | ({} if drawn.mask is None else {"mask": drawn.mask})
        seen = self.transform(pictures)
        return Drawn(seen["image"], seen.get("mask"))
