"""Images of ImageNet and SUN397: all or few of each class, of the teacher's own data set or of another one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Self

from torch.utils.data import Dataset
from torchvision.transforms import v2

from e2kd_lab.data.image_folders import (
    ImageFolders,
    LabelledImage,
    draw_shots,
    hold_out,
    read_imagenet,
    read_sun397,
)
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import eval_transform, train_transform
from e2kd_lab.experiments.data import PHOTOGRAPH_SIDE, Data
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.frozen_teacher import frozen_images
from e2kd_lab.methods import METHODS
from e2kd_lab.minidata.mininet import MiniNet, make_mininet
from e2kd_lab.minidata.miniscenes import MiniScenes, make_miniscenes
from e2kd_lab.system.errors import DataError, ExperimentError
from e2kd_lab.system.paths import expanded

_MOST_REDUCED = 4
Source = Literal["imagenet", "sun397"]
_TITLES: Mapping[Source, str] = {"imagenet": "ImageNet", "sun397": "SUN397"}


class _Counts(NamedTuple):
    """Classes, training and test images of a published set, and all that distillation may show."""

    classes: int
    train: int
    test: int
    every: int


_PUBLISHED: Mapping[Source, _Counts] = {
    "imagenet": _Counts(1000, 1_281_167, 50_000, 1_281_167),
    "sun397": _Counts(397, 19_850, 19_850, 108_754),  # training and test images of a partition
}


@dataclass(frozen=True, kw_only=True)
class ImageNetData(Data):
    """All or few images of each class, of the data set whose classes are learned or of another one.

    Attributes
    ----------
    own : str
        The data set whose classes are learned and on which students are evaluated: ``imagenet`` or ``sun397``.
    images : str
        The data set whose images are shown in distillation; another one is the paper's data-free setting.
    image_root : str or None
        Where the latter lies, if it is another one.
    held_out : int
        Training images of each class kept for validation, where the set has no validation images beside a test set.
    shots : int or None
        Training images of each class that students see; None for all.
    frozen : bool
        Teach from stored logits and explanations (see `e2kd_lab.runs.freeze.freeze`), not from the teacher.
    frozen_reduction, frozen_dtype : int, str
        Form in which explanations are stored (see `e2kd_lab.data.frozen_spec.FrozenSpec`).
    frozen_root : str or None
        Folder of the cache, in place of the default.
    reduced_decoding : float
        Decode training JPEG files at reduced size where a crop keeps so many pixels on either side, as a multiple of
        ``image_size``: 1 or 0.5, up to 4; 0 decodes all pixels (see `e2kd_lab.data.training_crops`).
    mininet, miniscenes : MiniNet, MiniScenes or None
        The embedded sets that stand for ImageNet and SUN397 where no root is given.
    """

    image_size: int
    resize: int
    own: Source = "imagenet"
    images: Source = "imagenet"
    image_root: str | None = None
    held_out: int
    shots: int | None = None
    frozen: bool = False
    frozen_reduction: int = 1
    frozen_dtype: str = "float16"
    frozen_root: str | None = None
    reduced_decoding: float = 0.0
    mininet: MiniNet | None = None
    miniscenes: MiniScenes | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.reduced_decoding <= _MOST_REDUCED:
            raise ExperimentError(f"'reduced_decoding' is {self.reduced_decoding}; expected 0 to {_MOST_REDUCED}.")
        for field in ("own", "images"):
            if getattr(self, field) not in ("imagenet", "sun397"):
                raise ExperimentError(f"'{field}' is '{getattr(self, field)}'; expected imagenet or sun397.")

    def check(self, experiment: Experiment) -> None:
        """See `Data.check`: images of another data set have no labels."""
        if self.own != self.images and _needs_labels(experiment.method):
            raise ExperimentError(
                f"Method '{experiment.method}' needs labels, which the images of '{self.images}' do not have for the "
                f"classes of '{self.own}'; expected kd or e2kd."
            )

    def changes_for(self, method: str) -> dict[str, Any]:
        """See `Data.changes_for`: methods that need labels see the images that the teacher learned from."""
        return {"images": self.own, "image_root": None} if self.own != self.images and _needs_labels(method) else {}

    def for_teacher(self) -> Self:
        """See `Data.for_teacher`: all images of the own data set."""
        every = replace(self, images=self.own, image_root=None, shots=None)
        return replace(every, frozen=False, frozen_reduction=1, frozen_dtype="float16", reduced_decoding=0.0)

    @property
    def teacher_name(self) -> str:
        """See `Data.teacher_name`: the data set."""
        return self.own

    @property
    def teacher_title(self) -> str:
        """See `Data.teacher_title`."""
        return _TITLES[self.own]

    def config(self) -> dict[str, Any]:
        """See `Data.config`."""
        names = ["own", "images", "held_out", "shots", "frozen"]
        names += ["frozen_reduction", "frozen_dtype"] if self.frozen else []
        names += ["reduced_decoding"] if self.reduced_decoding else []
        return super().config() | {name: getattr(self, name) for name in names}

    def published_counts(self) -> Mapping[Split, int]:
        """See `Data.published_counts`: those of ImageNet (2012), and of one partition of SUN397."""
        own, shown = _PUBLISHED[self.own], _PUBLISHED[self.images]
        held = self.held_out * own.classes
        train = shown.train - held if self.own == self.images else shown.every
        return {"train": train if self.shots is None else self.shots * shown.classes, "val": held, "test": own.test}

    def stand_in(self) -> Self:
        """See `Data.stand_in`."""
        mininet = MiniNet(size=PHOTOGRAPH_SIDE, train=4, val=1)
        miniscenes = MiniScenes(size=PHOTOGRAPH_SIDE, train=7, val=1)
        few = replace(self, data_root=None, image_root=None, mininet=mininet, miniscenes=miniscenes)
        return replace(few, held_out=1, shots=None, frozen=False)

    def dataset(self, split: Split, experiment: Experiment) -> Dataset:
        """See `Data.dataset`; with stored logits and explanations where the teacher is frozen."""
        if split == "train" and self.frozen and METHODS[experiment.method].can_be_frozen:
            return frozen_images(experiment)
        images = {"train": self.training_images, "val": self.validation_images, "test": self.test_images}[split]()
        cache = self.scale != "paper"
        if split != "train":
            return LabelledImages(images, transform=eval_transform(self.image_size, self.resize), cache=cache)
        reduced = self.reduced_decoding or None
        return LabelledImages(images, transform=self._training_transform(), cache=cache, reduced=reduced)

    def _training_transform(self) -> v2.Transform:
        return train_transform(self.image_size, self.crop_scale)

    def classes(self) -> tuple[str, ...]:
        """See `Data.classes`; folder names, which for ImageNet are WordNet identifiers."""
        return self._read(self.own).classes

    def fingerprint(self, experiment: Experiment) -> str:
        """See `Data.fingerprint`."""
        sources = [self.own] if self.own == self.images else [self.own, self.images]
        return "+".join(_fingerprint(self._read(source)) for source in sources)

    def fingerprint_of_images(self) -> str:
        """Identifies the data set whose images are shown in distillation."""
        return _fingerprint(self._read(self.images))

    def training_files(self) -> list[str]:
        """See `Data.training_files`."""
        root = self._read(self.images).root
        return [image.path.relative_to(root).as_posix() for image in self.training_images()]

    def training_images(self) -> list[LabelledImage]:
        """The images that students see, by class, the same for all methods."""
        shown = self._read(self.images)
        if self.images != self.own:  # they have no part in validation or test
            images = list(shown.every or shown.train)
        else:
            images = list(shown.train) if shown.val else hold_out(shown.train, self.held_out)[0]
        return images if self.shots is None else draw_shots(images, self.shots)

    def validation_images(self) -> list[LabelledImage]:
        """The images that are held out of training, or the set's own validation images beside its test images."""
        own = self._read(self.own)
        return list(own.val) or hold_out(own.train, self.held_out)[1]

    def test_images(self) -> list[LabelledImage]:
        """The images that students are evaluated on."""
        return list(self._read(self.own).test)

    def _read(self, source: Source) -> ImageFolders:
        root = self.data_root if source == self.own else self.image_root
        if root is not None:
            return _read(source, str(expanded(root).resolve()))
        if self.mininet is None or self.miniscenes is None:
            field = "data_root" if source == self.own else "image_root"
            raise DataError(f"An experiment at scale '{self.scale}' needs {source}: give {field}, its folder.")
        if source == "imagenet":
            return _read("imagenet", str(make_mininet(self.embedded_folder("mininet", self.mininet), self.mininet)))
        # The embedded scenes lie in ImageNet's layout, too.
        folder = self.embedded_folder("miniscenes", self.miniscenes)
        return _read("imagenet", str(make_miniscenes(folder, self.miniscenes)))


def _needs_labels(method: str) -> bool:
    """Whether a method needs labels of training images; teachers always see their own data set, which has them."""
    return method != "teacher" and METHODS[method].uses_labels


@functools.lru_cache(maxsize=8)
def _read(source: Source, root: str) -> ImageFolders:
    return read_imagenet(root) if source == "imagenet" else read_sun397(root)


@functools.lru_cache(maxsize=8)
def _fingerprint(folders: ImageFolders) -> str:
    return folders.fingerprint()
