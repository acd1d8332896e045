from dataclasses import replace

import numpy as np
import pytest
import torch
from figure_cases import comparison
from matplotlib.colors import to_rgba
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text

from e2kd_lab.explanations import Comparison
from e2kd_lab.figures import explanation_comparison, figure_bytes, figure_options
from e2kd_lab.figures.explanation_comparison import LiveExplanations
from e2kd_lab.figures.export import screen_png
from e2kd_lab.figures.style import BOX_COLOUR


def test_comparison_draws_every_map_on_one_scale():
    torch.manual_seed(0)
    maps = {name: torch.rand(3, 1, 16, 16) * scale for name, scale in (("teacher", 1), ("kd", 1e-3))}
    correct = {name: torch.tensor([True, True, False]) for name in maps}
    figure = explanation_comparison(Comparison(torch.rand(3, 3, 16, 16), maps, correct))
    assert figure_bytes(figure).startswith(b"\x89PNG")
    marks = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert marks.count("✓") == 4
    assert marks.count("✗") == 2


@pytest.mark.parametrize("contributions", [False, True])
def test_comparison_of_both_families_shows_all_networks_once(contributions):
    torch.manual_seed(0)
    images, correct = torch.rand(3, 3, 32, 32), torch.tensor([True, True, False])
    parts = []
    for family, explanation, channels in (("standard", "gradcam", 1), ("bcos", "bcos", 6)):
        maps = {name: torch.randn(3, channels, 32, 32) for name in ("teacher", "e2kd")}
        about = {"family": family, "explanation": explanation}
        parts.append(Comparison(images, maps, dict.fromkeys(maps, correct), **about))
    figure = explanation_comparison(parts, side_by_side=1, contributions=contributions)
    titles = [text.get_text() for text in figure.axes[0].texts if text.get_text() not in "✓✗"]
    assert titles == ["Image", "Teacher", "e²KD", "Teacher", "e²KD"]
    assert [text.get_text() for text in figure.texts] == ["Standard networks", "B-cos networks"]
    assert figure_bytes(figure).startswith(b"\x89PNG")


def test_a_comparison_is_drawn_once_when_saved(monkeypatch):
    maps = {"teacher": torch.rand(1, 1, 16, 16)}
    figure = explanation_comparison(Comparison(torch.rand(1, 3, 16, 16), maps, {"teacher": torch.tensor([True])}))
    drawn = []
    draw = figure.draw
    monkeypatch.setattr(figure, "draw", lambda renderer: (drawn.append(renderer), draw(renderer)))
    figure_bytes(figure)  # a second drawing would be to lay out what is placed by hand, and browsers would page slower
    assert len(drawn) == 1


def test_boxes_are_drawn_where_they_are_on_image_and_maps():
    maps = {name: torch.rand(1, 1, 16, 16) for name in ("teacher", "kd")}
    correct = {name: torch.tensor([True]) for name in maps}
    boxes = (torch.tensor([[2.0, 3.0, 10.0, 8.0]]),)
    figure = explanation_comparison(Comparison(torch.rand(1, 3, 16, 16), maps, correct, boxes=boxes), side_by_side=1)
    axis = figure.axes[0]
    drawn = [patch.get_bbox() for patch in axis.patches if patch.get_edgecolor() == to_rgba(BOX_COLOUR)]
    assert len(drawn) == 3
    for box, picture in zip(drawn, axis.images, strict=True):
        left, right, bottom, top = picture.get_extent()
        side = right - left
        assert top - bottom == pytest.approx(side)
        assert (box.x0 - left) / side == pytest.approx(2 / 16)
        assert (box.x1 - left) / side == pytest.approx(10 / 16)
        assert (top - box.y1) / side == pytest.approx(3 / 16)  # rows are counted from the top
        assert (top - box.y0) / side == pytest.approx(8 / 16)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (12, 24), (24, 12)])
