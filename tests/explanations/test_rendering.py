"""Pictures of B-cos explanations: the reference program's pixels, batches, and what is refused."""

import numpy as np
import pytest
import torch
from golden_weights import GOLDEN, fill, images, relative

from e2kd_lab import build_model, explain
from e2kd_lab.explanations.rendering import (
    as_pil,
    bcos_rgba,
    heat_overlay,
    over_white,
    signed_colours,
    smoothing,
    unit_norm,
)


@pytest.mark.parametrize("smooth", [0, 15])
def test_picture_equals_the_reference_programs(smooth):
    model = fill(build_model("bcos_resnet18", 10), 1000, bcos=True)
    weights, inputs = explain(model, images(64)).maps, model.preprocess(images(64))
    picture = bcos_rgba(inputs, weights, smooth=smooth)
    golden = np.load(GOLDEN / "bcos_resnet18.npz")[f"rgba_sample0_smooth{smooth}"]
    assert picture.shape == (2, 64, 64, 4)
    assert relative(picture[0], golden) < 1e-5
    alone = bcos_rgba(inputs[1:], weights[1:], smooth=smooth)
    torch.testing.assert_close(alone[0], picture[1])  # a batch changes nothing


def test_one_scale_for_several_pictures():
    torch.manual_seed(0)
    inputs, weights = torch.rand(1, 6, 8, 8), torch.randn(1, 6, 8, 8)
    strong, weak = (bcos_rgba(inputs, factor * weights, vmax=3.0)[..., 3] for factor in (1.0, 0.5))
    shown = (strong > 1e-6) & (strong < 1)
    torch.testing.assert_close(weak[shown], 0.5 * strong[shown])


def test_pixels_that_speak_against_the_class_are_white():
    inputs, weights = torch.ones(1, 6, 4, 4), torch.ones(1, 6, 4, 4)
    weights[..., :2] = -1
    picture = over_white(bcos_rgba(inputs, weights))
    np.testing.assert_allclose(picture[:, :, :2], 1, atol=1e-6)
    np.testing.assert_allclose(picture[:, :, 2:], 0.5, atol=1e-6)


def test_signed_colours_are_white_at_zero_and_symmetric():
    maps = torch.tensor([[[[-9.0, -1.0, 0.0, 1.0, 9.0]]]])
    row = signed_colours(maps, vmax=1.0)[0, 0]
    assert row[2].min() > 0.95
    np.testing.assert_array_equal(row[0], row[1])
    np.testing.assert_array_equal(row[3], row[4])
    assert row[4, 0] > row[4, 2]  # red for
    assert row[0, 2] > row[0, 0]  # blue against


def test_as_pil_keeps_size_and_mode():
    assert [p.mode for p in as_pil(torch.rand(2, 5, 7, 4))] == ["RGBA", "RGBA"]
    assert as_pil(np.ones((1, 5, 7, 3)))[0].size == (7, 5)


def test_smoothing_follows_the_papers_window():
    assert smoothing(224) == 15
    assert smoothing(64) == 5
    with pytest.raises(ValueError, match="odd window, got 4"):
        bcos_rgba(torch.rand(1, 6, 8, 8), torch.rand(1, 6, 8, 8), smooth=4)


def test_unit_norm_and_heat():
    maps = torch.rand(2, 1, 8, 8)
    maps[1] = 0
    normed = unit_norm(maps)
    assert normed[0].norm().item() == pytest.approx(1, abs=1e-6)
    assert normed[1].abs().max() == 0
    pictures = heat_overlay(torch.rand(2, 3, 8, 8), normed, vmax=0.2)
    assert pictures.shape == (2, 8, 8, 3)
    assert 0 <= pictures.min() <= pictures.max() <= 1
