"""Explanations of teacher and students side by side (Fig. 1, 2, A1 to A4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.blitting import Blitting
from e2kd_lab.figures.explanation_sheet import BETWEEN, Sheet
from e2kd_lab.figures.explanations import Place, draw_objects, mark, set_mark
from e2kd_lab.figures.map_pictures import Pictures, changing_parts, colour_bar, pictures_of, show_scale
from e2kd_lab.figures.options import FigureOptions, current_options
from e2kd_lab.figures.picture_sheet import canvas
from e2kd_lab.figures.style import new_figure, styled


def explanation_comparison(
    comparison: Comparison | Sequence[Comparison], *, side_by_side: int = 2, contributions: bool = False
) -> Figure:
    """Rows of image, teacher's and students' explanations, each prediction marked as correct or incorrect.

    Each map is divided by its L2 norm, because the explanation loss compares directions only. All networks of a family
    share one colour scale.

    Parameters
    ----------
    comparison : Comparison, or sequence of Comparison
        N images and their maps; networks are named by method. Several comparisons of the same images, for instance one
        per family of networks, stand side by side.
    side_by_side : int
        Images per row of the figure, each with all its maps; fewer where the networks' names would touch, or as
        `e2kd_lab.figures.FigureOptions` says, which also sets colours and opacity.
    contributions : bool
        Show each pixel's contribution to the logit instead of W(x), for B-cos networks.

    Returns
    -------
    Figure
        A row of column titles, the pictures, and a colour bar for each family.

    Examples
    --------
    >>> import torch
    >>> maps = {"teacher": torch.rand(2, 1, 8, 8), "kd": torch.rand(2, 1, 8, 8)}
    >>> right = {name: torch.tensor([True, False]) for name in maps}
    >>> figure = explanation_comparison(Comparison(torch.rand(2, 3, 8, 8), maps, right))
    >>> len(figure.axes[0].images)
    6
    """
    return _Picture(_Content.of(comparison, side_by_side, contributions)).figure


class LiveExplanations:
    """Pictures of `explanation_comparison` for the screen, redrawn faster where only the images change.

    Examples
    --------
    >>> import torch
    >>> right = {"teacher": torch.tensor([True])}
    >>> pages = [Comparison(torch.rand(1, 3, 8, 8), {"teacher": torch.rand(1, 1, 8, 8)}, right) for _ in range(2)]
    >>> live = LiveExplanations()
    >>> [live.png(page)[:4] for page in pages]
    [b'\x89PNG', b'\x89PNG']
    """

    def __init__(self) -> None:
        self._picture: _Picture | None = None

    def png(
        self, comparison: Comparison | Sequence[Comparison], *, side_by_side: int = 2, contributions: bool = False
    ) -> bytes:
        """Picture of a comparison, see `explanation_comparison`."""
        content = _Content.of(comparison, side_by_side, contributions)
        if self._picture is not None and self._picture.content.looks_like(content):
            self._picture.show(content)
        else:
            self._picture = _Picture(content)
        return self._picture.png()


@dataclass(frozen=True)
class _Content:
    """What is shown, where, and with which options."""

    parts: Sequence[Comparison]
    families: Sequence[Pictures]
    sheet: Sheet
    options: FigureOptions

    @classmethod
    def of(cls, comparison: Comparison | Sequence[Comparison], side_by_side: int, contributions: bool) -> _Content:
        parts = [comparison] if isinstance(comparison, Comparison) else list(comparison)
        families = [pictures_of(part, contributions) for part in parts]
        return cls(parts, families, Sheet.of(parts[0], families, side_by_side), current_options())

    def looks_like(self, other: _Content) -> bool:
        """Whether nothing but images, maps, titles, marks and the ends of colour scales differs."""
        return self._look == other._look

    @property
    def _look(self) -> tuple[Any, ...]:
        labels = [(family.label, family.family) for family in self.families]
        return self.sheet, len(self.parts[0]), len(self.parts[0].titles), labels, self.options

    def images(self) -> Iterator[tuple[np.ndarray, bool | None]]:
        """Pictures from left to right, image by image, and whether a network's prediction is correct."""
        for number in range(len(self.parts[0])):
            if not self.sheet.maps_only:
                yield self.parts[0].images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy(), None
            for family in self.families:
                for name, pictures in family.pictures.items():
                    yield pictures[number], bool(family.comparison.correct[name][number])


