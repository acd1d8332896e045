"""Explanation maps as pictures."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib import colormaps
from torch import Tensor
from torchvision.transforms.v2 import functional as F

# Dark means nothing, bright means much, in grey print too.
HEAT = colormaps["inferno"]


def unit_norm(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) divided by their L2 norm, which the cosine of Eq. 3 ignores; all-zero maps stay zero.

    On this scale maps of different networks can share one colour scale.
    """
    norm = maps.flatten(1).norm(dim=1).clamp_min(torch.finfo(maps.dtype).tiny)
    return maps / norm.view(-1, 1, 1, 1)


def heat_overlay(images: Tensor, maps: Tensor, *, vmax: float) -> np.ndarray:
    """Positive maps as heat over the dimmed greyscale image.

    Parameters
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    maps : Tensor
        Maps >= 0, (N, 1, H, W).
    vmax : float
        Value of the brightest colour; larger ones are shown as this one.

    Returns
    -------
    ndarray
        RGB pictures in [0, 1], float, (N, H, W, 3).
    """
    heat = (maps / max(vmax, 1e-12)).clamp(0, 1)[:, 0].double().cpu().numpy()  # (N, H, W)
    grey = F.rgb_to_grayscale(images).double().cpu().numpy()[:, 0, ..., None]  # (N, H, W, 1)
    opacity = np.sqrt(heat)[..., None]
    return np.clip((1 - opacity) * (0.15 + 0.55 * grey) + opacity * HEAT(0.15 + 0.85 * heat)[..., :3], 0, 1)
