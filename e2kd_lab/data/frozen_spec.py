"""Storage format of a frozen teacher's logits and maps.

Each map is divided by its largest absolute value: the small weights of W(x) would underflow in half precision, and the
cosine of Eq. 3 is invariant to scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.system.errors import DataError, shown

_LARGEST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class FrozenSpec:
    """Content and format of a cache.

    Attributes
    ----------
    teacher, data : str
        Fingerprints of the teacher's weights and of the data set.
    view : int
        Side in pixels of the square that whole images are resized to.
    channels, classes : int
        Channels of a map, and number of logits.
    reduction : int
        Maps are average-pooled by this factor; 1 keeps full resolution.
    dtype : str
        ``float16`` or ``float32`` for maps; logits are float32.
    """

    teacher: str
    data: str
    view: int
    channels: int
    classes: int
    reduction: int = 1
    dtype: str = "float16"

    def __post_init__(self) -> None:
        for field in ("view", "channels", "classes", "reduction"):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST:
                raise DataError(f"'{field}' of a frozen teacher is {shown(value)!r}; expected 1 to {_LARGEST}.")
        if self.reduction < 1 or self.view % self.reduction:
            raise DataError(f"A map of {self.view} px cannot be reduced {self.reduction}-fold; expected a divisor.")
        if self.dtype not in ("float16", "float32"):
            raise DataError(f"Maps cannot be stored as '{shown(self.dtype)}'; expected float16 or float32.")

    @property
    def side(self) -> int:
        """Side of a stored map."""
        return self.view // self.reduction

    def bytes_per_image(self) -> int:
        """Disk space of one image's logits and map."""
        return 4 * self.classes + np.dtype(self.dtype).itemsize * self.channels * self.side**2


def stored_form(maps: Tensor, spec: FrozenSpec) -> np.ndarray:
    """Maps (N, C, view, view) as stored: (N, C, side, side), each with largest absolute value 1."""
    reduced = F.avg_pool2d(maps, spec.reduction) if spec.reduction > 1 else maps
    largest = reduced.flatten(1).abs().amax(1).clamp_min(torch.finfo(reduced.dtype).tiny).view(-1, 1, 1, 1)
    return (reduced / largest).cpu().numpy().astype(spec.dtype)


def cosine_kept(maps: Tensor, spec: FrozenSpec) -> float:
    """Mean cosine similarity of maps (N, C, view, view) to their stored form, in [-1, 1]."""
    stored = torch.from_numpy(stored_form(maps, spec).astype(np.float32)).to(maps.device)
    back = F.interpolate(stored, maps.shape[-2:], mode="bilinear", align_corners=False)
    return F.cosine_similarity(back.flatten(1), maps.flatten(1).float(), dim=1).mean().item()
