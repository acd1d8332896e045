"""Images to measure costs with: the experiment's own, or drawn ones where a published set is not here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.nn import functional as F
from torch.utils.data import Dataset, Subset

from e2kd_lab.data.frozen_noise import frozen_noise
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.splits import SPLITS, Split
from e2kd_lab.experiments import Experiment
from e2kd_lab.experiments.frozen_teacher import images_with_frozen, stored_as
from e2kd_lab.methods import METHODS
from e2kd_lab.system.errors import DataError


@dataclass(frozen=True)
class Shown:
    """An experiment with images that are here, and how many it really has.

    Attributes
    ----------
    experiment : Experiment
        The experiment; its data may be drawn.
    counts : mapping
        Images of each split, as the experiment has them.
    is_drawn : bool
        Whether drawn pictures stand in for a set that is not here.
    """

    experiment: Experiment
    counts: Mapping[Split, int]
    is_drawn: bool

    @classmethod
    def of(cls, experiment: Experiment) -> Shown:
        """The experiment with its own images, or with drawn ones if it names no folder and the set is a published one.

        Raises
        ------
        DataError
            If its images cannot be read.
        """
        live = experiment.replace(frozen=False) if is_frozen(experiment) else experiment
        try:
            counts = {split: len(live.dataset(split)) for split in SPLITS}  # type: ignore[arg-type]
        except DataError:
            counts = dict(experiment.published_counts())
            if experiment.data_root is not None or not counts:
                raise
            return cls(dataclasses.replace(live, data=live.data.stand_in()), counts, is_drawn=True)
        return cls(live, counts, is_drawn=False)

    def few(self, split: Split, count: int) -> Subset:
        """Some images of a split, spread over it."""
        images: Any = self.experiment.data.dataset(split, self.experiment)
        if self.is_drawn and self.experiment.multilabel:
            images = _Padded(images, self.experiment.num_classes)
        return Subset(images, spread(len(images), count))


def is_frozen(experiment: Experiment) -> bool:
    """Whether students learn from stored explanations."""
    return bool(getattr(experiment.data, "frozen", False)) and METHODS[experiment.method].can_be_frozen


def spread(total: int, count: int) -> list[int]:
    """At most ``count`` of ``total`` indices, evenly spread.

    Examples
    --------
    >>> spread(10, 4)
    [0, 2, 4, 6]
    """
    return list(range(0, total, max(1, total // count)))[:count]


def few_frozen(shown: Shown, experiment: Experiment, folder: Path, count: int) -> tuple[Dataset, float]:
    """Some training images with stored explanations of noise, in the experiment's form, and the bytes an image takes.

    Parameters
    ----------
    shown : Shown
        The images.
    experiment : Experiment
        Gives the form.
    folder : Path
        Where to write the cache.
    count : int
        How many images.
    """
    images, names = shown.experiment.training_images(), shown.experiment.training_files()
    chosen = spread(len(images), count)
    images, names = [images[row] for row in chosen], [names[row] for row in chosen]
    cache = frozen_noise(folder, FrozenSpec(teacher="noise", data="noise", **stored_as(experiment)), images, names)
    size = sum(file.stat().st_size for file in folder.iterdir()) / len(images)
    return images_with_frozen(shown.experiment, images, names, cache), size


class _Padded(Dataset):
    """Images with several labels, of fewer classes than the experiment's."""

    def __init__(self, images: Dataset, num_classes: int) -> None:
        self.images, self.num_classes = images, num_classes

    def __len__(self) -> int:
        return len(self.images)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = dict(self.images[index])
        missing = self.num_classes - len(sample["label"])
        sample["label"] = F.pad(sample["label"], (0, missing))
        if "box_mask" in sample:
            sample["box_mask"] = F.pad(sample["box_mask"], (0, 0, 0, 0, 0, missing))
        return sample
