"""Pictures of answers for the screen are those that are drawn from nothing, whatever was drawn before."""

import pytest
import torch

from e2kd_lab.explanations import Comparison
from e2kd_lab.figures import figure_options
from e2kd_lab.figures.answers import Answers
from e2kd_lab.figures.export import screen_png
from e2kd_lab.figures.live_answers import LiveAnswers
from e2kd_lab.figures.path_strip import path_strip
from e2kd_lab.figures.what_if import what_if

METHODS = {"Teacher": "teacher", "KD, τ = 1": "kd", "e²KD, τ = 1": "e2kd"}
STEPS = [0.0, 0.5, 1.0]


def answers(seed, *, count=1, classes=4, names=tuple(METHODS), explained=0):
    drawn = torch.Generator().manual_seed(seed)
    scale = 10.0 ** (seed % 3)  # the colour scale is another one each time
    maps = {name: scale * torch.rand(count, 1, 8, 8, generator=drawn) ** (1 + seed) for name in names}
    seen = Comparison(torch.rand(count, 3, 8, 8, generator=drawn), maps, {}, "the class a")
    shares = {name: (5 * torch.rand(count, classes, generator=drawn)).softmax(1) for name in names}
    return Answers([seen], shares, {name: METHODS[name] for name in names}, list("abcdefgh")[:classes], explained)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_does_not_depend_on_those_before(theme):
    live = LiveAnswers()
    with figure_options(theme=theme):
        for seed, point in enumerate([None, (0.2, 0.9), None, (0.5, 0.5), (1.0, 0.0)]):
            now = answers(seed)
            assert live.what_if(now, point=point) == screen_png(what_if(now, point=point)), seed


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_strip_does_not_depend_on_those_before(theme):
    live = LiveAnswers()
    with figure_options(theme=theme):
        for seed in range(4):
            now = answers(seed, count=len(STEPS))
            assert live.path_strip(now, STEPS, what="Way") == screen_png(path_strip(now, STEPS, what="Way")), seed


def test_another_layout_is_drawn_anew():
    live = LiveAnswers()
    for change in ({"names": ("Teacher",)}, {"explained": 1}, {"classes": 2}, {}, {"classes": 2}):
        now = answers(0, **change)
        assert live.what_if(now) == screen_png(what_if(now)), change
    with figure_options(font_size=9.0):
        assert live.what_if(answers(0)) == screen_png(what_if(answers(0)))
