"""Objects whose place is known, for guidance: their masks in a batch, and whether a training set has any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.masks import INSIDE
from e2kd_lab.data.transforms import seeded
from e2kd_lab.system.errors import DataError


def object_masks(batch: Mapping[str, Any]) -> Tensor | None:
    """Masks of a sample's or a batch's objects, bool: of boxes per class, or of the only object; None without any."""
    if "box_mask" in batch:
        return batch["box_mask"]
    return batch["mask"] > INSIDE if "mask" in batch else None


def require_located_objects(dataset: Dataset) -> None:
    """Refuse a training set in which no object is located: guidance would change nothing.

    Reads images up to the first one with an object.

    Raises
    ------
    DataError
        If all masks are empty.
    """
    count: int = len(dataset)  # type: ignore[arg-type]
    for index in range(count):
        with seeded(index):  # crops must not advance the global generator
            masks = object_masks(dataset[index])
        if masks is None or masks.any():  # without masks, the step says so
            return
    raise DataError(
        f"None of the {count} training images has a located object, so that guidance would change nothing; expected "
        "masks with values of 255 (or 1) inside the objects, or boxes. 'e2kd-lab data check' says what they hold."
    )
