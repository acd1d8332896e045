"""Pictures of answers for the screen, redrawn in an instant: what stays is drawn once for each layout."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from e2kd_lab.figures.answers import Answers
from e2kd_lab.figures.blitting import Blitting
from e2kd_lab.figures.export import SCREEN_DPI
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.path_strip import PathStrip
from e2kd_lab.figures.what_if import Point, WhatIf, likeliest

_KEPT = 4  # layouts of each kind


class LiveAnswers:
    """Screen pictures of `what_if` and `path_strip`, equal to those that are drawn from nothing.

    Examples
    --------
    >>> import torch
    >>> from e2kd_lab.explanations import Comparison
    >>> from e2kd_lab.figures.export import screen_png
    >>> from e2kd_lab.figures.what_if import what_if
    >>> seen = Comparison(torch.rand(1, 3, 8, 8), {"teacher": torch.rand(1, 1, 8, 8)}, {})
    >>> answers = Answers([seen], {"teacher": torch.tensor([[0.9, 0.1]])}, {"teacher": "teacher"}, ["land", "water"], 0)
    >>> LiveAnswers().what_if(answers) == screen_png(what_if(answers))
    True
    """

    def __init__(self) -> None:
        self._pictures: dict[Hashable, tuple[WhatIf, Blitting]] = {}
        self._strips: dict[Hashable, tuple[PathStrip, Blitting]] = {}

    def what_if(self, answers: Answers, *, contributions: bool = False, point: Point | None = None) -> bytes:
        """PNG of `what_if`."""
        key = _layout(answers), tuple(likeliest(answers)), contributions
        if key in self._pictures:
            self._pictures[key][0].look(answers, point)
        else:
            _keep(self._pictures, key, WhatIf(answers, contributions=contributions, point=point))
        return _png(*self._pictures[key])

    def path_strip(self, answers: Answers, steps: Sequence[float], *, what: str, contributions: bool = False) -> bytes:
        """PNG of `path_strip`."""
        key = _layout(answers), tuple(steps), what, contributions
        if key in self._strips:
            self._strips[key][0].look(answers)
        else:
            _keep(self._strips, key, PathStrip(answers, steps, what=what, contributions=contributions))
        return _png(*self._strips[key])


def _png(picture: WhatIf | PathStrip, blitting: Blitting) -> bytes:
    blitting.moving = picture.moving  # colours of scales are other artists after each change
    return blitting.png()


def _layout(answers: Answers) -> Hashable:
    """All that the places and words of a figure depend on."""
    kinds = tuple((one.method, one.family, one.explained, tuple(one.maps)) for one in answers.comparisons)
    words = tuple(answers.probabilities), tuple(answers.methods.items()), tuple(answers.classes), answers.explained
    return kinds, words, current_options()


def _keep(known: dict[Hashable, tuple[Any, Blitting]], key: Hashable, picture: WhatIf | PathStrip) -> None:
    while len(known) >= _KEPT:
        known.pop(next(iter(known)))
    picture.figure.dpi = SCREEN_DPI
    known[key] = picture, Blitting(picture.figure, picture.moving)
