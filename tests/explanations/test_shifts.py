"""Explanations under shifts: crops, curves, and what vision transformers and CNNs do without any training."""

import pytest
import torch
from torch.nn import functional as F

from e2kd_lab import build_model, explain
from e2kd_lab.explanations import compare_shifted, evidence_maps, shift_curve, shifted_crops
from e2kd_lab.explanations.shifts import similarities
from e2kd_lab.metrics import estimate_period
from e2kd_lab.models import bcos_densenet, bcos_resnet, vit

SHIFTS = range(33)
WHOLE, BETWEEN = [8, 16, 24, 32], [shift for shift in SHIFTS if shift % 8]


def pictures(count=4, side=96):
    """Smooth pictures with some grain."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=generator)
    grain = 0.2 * torch.rand(count, 3, side, side, generator=generator)
    return (0.8 * F.interpolate(coarse, size=side, mode="bilinear") + grain).double()


def network(name, seed=0):
    torch.manual_seed(seed)
    return build_model(name, 10).double().eval()


def evidence(model, images, classes=None):
    explanation = explain(model, images, classes)
    return evidence_maps(model, images, explanation.maps), explanation.classes


def without_positions(patch):
    patch.setattr(vit, "position_features", lambda rows, columns, dim: torch.zeros(rows * columns, dim))


def test_crops_move_the_content_to_the_bottom_right():
    images = torch.rand(2, 3, 24, 28)
    unshifted, shifted = shifted_crops(images, 16, 0), shifted_crops(images, 16, 5)
    assert shifted.shape == (2, 3, 16, 16)
    assert torch.equal(shifted[..., 5:, 5:], unshifted[..., :11, :11])
    assert torch.equal(shifted_crops(images, 16, 8)[..., 0, :], images[..., 0, 4:20])
    for shift in (-1, 9):
        with pytest.raises(ValueError, match=f"24 x 28 can be shifted by 0 to 8 pixels, got {shift}"):
            shifted_crops(images, 16, shift)


@pytest.mark.parametrize("name", ["bcos_resnet_mini", "resnet_mini"])
def test_curve_explains_one_class_at_all_shifts(name):
    model, images = network(name), pictures(3, 48)
    curve = shift_curve(model, images, size=32, shifts=(0, 3, 16))
    before, classes = evidence(model, images[..., 16:, 16:])
    after, _ = evidence(model, images[..., 13:45, 13:45], classes)
    expected = F.cosine_similarity(before[:, :29, :29].flatten(1), after[:, 3:, 3:].flatten(1))
    torch.testing.assert_close(curve[:, 1], expected)
    torch.testing.assert_close(curve[:, 0], torch.ones(3, dtype=torch.float64))
    assert not curve.requires_grad
    torch.testing.assert_close(shift_curve(model, images[1:2], size=32, shifts=(16,))[0, 0], curve[1, 2])
    given = shift_curve(model, images, size=32, shifts=(3,), classes=(classes + 1) % 10)
    assert given.shape == (3, 1)
    if name == "bcos_resnet_mini":
        assert not torch.allclose(given[:, 0], curve[:, 1])
    assert shift_curve(model, images, size=32, shifts=()).shape == (3, 0)


@pytest.mark.parametrize("roll", [(8, 8), (16, 40), (8, 0)])
def test_without_positions_a_vit_moves_its_explanation_with_the_patches(roll):
    # The image is rolled like a torus: the same tokens in another order, and nothing new at the edges.
    model, images = network("bcos_vit_mini"), pictures(side=64)
    rolled = images.roll(roll, (2, 3))
    before, classes = evidence(model, images)
    with_positions = F.cosine_similarity(
        evidence(model, rolled, classes)[0].flatten(1), before.roll(roll, (1, 2)).flatten(1)
    )
    with pytest.MonkeyPatch.context() as patch:
        without_positions(patch)
        before, classes = evidence(model, images)
        after, _ = evidence(model, rolled, classes)
    assert (after - before.roll(roll, (1, 2))).abs().max() < 1e-12 * before.abs().max()
    # Position features, which stay where they are, change it a little.
    assert with_positions.min() > 0.98
    assert with_positions.max() < 1 - 1e-6


def test_half_a_patch_is_no_symmetry_of_a_vit(monkeypatch):
    model, images = network("bcos_vit_mini"), pictures(side=64)
    without_positions(monkeypatch)
    before, classes = evidence(model, images)
    after, _ = evidence(model, images.roll((4, 4), (2, 3)), classes)
    assert F.cosine_similarity(after.flatten(1), before.roll((4, 4), (1, 2)).flatten(1)).abs().max() < 0.6


def test_what_moves_in_is_seen_through_attention_alone(monkeypatch):
    # Crops by whole patches keep the tokens of the shared area. The head then differs in one factor for all of them,
    # so that without positions only the attention can tell that other tokens are new.
    model, images = network("bcos_vit_mini"), pictures()
    without_positions(monkeypatch)
    attended = shift_curve(model, images, size=64, shifts=WHOLE)
    assert (1 - attended).min() > 1e-6
    assert attended.min() > 0.9
    monkeypatch.setattr(vit.Attention, "forward", lambda self, tokens: torch.zeros_like(tokens))
    alone = shift_curve(model, images, size=64, shifts=[*WHOLE, *BETWEEN])
    torch.testing.assert_close(alone[:, :4], torch.ones_like(alone[:, :4]), atol=1e-12, rtol=0)
    assert alone[:, 4:].max() < 0.9


@pytest.mark.parametrize("seed", range(2))
def test_a_vit_that_learned_nothing_has_the_period_of_its_patches(seed):
    curve = shift_curve(network("bcos_vit_mini", seed), pictures(), size=64, shifts=SHIFTS).mean(0)
    assert curve[WHOLE].min() > 0.98
    assert curve[BETWEEN].max() < 0.5
    found = estimate_period(curve)
    assert found.period == 8
    assert found.strength > 0.95


def with_plain_strides(monkeypatch):
    for module in (bcos_densenet, bcos_resnet):
        monkeypatch.setattr(module, "smooth_strides", lambda model: model)


CNNS = [("bcos_densenet_mini", 4), ("bcos_densenet_mini_deep", 8), ("bcos_resnet_mini", 8)]


@pytest.mark.parametrize(("name", "strides"), CNNS)
def test_a_cnn_with_plain_strides_has_a_period_that_divides_them(monkeypatch, name, strides):
    with_plain_strides(monkeypatch)
    curve = shift_curve(network(name), pictures(2), size=64, shifts=SHIFTS).mean(0)
    found = estimate_period(curve)
    assert strides % found.period == 0
    assert found.strength > 0.9


@pytest.mark.parametrize("name", [name for name, _ in CNNS])
def test_smooth_strides_change_less_by_one_pixel(monkeypatch, name):
    images = pictures(2)
    smooth = shift_curve(network(name), images, size=64, shifts=(1,)).min()
    with_plain_strides(monkeypatch)
    plain = shift_curve(network(name), images, size=64, shifts=(1,)).max()
    assert smooth > plain + 0.2


def test_comparison_holds_each_image_at_all_shifts():
    models = {name: network("bcos_resnet_mini", seed) for seed, name in enumerate(("teacher", "kd"))}
    images, shifts = pictures(2, 40), (0, 3, 8)
    compared = compare_shifted(models, images, size=32, shifts=shifts, titles=("mug", "car"))
    assert len(compared) == 6
    assert compared.titles == ("mug", "mug ↘ 3 px", "mug ↘ 8 px", "car", "car ↘ 3 px", "car ↘ 8 px")
    assert torch.equal(compared.images[4], shifted_crops(images, 32, 3)[1])
    assert compared.correct["teacher"][[0, 3]].all()  # without labels: whether it predicts the explained class
    classes = explain(models["teacher"], shifted_crops(images, 32, 0)).classes
    for name, model in models.items():
        maps = explain(model, shifted_crops(images, 32, 8), classes).maps
        torch.testing.assert_close(compared.maps[name][[2, 5]], maps)
        curve = shift_curve(model, images, size=32, shifts=shifts, classes=classes)
        torch.testing.assert_close(similarities(compared, shifts)[name], curve)
    labelled = compare_shifted(models, images, (classes + 1) % 10, size=32, shifts=shifts)
    assert not labelled.correct["teacher"][[0, 3]].any()
    assert labelled.titles[:2] == ("", "↘ 3 px")
    with pytest.raises(ValueError, match="at least one shift"):
        compare_shifted(models, images, size=32, shifts=())


def test_gradcam_is_compared_as_it_is():
    models = {"teacher": network("resnet_mini")}
    compared = compare_shifted(models, pictures(2, 40), size=32, shifts=(0, 8))
    expected = shift_curve(models["teacher"], pictures(2, 40), size=32, shifts=(0, 8))
    torch.testing.assert_close(similarities(compared, (0, 8))["teacher"], expected)
