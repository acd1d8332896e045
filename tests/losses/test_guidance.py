import json

import pytest
import torch
from golden_weights import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.losses import energy_guidance_loss, l1_guidance_loss
from e2kd_lab.metrics import energy_pointing_game

CASES = json.loads((GOLDEN / "localisation.json").read_text())["guidance_losses"]
BOTH = pytest.mark.parametrize("loss", [energy_guidance_loss, l1_guidance_loss])


def maps_and_masks(images=4, height=5, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(images, height, width, generator=generator, dtype=torch.float64)
    masks = torch.rand(images, height, width, generator=generator) < 0.4
    masks[:, 0, 0] = True  # none is empty
    return maps, masks


def mask_of(boxes, height, width):
    mask = torch.zeros(height, width, dtype=torch.bool)
    for x1, y1, x2, y2 in boxes:
        mask[y1:y2, x1:x2] = True
    return mask


def written_out(maps, masks):
    """Both losses, image by image and pixel by pixel."""
    energies, distances = [], []
    for e, b in zip(maps.tolist(), masks.tolist(), strict=True):
        pixels = [(max(value, 0), inside) for row in zip(e, b, strict=True) for value, inside in zip(*row, strict=True)]
        if any(inside for _, inside in pixels):
            total, peak = sum(value for value, _ in pixels), max(value for value, _ in pixels)
            energies.append(1 - sum(value for value, inside in pixels if inside) / (total if total >= 1e-7 else 1))
            distances.append(sum(abs(value / (peak or 1) - inside) for value, inside in pixels) / len(pixels))
    return sum(energies) / len(energies), sum(distances) / len(distances)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference_programs_numbers(case):
    maps = torch.tensor([case["attr"]], dtype=torch.float64)
    masks = mask_of(case["boxes_xyxy"], *maps.shape[1:])[None]
    assert energy_guidance_loss(maps, masks).item() == pytest.approx(case["Energy"], rel=1e-9)
    assert l1_guidance_loss(maps, masks).item() == pytest.approx(case["L1"], rel=1e-9)


@given(images=st.integers(1, 5), height=st.integers(1, 6), width=st.integers(1, 6), seed=st.integers(0, 99))
def test_equals_a_plain_loop(images, height, width, seed):
    maps, masks = maps_and_masks(images, height, width, seed)
    energy, distance = written_out(maps, masks)
    assert energy_guidance_loss(maps, masks).item() == pytest.approx(energy, rel=1e-12, abs=1e-12)
    assert l1_guidance_loss(maps, masks).item() == pytest.approx(distance, rel=1e-12, abs=1e-12)


@BOTH
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_ignores_scale_order_flips_and_negative_values(loss, scale, seed):
    maps, masks = maps_and_masks(seed=seed)
    value = loss(maps, masks)
    assert 0 <= value <= 1
    order = torch.randperm(len(maps))
    torch.testing.assert_close(loss(scale * maps, masks), value)
    torch.testing.assert_close(loss(maps[order], masks[order]), value)
    torch.testing.assert_close(loss(maps.flip(2), masks.flip(2)), value)
    torch.testing.assert_close(loss(maps.relu(), masks), value)
    torch.testing.assert_close(loss(maps[:, None], masks[:, None].double()), value)


def test_energy_loss_is_one_minus_the_energy_pointing_game():
    maps, masks = maps_and_masks()
    torch.testing.assert_close(energy_guidance_loss(maps, masks), 1 - energy_pointing_game(maps, masks).mean())


@BOTH
def test_a_map_that_is_the_mask_costs_nothing(loss):
    _, masks = maps_and_masks()
    assert loss(3.0 * masks, masks).item() == pytest.approx(0, abs=1e-6)
    assert loss(3.0 * ~masks, masks).item() == pytest.approx(1, abs=1e-6)


@BOTH
def test_first_and_second_derivatives_equal_finite_differences(loss):
    maps, masks = maps_and_masks(3, 3, 3)
    maps.requires_grad_()
    assert torch.autograd.gradcheck(lambda e: loss(e, masks), maps)
    assert torch.autograd.gradgradcheck(lambda e: loss(e, masks), maps)


@BOTH
def test_images_without_annotation_are_left_out(loss):
    maps, masks = maps_and_masks()
    maps.requires_grad_()
    masks[1] = False
    others = torch.tensor([0, 2, 3])
    value = loss(maps, masks)
    torch.testing.assert_close(value, loss(maps[others], masks[others]))
    (gradient,) = torch.autograd.grad(value, maps)
    assert gradient.flatten(1).count_nonzero(1).bool().tolist() == [True, False, True, True]
    nothing = loss(maps, torch.zeros_like(masks))
    assert nothing.item() == 0
    assert not torch.autograd.grad(nothing, maps)[0].any()


@BOTH
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_dead_map_has_no_gradient(loss, value):
    _, masks = maps_and_masks(1)
    dead = torch.full(masks.shape, value, requires_grad=True)
    result = loss(dead, masks)
    expected = 1 if loss is energy_guidance_loss else masks.float().mean().item()
    assert result.item() == pytest.approx(expected)
    assert not torch.autograd.grad(result, dead)[0].any()


def test_almost_dead_maps_do_not_explode():
    _, masks = maps_and_masks(1)
    faint = torch.full(masks.shape, 1e-12, requires_grad=True)
    (gradient,) = torch.autograd.grad(energy_guidance_loss(faint, masks), faint)
    assert gradient.abs().max() == 1


@BOTH
def test_halves_are_computed_in_float32(loss):
    maps, masks = maps_and_masks()
    assert loss(maps.half(), masks).dtype == torch.float32
    assert loss(maps.half(), masks).item() == pytest.approx(loss(maps, masks).item(), abs=1e-3)


@BOTH
def test_refuses_other_shapes(loss):
    with pytest.raises(ValueError, match=r"got \(2, 6, 4, 4\) and \(2, 4, 4\)"):
        loss(torch.zeros(2, 6, 4, 4), torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match=r"got \(2, 4, 4\) and \(1, 4, 4\)"):
        loss(torch.zeros(2, 4, 4), torch.zeros(1, 4, 4))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: computing on a GPU is not tested")
@BOTH
def test_is_the_same_on_cuda(loss):
    maps, masks = maps_and_masks()
    torch.testing.assert_close(loss(maps.cuda(), masks.cuda()).cpu(), loss(maps, masks))
