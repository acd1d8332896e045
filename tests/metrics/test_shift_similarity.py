import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from e2kd_lab.metrics import PeriodEstimate, estimate_period, shift_similarity


def written_out(before, after, shift):
    """Cosine of two maps on the shared area, pixel by pixel."""
    height, width = before.shape
    pairs = [
        (before[y, x].item(), after[y + shift, x + shift].item())
        for y in range(height - shift)
        for x in range(width - shift)
    ]
    norms = math.sqrt(sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs))
    return sum(a * b for a, b in pairs) / norms if norms else 0.0


def bumps(period, *, sharpness=2, seed=0, noise=0.0, low=0.2, height=0.5, decay=60.0, largest=32):
    """A decaying trend and a bump at every multiple of the period, 1 at T = 0."""
    shifts = torch.arange(largest + 1, dtype=torch.float64)
    bump = torch.cos(torch.pi * shifts / period).abs() ** sharpness
    generator = torch.Generator().manual_seed(seed)
    rough = noise * torch.randn(len(shifts), generator=generator, dtype=torch.float64)
    curve = (low + height * bump) * torch.exp(-shifts / decay) + rough
    curve[0] = 1
    return curve


@given(
    maps=st.integers(1, 3),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    shift=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_equals_a_plain_loop(maps, height, width, shift, seed):
    assume(shift < min(height, width))
    generator = torch.Generator().manual_seed(seed)
    before, after = torch.randn(2, maps, height, width, generator=generator, dtype=torch.float64)
    expected = [written_out(b, a, shift) for b, a in zip(before, after, strict=True)]
    assert shift_similarity(before, after, shift).tolist() == pytest.approx(expected, abs=1e-12)


@given(shift=st.integers(0, 7), seed=st.integers(0, 99))
def test_is_one_for_a_map_that_moves_with_its_image(shift, seed):
    scene = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(seed))
    before, after = scene[:, 8:, 8:], scene[:, 8 - shift : 16 - shift, 8 - shift : 16 - shift]
    ones = torch.ones(3)
    torch.testing.assert_close(shift_similarity(before, after, shift), ones)
    torch.testing.assert_close(shift_similarity(-3 * before, after, shift), -ones)
    if shift:
        assert shift_similarity(before, after, 0).max() < 0.9


def test_looks_at_the_shared_area_alone():
    before, after = torch.randn(2, 2, 8, 8)
    value = shift_similarity(before, after, 3)
    before[:, 5:], before[:, :, 5:], after[:, :3], after[:, :, :3] = 9, 9, 9, torch.nan
    torch.testing.assert_close(shift_similarity(before, after, 3), value)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_does_not_matter_and_dead_maps_are_zero(scale):
    before, after = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(shift_similarity(scale * before, after, 2), shift_similarity(before, after, 2))
    before[1] = 0
    after[2, 2:, 2:] = 0  # dead on the shared area only
    assert shift_similarity(before, after, 2)[1:].tolist() == [0, 0]


def test_a_nan_is_not_hidden_and_halves_are_computed_in_float32():
    before, after = torch.randn(2, 3, 8, 8)
    before[1, 0, 0] = torch.nan
    assert shift_similarity(before, after, 2).isnan().tolist() == [False, True, False]
    halves = shift_similarity(before.half(), after.half(), 2)
    assert halves.dtype == torch.float32
    torch.testing.assert_close(halves[0], shift_similarity(before, after, 2)[0], atol=5e-3, rtol=0)


def test_refuses_what_does_not_fit():
    maps = torch.zeros(2, 4, 5)
    with pytest.raises(ValueError, match=r"got \(2, 4, 5\) and \(1, 4, 5\)"):
        shift_similarity(maps, maps[:1], 0)
    with pytest.raises(ValueError, match=r"got \(2, 1, 4, 5\) and \(2, 1, 4, 5\)"):
        shift_similarity(maps[:, None], maps[:, None], 0)
    for shift in (-1, 4):
        with pytest.raises(ValueError, match=rf"shift in \[0, 4\).*4 x 5.*got {shift}"):
            shift_similarity(maps, maps, shift)
    with pytest.raises(ValueError, match=r"one curve.*got \(2, 33\)"):
        estimate_period(torch.zeros(2, 33))


@given(
    period=st.integers(2, 16),
    sharpness=st.sampled_from([1, 2, 6, 20]),
    low=st.floats(-0.2, 0.5),
    height=st.floats(0.2, 0.6),
    decay=st.floats(80, 1000),
    seed=st.integers(0, 999),
)
def test_finds_the_period_of_bumps_on_a_trend_and_no_multiple(period, sharpness, low, height, decay, seed):
    curve = bumps(period, sharpness=sharpness, low=low, height=height, decay=decay, seed=seed, noise=0.01 * height)
    found = estimate_period(curve)
    assert found.period == period
    assert found.strength > 0.8


@given(period=st.integers(2, 10), decay=st.floats(12, 40), seed=st.integers(0, 999))
def test_finds_the_period_of_bumps_that_fade(period, decay, seed):
    assert estimate_period(bumps(period, decay=decay, seed=seed, noise=0.01)).period == period


@given(period=st.integers(2, 7), seed=st.integers(0, 999))
def test_finds_short_periods_in_much_noise(period, seed):
    assert estimate_period(bumps(period, noise=0.04, seed=seed)).period == period


@pytest.mark.parametrize("period", [4, 8, 16])
def test_finds_the_periods_of_the_paper_at_its_scale(period):
    found = estimate_period(bumps(period, largest=64, noise=0.01))
    assert found.period == period
    assert found.swing == pytest.approx(0.5 * 60 / 64 * (1 - math.exp(-64 / 60)), rel=0.15)  # at its mean height


@given(level=st.floats(-1, 1), fall=st.floats(0, 1), decay=st.floats(0.3, 100), rough=st.floats(0, 0.004))
def test_smooth_curves_have_no_period(level, fall, decay, rough):
    shifts = torch.arange(33, dtype=torch.float64)
    noise = torch.randn(33, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for curve in (fall * torch.exp(-shifts / decay), fall / (1 + shifts / decay), -fall * shifts / 32):
        assert estimate_period(level + curve + rough * noise).period is None


def test_noise_rarely_has_a_period_and_a_weak_one():
    noise = 0.5 + 0.1 * torch.randn(200, 33, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = [estimate_period(curve) for curve in noise]
    assert sum(estimate.period is not None for estimate in found) <= 4
    assert sorted(estimate.strength for estimate in found)[100] < 0.4


def test_the_dominant_period_wins_over_ripples_of_a_longer_one():
    shifts = torch.arange(33)
    curve = 0.4 + 0.5 * (shifts % 2 == 0) + 0.05 * (shifts % 8 == 0)
    assert estimate_period(curve).period == 2
    assert estimate_period(curve + 0.5 * (shifts % 8 == 0)).period == 8


def test_says_nothing_about_few_shifts_or_a_nan():
    assert estimate_period(torch.tensor([1.0, 0, 1, 0, 1, 0, 1, 0, 1, 0])) == PeriodEstimate(None, 0.0, 0.0)
    assert estimate_period(torch.zeros(0)).period is None
    curve = bumps(4)
    curve[5] = torch.nan
    found = estimate_period(curve)
    assert found.period is None
    assert math.isnan(found.strength)


def test_the_value_at_no_shift_is_not_looked_at():
    curve = bumps(8, noise=0.01)
    found = estimate_period(curve)
    curve[0] = -5
    assert estimate_period(curve) == found
