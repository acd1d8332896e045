import json

import pytest
import torch
from golden_weights import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.metrics import energy_pointing_game, epg_iou, explanation_iou

NUMBERS = json.loads((GOLDEN / "localisation.json").read_text())
CASES = NUMBERS["epg_iou"]
BOTH = pytest.mark.parametrize("measure", [energy_pointing_game, explanation_iou])


def maps_and_masks(pairs=5, height=6, width=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(pairs, height, width, generator=generator, dtype=torch.float64)
    # Some without negative values, so that the smallest contribution is not zero.
    maps = torch.where(torch.arange(pairs)[:, None, None] % 3 == 1, maps.abs() + 0.1, maps)
    return maps, torch.rand(pairs, height, width, generator=generator) < 0.4


def mask_of(boxes, height, width):
    mask = torch.zeros(height, width, dtype=torch.bool)
    for x1, y1, x2, y2 in boxes:
        mask[y1:y2, x1:x2] = True
    return mask


def written_out(e, b, threshold):
    """EPG and IoU of one map, pixel by pixel, in the words of their definitions."""
    values = [max(value, 0) for row in e.tolist() for value in row]
    inside = [value for row in b.tolist() for value in row]
    total, low, high = sum(values), min(values), max(values)
    epg = sum(v for v, i in zip(values, inside, strict=True) if i) / total if total >= 1e-7 else 0
    if high == 0:
        normalised = values
    elif high - low < 1e-7:
        normalised = [v / high for v in values]
    else:
        normalised = [(v - low) / (high - low) for v in values]
    found = [v > threshold for v in normalised]
    union = sum(f or i for f, i in zip(found, inside, strict=True))
    return epg, sum(f and i for f, i in zip(found, inside, strict=True)) / union if union else 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_equals_the_reference_programs_numbers(case, dtype):
    maps = torch.tensor([case["attr"]], dtype=dtype)
    masks = mask_of(case["boxes_xyxy"], *maps.shape[1:])[None]
    precise = 1e-9 if dtype == torch.float64 else 1e-6
    assert energy_pointing_game(maps, masks).item() == pytest.approx(case["epg"], rel=precise)
    assert explanation_iou(maps, masks).item() == pytest.approx(case["iou@0.05"], rel=1e-6)
    assert explanation_iou(maps, masks, threshold=0.5).item() == pytest.approx(case["iou@0.5"], rel=1e-6)


def test_means_over_all_cases_equal_the_reference_programs():
    epg, iou = [], []
    for case in CASES:
        maps = torch.tensor([case["attr"]], dtype=torch.float64)
        masks = mask_of(case["boxes_xyxy"], *maps.shape[1:])[None]
        epg.append(energy_pointing_game(maps, masks).item())
        iou.append(explanation_iou(maps, masks, threshold=0.5).item())
    assert sum(epg) / len(epg) == pytest.approx(NUMBERS["means"]["epg"], rel=1e-9)
    assert sum(iou) / len(iou) == pytest.approx(NUMBERS["means"]["iou@0.5"], rel=1e-6)


@given(
    pairs=st.integers(1, 9),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    threshold=st.floats(0, 0.99),
    seed=st.integers(0, 99),
)
def test_equal_a_plain_loop(pairs, height, width, threshold, seed):
    maps, masks = maps_and_masks(pairs, height, width, seed)
    expected = [written_out(e, b, threshold) for e, b in zip(maps, masks, strict=True)]
    assert energy_pointing_game(maps, masks).tolist() == pytest.approx([epg for epg, _ in expected], rel=1e-12)
    assert explanation_iou(maps, masks, threshold).tolist() == pytest.approx([iou for _, iou in expected], rel=1e-12)


@BOTH
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_ignore_scale_flips_and_negative_values_and_go_row_by_row(measure, scale, seed):
    maps, masks = maps_and_masks(seed=seed)
    values = measure(maps, masks)
    assert values.shape == (5,)
    assert values.min() >= 0
    assert values.max() <= 1
    order = torch.randperm(len(maps))
    torch.testing.assert_close(measure(scale * maps, masks), values)
    torch.testing.assert_close(measure(maps.flip(2), masks.flip(2)), values)
    torch.testing.assert_close(measure(maps.mT, masks.mT), values)
    torch.testing.assert_close(measure(maps.relu(), masks), values)
    torch.testing.assert_close(measure(maps[order], masks[order]), values[order])
    torch.testing.assert_close(measure(maps[:, None], masks[:, None].float()), values)


@given(seed=st.integers(0, 99))
def test_energy_inside_and_outside_make_up_the_whole(seed):
    maps, masks = maps_and_masks(seed=seed)
    torch.testing.assert_close(
        energy_pointing_game(maps, masks) + energy_pointing_game(maps, ~masks), torch.ones(5, dtype=torch.float64)
    )


@given(low=st.floats(0, 0.9), step=st.floats(0, 0.09), seed=st.integers(0, 99))
def test_a_higher_threshold_finds_fewer_pixels(low, step, seed):
    maps, _ = maps_and_masks(seed=seed)
    everywhere = torch.ones_like(maps)  # then the intersection over union is the share of pixels found
    assert (explanation_iou(maps, everywhere, low + step) <= explanation_iou(maps, everywhere, low)).all()


@BOTH
def test_a_map_that_is_the_mask_scores_one(measure):
    _, masks = maps_and_masks()
    assert measure(2.0 * masks, masks).tolist() == [1] * 5


@BOTH
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_dead_maps_and_empty_masks_score_zero(measure, value):
    maps, masks = maps_and_masks()
    assert measure(torch.full_like(maps, value), masks).tolist() == [0] * 5
    assert measure(maps, torch.zeros_like(masks)).tolist() == [0] * 5


@BOTH
def test_a_nan_is_not_hidden(measure):
    maps, masks = maps_and_masks()
    maps[2, 1, 1] = torch.nan
    assert measure(maps, masks).isnan().tolist() == [False, False, True, False, False]


@BOTH
def test_chunks_change_nothing(measure, monkeypatch):
    maps, masks = maps_and_masks(pairs=11)
    whole = measure(maps, masks)
    for pixels in (1, 3 * 42, 4 * 42 + 5):
        monkeypatch.setitem(epg_iou._PIXELS_AT_ONCE, "cpu", pixels)
        assert torch.equal(measure(maps, masks), whole)


@BOTH
def test_no_pairs_give_no_values(measure):
    assert measure(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4)).shape == (0,)


