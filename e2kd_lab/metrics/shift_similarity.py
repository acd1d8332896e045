"""Shift equivariance of explanations: their cosine under shifts, and the period of that curve (Sec. 4.3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.precision import at_least_float32

# With these thresholds 1% of white-noise curves over 32 shifts count as periodic, and smooth curves never do.
_LEAST_STRENGTH = 0.65
_LEAST_SWING = 0.01
_LEAST_SHARE_OF_RANGE = 0.1
# A divisor is preferred to its multiple if its strength is at least this share of the multiple's.
_AS_GOOD = 0.9
# Minimum degrees of freedom left for noise.
_LEAST_FREEDOM = 5
# Decay rates of the periodic part over the curve, as exponents of e. Nonzero rates are tried only on curves with enough
# cycles not to be mistaken for trend.
_DECAYS, _DECAY_CYCLES = (0.0, 1.0, 2.0), 3


class PeriodEstimate(NamedTuple):
    """The period of a curve.

    Attributes
    ----------
    period : int or None
        In pixels; None where nothing repeats.
    strength : float
        Share of the detrended variance that the best period explains, in [0, 1], adjusted for the degrees of freedom:
        for noise it is about 0 for each single period.
    swing : float
        Difference of the highest and lowest value within a period, in units of the curve.
    """

    period: int | None
    strength: float
    swing: float


def shift_similarity(reference: Tensor, shifted: Tensor, shift: int) -> Tensor:
    r"""Cosine of two explanations on the area that an image and its shifted copy share (Sec. 4.3.2).

    .. math:: s_n = \cos\big(E_n[y, x],\; E^T_n[y + T, x + T]\big)_{0 \le y < H - T,\; 0 \le x < W - T}

    Parameters
    ----------
    reference : Tensor
        Maps E of the images, (N, H, W).
    shifted : Tensor
        Maps :math:`E^T` of their copies, whose content lies ``shift`` pixels further down and to the right, (N, H, W).
    shift : int
        T, in [0, min(H, W)).

    Returns
    -------
    Tensor
        (N,), in [-1, 1]; 0 where a map is all zero on the shared area (a dead map), NaN where it has a NaN there. In at
        least float32, on the device of the maps.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the shift is negative or leaves no shared area.

    Examples
    --------
    >>> image = torch.arange(16.0).view(1, 4, 4)
    >>> shift_similarity(image, image.roll((1, 1), dims=(1, 2)), shift=1)
    tensor([1.])
    """
    if reference.ndim != 3 or reference.shape != shifted.shape:
        raise ValueError(
            f"shift_similarity needs two sets of maps (N, H, W) of one size, "
            f"got {tuple(reference.shape)} and {tuple(shifted.shape)}."
        )
    height, width = reference.shape[1:]
    if not 0 <= shift < min(height, width):
        raise ValueError(
            f"shift_similarity needs a shift in [0, {min(height, width)}), so that maps of {height} x {width} pixels "
            f"share an area, got {shift}."
        )
    before = _scaled(reference[:, : height - shift, : width - shift])
    after = _scaled(shifted[:, shift:, shift:])
    return F.cosine_similarity(before, after, dim=1).clamp(-1, 1)


def estimate_period(curve: Tensor) -> PeriodEstimate:
    r"""Period of a curve of similarities over shifts, after removing its trend.

    For each candidate p, a trend and a periodic part are fitted jointly by least squares. The trend is a parabola plus
    an exponential decay; the periodic part has a free value for each T mod p and may decay. With the residual sums of
    squares R and degrees of freedom f of this fit and of the trend alone,

    .. math:: \text{strength}_p = 1 - \frac{R_p / f_p}{R / f}.

    The result is the strongest p, or its smallest divisor that is nearly as strong, since multiples of a period are
    periods, too. Only this dominant period is estimated.

    Parameters
    ----------
    curve : Tensor
        Similarities at T = 0, 1, ..., T_max, (T_max + 1,). The first is 1 by definition and ignored.

    Returns
    -------
    PeriodEstimate
        A period in [2, T_max / 2], accurate to the pixel up to T_max / 3. It is None if the strength is below 0.65, the
        swing below 0.01 or a tenth of the curve's range, for fewer than eleven shifts, and for curves with a NaN.

    Raises
    ------
    ValueError
        If ``curve`` is not one-dimensional.

    Examples
    --------
    >>> shifts = torch.arange(65)
    >>> estimate_period(0.8 + 0.1 * torch.cos(2 * torch.pi * shifts / 16)).period
    16
    """
    if curve.ndim != 1:
        raise ValueError(f"estimate_period needs one curve (T_max + 1,), got {tuple(curve.shape)}.")
    if curve.isnan().any():
        return PeriodEstimate(None, torch.nan, torch.nan)
    values = curve.detach().double().cpu()[1:]
    shifts = torch.arange(1, len(values) + 1)
    trend = _trend(shifts)
    rest, freedom = _detrended(trend, values), len(values) - trend.shape[1]
    estimates: dict[int, PeriodEstimate] = {}
    for period in range(2, len(values) // 2 + 1):
        left = freedom - period  # one value for each T mod p less their mean, and the decay rate
        if left < _LEAST_FREEDOM or rest.max() - rest.min() < _LEAST_SWING:
            break
        residual, swing = _fit(period, shifts, trend, rest)
        strength = 1 - (residual / left) / (rest.square().sum().item() / freedom)
        estimates[period] = PeriodEstimate(period, max(strength, 0.0), swing)
    if not estimates:
        return PeriodEstimate(None, 0.0, 0.0)
    strongest = max(estimates, key=lambda period: estimates[period].strength)
    enough = _AS_GOOD * estimates[strongest].strength
    best = next(e for period, e in estimates.items() if strongest % period == 0 and e.strength >= enough)
    visible = best.swing >= max(_LEAST_SWING, _LEAST_SHARE_OF_RANGE * (values.max() - values.min()).item())
    return best if best.strength >= _LEAST_STRENGTH and visible else best._replace(period=None)


def _scaled(maps: Tensor) -> Tensor:
    """Rows (N, H * W) scaled to a largest magnitude of 1, so that no norm underflows; all-zero rows stay zero."""
    rows = at_least_float32(maps).flatten(1)
    largest = rows.abs().amax(1, keepdim=True)
    return rows / largest.masked_fill(largest == 0, 1)


def _trend(shifts: Tensor) -> Tensor:
    """Orthonormal columns (T_max, 4) that span the trends."""
    place = shifts / len(shifts)
    columns = torch.stack([torch.ones_like(place), place, place**2, torch.exp(-shifts / 4)], dim=1)
    return torch.linalg.qr(columns.double()).Q


def _detrended(trend: Tensor, columns: Tensor) -> Tensor:
    """Columns (T_max, ...) with the trend projected out."""
    return columns - trend @ (trend.T @ columns)


def _fit(period: int, shifts: Tensor, trend: Tensor, rest: Tensor) -> tuple[float, float]:
    """Residual sum of squares and mean swing of the best periodic fit to the detrended values."""
    phases = F.one_hot(shifts % period, period).double()
    phases = phases[:, 1:] - phases[:, :1]  # the values add up to 0; their mean belongs to the trend
    fits = []
    for decay in _DECAYS if _DECAY_CYCLES * period <= len(shifts) else _DECAYS[:1]:
        size = torch.exp(-decay * shifts.double() / len(shifts))
        columns = _detrended(trend, phases * size[:, None])
        values = torch.linalg.lstsq(columns, rest[:, None], driver="gelsd").solution[:, 0]
        profile = torch.cat([-values.sum(0, keepdim=True), values])
        swing = (profile.max() - profile.min()) * size.mean()
        fits.append(((rest - columns @ values).square().sum().item(), swing.item()))
    return min(fits)
