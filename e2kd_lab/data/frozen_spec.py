"""Storage format of a frozen teacher's logits and maps.

Each map is divided by its largest absolute value: the small weights of W(x) would underflow in half precision, and the
cosine of Eq. 3 is invariant to scale. Codes of maps are in `e2kd_lab.data.frozen_codes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.data.frozen_codes import CODE_NAMES, decoded, encoded, is_code
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
        ``float16``, ``float32`` or a code (see `e2kd_lab.data.frozen_codes`) for maps; logits are float32.
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
        if self.dtype not in ("float16", "float32") and not (isinstance(self.dtype, str) and is_code(self.dtype)):
            raise DataError(f"Maps cannot be stored as '{shown(self.dtype)}'; expected float16, float32, {CODE_NAMES}.")

    @property
    def side(self) -> int:
        """Side of a stored map."""
        return self.view // self.reduction

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a stored map."""
        return self.channels, self.side, self.side

    @property
    def is_coded(self) -> bool:
        """Whether maps are stored as codes, which differ in length."""
        return is_code(self.dtype)


def stored_form(maps: Tensor, spec: FrozenSpec) -> np.ndarray | list[bytes]:
    """Maps (N, C, view, view) as stored: codes, or (N, C, side, side), each with largest absolute value 1."""
    reduced = F.avg_pool2d(maps, spec.reduction) if spec.reduction > 1 else maps
    if spec.is_coded:
        with ThreadPoolExecutor() as pool:  # deflating leaves Python's lock to the others
            return list(pool.map(lambda values: encoded(values, spec.dtype), reduced.float().cpu().numpy()))
    largest = reduced.flatten(1).abs().amax(1).clamp_min(torch.finfo(reduced.dtype).tiny).view(-1, 1, 1, 1)
    return np.asarray((reduced / largest).cpu().numpy().astype(spec.dtype))


def read_form(stored: np.ndarray | bytes, spec: FrozenSpec) -> Tensor:
    """One map from its stored form: float32 (C, side, side), largest absolute value 1."""
    if isinstance(stored, bytes):
        return decoded(stored, spec.shape)
    return torch.from_numpy(stored.astype(np.float32))


def cosines_kept(maps: Tensor, stored: Sequence[np.ndarray | bytes] | np.ndarray, spec: FrozenSpec) -> Tensor:
    """Cosine similarity of each map (N, C, view, view) to its stored form: (N,), in [-1, 1]."""
    read = torch.stack([read_form(one, spec) for one in stored]).to(maps.device)
    back = F.interpolate(read, maps.shape[-2:], mode="bilinear", align_corners=False)
    return F.cosine_similarity(back.flatten(1).double(), maps.flatten(1).double(), dim=1).float()
