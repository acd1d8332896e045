import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from e2kd_lab.explanations import Comparison
from e2kd_lab.figures import explanation_comparison, figure_bytes
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
