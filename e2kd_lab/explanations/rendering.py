"""Drawing explanation maps as RGB pictures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import Colormap
from PIL import Image as PILImage
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as F

# From dark for 0 to bright, also in greyscale print.
HEAT = colormaps["inferno"]
# Blue: evidence against the class; red: for it.
SIGNED = colormaps["RdBu_r"]


def unit_norm(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) divided by their L2 norm, which Eq. 3 ignores; all-zero maps stay zero.

    Maps of different networks can then share one colour scale.
    """
    norm = maps.flatten(1).norm(dim=1).clamp_min(torch.finfo(maps.dtype).tiny)
    return maps / norm.view(-1, 1, 1, 1)


def largest(maps: Iterable[Tensor]) -> float:
    """The 99.5th percentile of all values, as the end of a colour scale that is robust to outliers."""
    return float(np.quantile(torch.cat([one.flatten() for one in maps]).double().cpu().numpy(), 0.995))


def heat_overlay(
    images: Tensor, maps: Tensor, *, vmax: float, colours: Colormap = HEAT, opacity: float | None = None
) -> np.ndarray:
    """Positive maps as a heatmap over the dimmed greyscale image.

    Parameters
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    maps : Tensor
        Maps >= 0, (N, 1, H, W).
    vmax : float
        Value of the brightest colour; larger values are clipped.
    colours : Colormap
        Colours from 0 to ``vmax``.
    opacity : float, optional
        Opacity of the heatmap, 0 to 1; by default it grows with the value. Opaque maps use all colours; otherwise the
        darkest are left out, which would look like the dimmed image.

    Returns
    -------
    ndarray
        RGB pictures in [0, 1], float, (N, H, W, 3).
    """
    heat = (maps / max(vmax, 1e-12)).clamp(0, 1)[:, 0].double().cpu().numpy()  # (N, H, W)
    grey = F.rgb_to_grayscale(images).double().cpu().numpy()[:, 0, ..., None]  # (N, H, W, 1)
    share = np.sqrt(heat)[..., None] if opacity is None else opacity
    colour = colours(heat if opacity == 1 else 0.15 + 0.85 * heat)[..., :3]
    return np.clip((1 - share) * (0.15 + 0.55 * grey) + share * colour, 0, 1)


def bcos_rgba(inputs: Tensor, weights: Tensor, *, smooth: int = 0, vmax: float | None = None) -> Tensor:
    """The dynamic weights W(x) of B-cos networks in colour, as in the B-cos papers.

    The positive weights of a pixel give its colour, the norm of all its weights its opacity; pixels with negative
    contributions are transparent.

    Parameters
    ----------
    inputs, weights : Tensor
        The network's input x and W(x), (N, 6, H, W), on any device.
    smooth : int
        Side of the averaging window of the opacity, odd; 0 for none.
    vmax : float, optional
        Norm of the weights at full opacity; if None, the 99.5th percentile of each image.

    Returns
    -------
    Tensor
        Pictures (N, H, W, 4) with values in [0, 1], on the same device.

    Raises
    ------
    ValueError
        If ``smooth`` is even and not 0.
    """
    positive = weights.clamp(min=0) / (weights.abs().amax(dim=1, keepdim=True) + 1e-12)
    colour, inverse = positive[:, :3], positive[:, 3:]
    rgb = colour / (colour + inverse + 1e-12)  # (N, 3, H, W)
    strength = bcos_strength(inputs, weights, smooth=smooth)
    largest = _quantile(strength.flatten(1), 0.995).view(-1, 1, 1, 1) if vmax is None else vmax
    return torch.cat([rgb, (strength / largest).clamp(0, 1)], dim=1).permute(0, 2, 3, 1)


def bcos_strength(inputs: Tensor, weights: Tensor, *, smooth: int = 0) -> Tensor:
    """Norm of each pixel's weights, almost zero for negative contributions: the opacity before scaling.

    Returns
    -------
    Tensor
        (N, 1, H, W), >= 0.
    """
    if smooth < 0 or (smooth and smooth % 2 == 0):
        raise ValueError(f"B-cos pictures need smooth = 0 or an odd window, got {smooth}.")
    against = (weights * inputs).sum(dim=1, keepdim=True) < 0
    strength = torch.linalg.vector_norm(weights, dim=1, keepdim=True).masked_fill(against, 1e-12)
    return functional.avg_pool2d(strength, smooth, 1, smooth // 2) if smooth else strength


def smoothing(size: int) -> int:
    """Averaging window for pictures of ``size`` px: 15 at 224 px as in the B-cos papers, in proportion otherwise."""
    return 2 * (size // 32) + 1


def over_white(rgba: Tensor) -> np.ndarray:
    """RGBA pictures (N, H, W, 4) over white, as RGB (N, H, W, 3) in [0, 1]."""
    opacity = rgba[..., 3:]
    return (rgba[..., :3] * opacity + 1 - opacity).double().cpu().numpy()


def signed_colours(maps: Tensor, *, vmax: float, colours: Colormap = SIGNED) -> np.ndarray:
    """Signed maps (N, 1, H, W), for instance contributions, as RGB pictures (N, H, W, 3): blue < 0, white, red > 0.

    Values are clipped to [-vmax, vmax]; 0 is in the middle of the colours.
    """
    scaled = (maps[:, 0] / max(vmax, 1e-12)).clamp(-1, 1).double().cpu().numpy()
    return colours(0.5 + 0.5 * scaled)[..., :3]


def as_pil(pictures: np.ndarray | Tensor) -> list[PILImage.Image]:
    """Pictures (N, H, W, 3 or 4) with values in [0, 1] as PIL images."""
    array = pictures.cpu().numpy() if isinstance(pictures, Tensor) else pictures
    return [PILImage.fromarray(picture) for picture in (np.clip(array, 0, 1) * 255).round().astype(np.uint8)]


def _quantile(rows: Tensor, q: float) -> Tensor:
    """Linearly interpolated quantile of each row; `torch.quantile` refuses large inputs."""
    ordered = rows.sort(dim=1).values
    place = q * (rows.shape[1] - 1)
    low = int(place)
    high = min(low + 1, rows.shape[1] - 1)
    return torch.lerp(ordered[:, low], ordered[:, high], place - low)