class _Picture:
    """The figure, and its parts that other images change."""

    def __init__(self, content: _Content) -> None:
        self.content, sheet = content, content.sheet
        self._images: list[AxesImage] = []
        self._frames: list[Rectangle] = []
        self._marks: list[Text] = []
        self._titles: list[Text] = []
        self._objects: list[Artist] = []
        pictures, several = content.images(), len(content.families) > 1
        with styled():
            self.figure = new_figure(sheet.height, placed=True)
            self._axis = canvas(self.figure)
            for number in range(len(content.parts[0])):
                self._draw(number, pictures)  # takes those of this image
            if several:
                _name_families(self.figure, content.families, sheet)
            self._bars = [
                colour_bar(self.figure, family, left, sheet.bottom - 0.1, width, several=several)
                for family, (left, width) in zip(content.families, sheet.bars, strict=True)
            ]
        self._blitting: Blitting | None = None

    def _draw(self, number: int, pictures: Iterator[tuple[np.ndarray, bool | None]]) -> None:
        """Draw an image and its maps."""
        axis, sheet, shown, places = self._axis, self.content.sheet, self.content.parts[0], self._places(number)
        if shown.titles:
            up = 1 + BETWEEN / sheet.tall
            self._titles.append(places[0].write(axis, 0, up, shown.titles[number], va="bottom", ha="left"))
        for place, (picture, correct) in zip(places, pictures, strict=False):
            self._images.append(place.show(axis, picture))
            if correct is not None:
                self._frames.append(place.frame(axis))
                self._marks.append(mark(axis, place, correct))
        self._objects += draw_objects(axis, places, shown, number)
        if number < sheet.side_by_side:
            _name_columns(axis, places, sheet)

    def show(self, content: _Content) -> None:
        """Show other content that looks alike."""
        self.content, shown = content, content.parts[0]
        pictures, signs = zip(*content.images(), strict=True)
        with styled(content.options):
            for image, picture in zip(self._images, pictures, strict=True):
                image.set_data(picture)
            for sign, correct in zip(self._marks, (one for one in signs if one is not None), strict=True):
                set_mark(sign, correct)
            if [text.get_text() for text in self._titles] != list(shown.titles):
                for text, title in zip(self._titles, shown.titles, strict=True):
                    text.set_text(title)
                if self._blitting is not None:
                    self._blitting.forget()
            for artist in self._objects:
                artist.remove()
            self._objects = []
            for number in range(len(shown)):
                self._objects += draw_objects(self._axis, self._places(number), shown, number)
            for bar, family in zip(self._bars, content.families, strict=True):
                show_scale(bar, family)

    def png(self) -> bytes:
        """The figure for the screen; only what other images change is drawn again."""
        if self._blitting is None:
            self._blitting = Blitting(self.figure, [], changing=self._titles)
        scales = [part for bar in self._bars for part in changing_parts(bar)]
        self._blitting.moving = [*self._images, *self._frames, *self._objects, *self._marks, *scales]
        return self._blitting.png()

    def _places(self, number: int) -> list[Place]:
        """Places of an image and its maps."""
        return [Place(*place) for place in self.content.sheet.places(number)]


def _name_columns(axis: Axes, places: Sequence[Place], sheet: Sheet) -> None:
    """Write the names of image and networks above the words of the first row."""
    style: dict[str, Any] = {"rotation": 90 if sheet.turned else 0, "va": "bottom", "ha": "center"}
    for place, title in zip(places, sheet.titles, strict=True):
        place.write(axis, 0.5, 1 + sheet.line / sheet.tall, title, **style)


def _name_families(figure: Figure, families: Sequence[Pictures], sheet: Sheet) -> None:
    start = 0 if sheet.maps_only else 1
    for family in families:
        end = start + len(family.pictures)
        middle = (sheet.left(start) + sheet.left(end - 1) + sheet.cell) / 2
        figure.text(middle / sheet.width, 1 - 0.03 / sheet.height, family.family, ha="center", va="top")
        start = end