def test_pictures_keep_their_shape(height, width):
    maps = {"teacher": torch.rand(3, 1, height, width)}
    right = {"teacher": torch.tensor([True, False, True])}
    images, masks = torch.rand(3, 3, height, width), torch.zeros(3, height, width, dtype=torch.bool)
    masks[:, 4:8, 4:8] = True
    boxes = (torch.tensor([[0, 0, width, height]]),) * 3
    figure = explanation_comparison(Comparison(images, maps, right, masks=masks, boxes=boxes))
    extents = [picture.get_extent() for picture in figure.axes[0].images]
    assert len(extents) == 6
    for left, end, bottom, top in extents:
        assert (top - bottom) / (end - left) == pytest.approx(height / width)
        assert 0 < left < end < figure.get_figwidth()
        assert 0 < bottom < top < figure.get_figheight()
    assert len({round(top, 3) for *_, top in extents}) == 2  # two rows, which do not overlap
    tops, bottoms = ({round(one[place], 3) for one in extents} for place in (3, 2))
    assert min(bottoms) < min(tops) < max(bottoms) < max(tops)


def test_an_outline_is_the_same_on_all_pictures_of_an_image():
    random = torch.Generator().manual_seed(0)
    masks = torch.rand(2, 20, 20, generator=random) > 0.5
    maps = {name: torch.rand(2, 1, 20, 20, generator=random) for name in ("teacher", "kd")}
    right = {name: torch.tensor([True, False]) for name in maps}
    (axis, _) = explanation_comparison(Comparison(torch.rand(2, 3, 20, 20), maps, right, masks=masks)).axes
    drawn = [one for one in axis.collections if isinstance(one, QuadContourSet)]
    assert len(drawn) == 2 * 3
    for number, contour in enumerate(drawn):
        left, right, bottom, top = axis.images[number].get_extent()
        across = left + (right - left) * (np.arange(20) + 0.5) / 20
        down = bottom + (top - bottom) * (1 - (np.arange(20) + 0.5) / 20)
        expected = Figure().subplots().contour(across, down, masks[number // 3].numpy(), [0.5])
        for path, other in zip(contour.get_paths(), expected.get_paths(), strict=True):
            np.testing.assert_allclose(path.vertices, other.vertices, rtol=0, atol=1e-9)
            assert path.codes.tolist() == other.codes.tolist()


def pages():
    """Comparisons that follow each other in a panel: other images, more of them, outlines, boxes, other networks."""
    torch.manual_seed(0)
    first = comparison(8)
    scaled = {name: maps * torch.rand(8, 1, 16, 16) ** 4 for name, maps in first.maps.items()}
    right = {name: ~correct for name, correct in first.correct.items()}
    masks = torch.zeros(8, 16, 16, dtype=torch.bool)
    masks[:7, 4:9, 3:12] = True
    outlined = replace(first, masks=masks)
    return [
        first,
        replace(first, images=1 - first.images, maps=scaled, correct=right, titles=first.titles[::-1]),
        outlined,
        replace(outlined, masks=masks.flip(2)),
        replace(first, boxes=(torch.tensor([[2.0, 3.0, 10.0, 8.0]]),) * 8),
        comparison(3),
        comparison(8, networks=("teacher", "at")),
        comparison(8, size=(12, 20)),
        [comparison(8), comparison(8, family="bcos")],
        comparison(8, family="bcos"),
        first,
    ]


@pytest.mark.parametrize("options", [{}, {"maps_only": True, "colour_map": "viridis"}, {"width": 3.25}])
def test_a_live_picture_is_that_of_its_page_drawn_from_nothing(options):
    live = LiveExplanations()
    with figure_options(**options):
        for page in pages():
            assert live.png(page) == screen_png(explanation_comparison(page))
            assert live.png(page, contributions=True) == screen_png(explanation_comparison(page, contributions=True))


def test_a_live_picture_draws_only_what_the_images_change(monkeypatch):
    live, whole, written = LiveExplanations(), [], []
    first, second, *_ = pages()
    live.png(first)
    draw, write = Figure.draw, Text.draw
    monkeypatch.setattr(Figure, "draw", lambda *values: (whole.append(values), draw(*values)))
    monkeypatch.setattr(Text, "draw", lambda text, *values: (written.append(text.get_text()), write(text, *values)))
    assert live.png(replace(second, titles=first.titles)) != live.png(first)
    assert not whole
    # The titles and the label of the colour scale are the same: only marks and numbers are written.
    assert {text for text in written if text.strip("0123456789.")} == {"✓", "✗"}
    live.png(second)
    assert set(second.titles) < set(written)
    with figure_options(opacity=0.5):
        live.png(first)
    assert len(whole) == 1