@BOTH
def test_needs_no_gradient_and_computes_halves_in_float32(measure):
    maps, masks = maps_and_masks()
    values = measure(maps.float().requires_grad_(), masks)
    assert not values.requires_grad
    halves = measure(maps.half(), masks)
    assert halves.dtype == torch.float32
    torch.testing.assert_close(halves, values, atol=5e-2, rtol=0)


@BOTH
def test_refuse_other_shapes(measure):
    with pytest.raises(ValueError, match=r"got \(2, 6, 4, 4\) and \(2, 4, 4\)"):
        measure(torch.zeros(2, 6, 4, 4), torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match=r"got \(2, 4, 4\) and \(1, 4, 4\)"):
        measure(torch.zeros(2, 4, 4), torch.zeros(1, 4, 4))


def test_refuses_a_threshold_that_nothing_or_everything_passes():
    for threshold in (1.0, -0.1):
        with pytest.raises(ValueError, match=rf"threshold in \[0, 1\), got {threshold}"):
            explanation_iou(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), threshold)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: computing on a GPU is not tested")
@BOTH
def test_are_the_same_on_cuda(measure):
    maps, masks = maps_and_masks(pairs=40)
    values = measure(maps.cuda(), masks.cuda())
    assert values.device.type == "cuda"
    torch.testing.assert_close(values.cpu(), measure(maps, masks))
