"""Maps in other colours, over the image or alone: the sign stays, and one scale holds for all networks."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps

from e2kd_lab.explanations import Comparison
from e2kd_lab.figures import explanation_comparison, figure_options
from e2kd_lab.figures.map_pictures import pictures_of
from e2kd_lab.system.errors import LabNote


def comparison(explanation="gradcam", channels=1):
    generator = torch.Generator().manual_seed(0)
    maps = {name: torch.randn(2, channels, 8, 8, generator=generator) for name in ("teacher", "kd")}
    maps = maps if channels == 6 else {name: one.abs() for name, one in maps.items()}
    right = {name: torch.tensor([True, False]) for name in maps}
    return Comparison(torch.rand(2, 3, 8, 8, generator=generator), maps, right, explanation=explanation)


def test_a_diverging_colour_map_colours_signed_maps_with_zero_in_its_middle():
    with figure_options(colour_map="PuOr"):
        shown = pictures_of(comparison("bcos", 6), contributions=True)
        plain = pictures_of(comparison(), contributions=False)
    assert shown.scale.get_cmap().name == "PuOr"
    assert shown.scale.norm.vmin == -shown.scale.norm.vmax
    values = shown.comparison.method.evidence(shown.comparison.maps["kd"], shown.comparison.images)
    values = (values / values.flatten(1).norm(dim=1).view(-1, 1, 1, 1))[:, 0].numpy()
    expected = colormaps["PuOr"](0.5 + 0.5 * np.clip(values / shown.scale.norm.vmax, -1, 1))[..., :3]
    np.testing.assert_allclose(shown.pictures["kd"], expected, atol=1e-2)
    assert plain.scale.get_cmap().name == "inferno"  # positive maps keep theirs


def test_another_colour_map_colours_positive_maps_and_signed_ones_stay_signed():
    with figure_options(colour_map="viridis", opacity=1.0):
        shown = pictures_of(comparison(), contributions=False)
        signed = pictures_of(comparison("bcos", 6), contributions=True)
    assert shown.scale.get_cmap().name == "viridis"
    least = np.unravel_index(int(shown.comparison.maps["teacher"][0, 0].argmin()), (8, 8))
    np.testing.assert_allclose(shown.pictures["teacher"][0][least], colormaps["viridis"](0.0)[:3], atol=0.05)
    assert signed.scale.get_cmap().name == "RdBu_r"


def test_without_opacity_only_the_image_is_left():
    with figure_options(opacity=0.0):
        one, other = (pictures_of(comparison(), contributions=False).pictures[name] for name in ("teacher", "kd"))
    np.testing.assert_allclose(one, other)


def test_options_that_do_not_apply_are_said():
    with figure_options(opacity=0.5), pytest.warns(LabNote, match=r"do not apply to maps of W\(x\)"):
        pictures_of(comparison("bcos", 6), contributions=False)


def test_fewer_and_larger_columns_and_maps_without_images():
    usual = explanation_comparison(comparison())
    with figure_options(images_per_row=1, maps_only=True):
        larger = explanation_comparison(comparison())
    assert (len(usual.axes[0].images), len(larger.axes[0].images)) == (6, 4)
    widths = [
        figure.axes[0].images[0].get_extent()[1] - figure.axes[0].images[0].get_extent()[0]
        for figure in (usual, larger)
    ]
    assert widths[1] > 2.5 * widths[0]
