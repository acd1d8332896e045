"""Few shots on ImageNet (Sec. 4.1; Tables 1 to 3), and distillation without the teacher's data (Table 5).

At paper scale a student of the full data needs days on one data-centre GPU, one of 50 or 200 shots about two fifths of
that. At lab scale small networks learn from MiniNet (drawn objects) and MiniScenes (drawn scenes) at 64 px, a student
in half a minute to three minutes on two CPU cores.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from torch.utils.data import Dataset
from torchvision.transforms import v2

from e2kd_lab.data.frozen import verified_once
from e2kd_lab.data.frozen_images import FrozenImages
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.image_folders import (
    ImageFolders,
    LabelledImage,
    LabelledImages,
    draw_shots,
    hold_out,
    read_imagenet,
    read_sun397,
)
from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import eval_transform, train_transform
from e2kd_lab.experiments.experiment import Experiment, Scale
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS
from e2kd_lab.minidata.mininet import MiniNet, make_mininet
from e2kd_lab.minidata.miniscenes import MiniScenes, make_miniscenes
from e2kd_lab.models import explanation_by_name
from e2kd_lab.system.errors import DataError, ExperimentError
from e2kd_lab.system.paths import expanded
from e2kd_lab.system.workspace import data_folder

Source = Literal["imagenet", "sun397"]

# Columns of Tables 1 to 3, besides "base", which is all of the data; the numbers of steps are the same in both (C.1.1).
SHOTS: Mapping[Scale, Mapping[str, Mapping[str, Any]]] = {
    "paper": {
        "50-shots": {"shots": 50, "batch_size": 32, "epochs": 250},
        "200-shots": {"shots": 200, "batch_size": 64, "epochs": 125},
    },
    "lab": {
        "10-shots": {"shots": 10, "epochs": 50, "validate_every": 10},
        "40-shots": {"shots": 40, "epochs": 12, "validate_every": 3},
    },
    "smoke": {"2-shots": {"shots": 2, "batch_size": 8, "epochs": 2}},
}

# Table 5's other direction; its number of steps is that of the first one (C.1.1).
REVERSED = "reversed"
_REVERSED_CHANGES: Mapping[Scale, Mapping[str, Any]] = {
    "paper": {"num_classes": 397, "epochs": 21, "batch_size": 256},
    "lab": {"num_classes": 10, "epochs": 3},
    "smoke": {"num_classes": 10},
}

_TAUS = (1.0, 5.0)


def _needs_own_images(method: str) -> bool:
    """Whether a method looks at labels, which only the images of the own data set have; teachers see these anyway."""
    return method != "teacher" and METHODS[method].uses_labels


def _grid(lams: tuple[float, ...], attention: tuple[float, ...]) -> dict[str, list[dict[str, float]]]:
    """Sec. C.1.1: tau in {1, 5} and a few weights."""
    return {
        "baseline": [{}],
        "kd": [{"tau": tau} for tau in _TAUS],
        "e2kd": [{"tau": tau, "lam": lam} for tau in _TAUS for lam in lams],
        "at": [{"lam": lam} for lam in attention],
        "reviewkd": [{"lam": lam} for lam in (1.0, 5.0)],
        "catkd": [{"lam": lam} for lam in (1.0, 5.0, 10.0)],
        "kd_labels": [{"tau": tau} for tau in _TAUS],
    }


GRIDS: Mapping[str, Mapping[str, list[dict[str, float]]]] = {
    "resnet": _grid((1.0, 5.0, 10.0), (10.0, 100.0, 1000.0, 10000.0)),
    "bcos_resnet": _grid((1.0, 5.0), (1.0, 10.0, 100.0, 1000.0)),
    "bcos_densenet": _grid((1.0, 5.0, 10.0), (1.0, 10.0, 100.0, 1000.0)),
}


@dataclass(frozen=True, kw_only=True)
class ImageNetExperiment(Experiment):
    """Distillation with all or few images of each class, of the teacher's own data set or of another one.

    Attributes
    ----------
    own : str
        The data set whose classes are learned and on which students are evaluated: ``imagenet`` or ``sun397``.
    images : str
        The data set whose images are shown in distillation; another one is the paper's data-free setting.
    image_root : str or None
        Where the latter lies, if it is another one.
    held_out : int
        Training images of each class kept for validation.
    shots : int or None
        Training images of each class that students see; None for all.
    frozen : bool
        Teach from stored logits and explanations (see `e2kd_lab.runs.freeze.freeze`), not from the teacher.
    frozen_reduction, frozen_dtype : int, str
        Form in which explanations are stored (see `e2kd_lab.data.frozen_spec.FrozenSpec`).
    frozen_root : str or None
        Folder of the cache, in place of the default.
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
    mininet: MiniNet | None = None
    miniscenes: MiniScenes | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("own", "images"):
            if getattr(self, field) not in ("imagenet", "sun397"):
                raise ExperimentError(f"'{field}' is '{getattr(self, field)}'; expected imagenet or sun397.")
        if self.own != self.images and _needs_own_images(self.method):
            raise ExperimentError(
                f"Method '{self.method}' needs labels, which the images of '{self.images}' do not have for the classes "
                f"of '{self.own}'; expected kd or e2kd."
            )

    def by_method(self, method: str, **changes: Any) -> Self:
        """See `Experiment.by_method`; methods that need labels see the images that the teacher learned from."""
        if self.own != self.images and _needs_own_images(method):
            changes = {"images": self.own, "image_root": None, **changes}
        return super().by_method(method, **changes)

    def settings(self) -> tuple[str, ...]:
        """Columns of the tables: few shots, and ``base`` for all of the data.

        Without the teacher's data (Table 5): ``base``, ImageNet's classes taught with SUN397's images, and
        ``reversed``, SUN397's classes taught with ImageNet's images; ``data_root`` then is SUN397's folder.
        """
        if self.own != self.images:
            return ("base", REVERSED)
        few = self.step_epochs is None  # Table B1 has the full data only
        return (*(SHOTS[self.scale] if few else ()), "base")

    def _setting_changes(self, setting: str) -> dict[str, Any]:
        if setting == REVERSED:
            return {"own": self.images, "images": self.own, **_REVERSED_CHANGES[self.scale]}
        return {} if setting == "base" else dict(SHOTS[self.scale][setting])

    def _grids(self) -> Mapping[str, list[dict[str, float]]]:
        grids = GRIDS[self.teacher.split("net")[0] + "net"]
        if self.frozen:  # Sec. C.1.1: one weight more
            tries = [{"tau": tau, "lam": lam} for tau in _TAUS for lam in (0.2, 1.0, 5.0, 10.0)]
            return {"kd": grids["kd"], "e2kd": tries}
        if self.step_epochs is not None:  # Sec. B.1: the weights of the original works
            return {**grids, "at": [{"lam": 1000.0}], "reviewkd": [{"lam": 1.0}]}
        if self.own != self.images:  # Table 5
            return {method: grids[method] for method in ("baseline", "kd", "e2kd")}
        return grids

    def teacher_experiment(self) -> Self:
        """See `Experiment.teacher_experiment`; teachers see all images of their own data set."""
        # Named after the data, not after the experiment, so that experiments share them.
        changes = {"name": self.own, "images": self.own, "image_root": None, "shots": None}
        return super().teacher_experiment().replace(**changes, frozen=False, frozen_reduction=1, frozen_dtype="float16")

    def config(self) -> dict[str, Any]:
        """See `Experiment.config`; embedded sets count by their content."""
        skip = {"mininet", "miniscenes", "frozen_root"}
        if not self.frozen:
            skip |= {"frozen_reduction", "frozen_dtype"}
        return {name: value for name, value in super().config().items() if name not in skip}

    def dataset(self, split: Split) -> Dataset:
        """See `Experiment.dataset`."""
        if split == "test":
            images = self.test_images()
        elif split == "val":
            images = hold_out(self._read(self.own).train, self.held_out)[1]
        elif self.frozen and METHODS[self.method].can_be_frozen:
            return self._frozen_images()
        else:
            images = self.training_images()
        transform = self._training_transform() if split == "train" else eval_transform(self.image_size, self.resize)
        return LabelledImages(images, transform=transform, cache=self.scale != "paper")

    def _training_transform(self) -> v2.Transform:
        return train_transform(self.image_size, self.crop_scale)

    def classes(self) -> tuple[str, ...]:
        """See `Experiment.classes`; folder names, which for ImageNet are WordNet identifiers."""
        return self._read(self.own).classes

    def data_fingerprint(self) -> str:
        """See `Experiment.data_fingerprint`."""
        sources = [self.own] if self.own == self.images else [self.own, self.images]
        return "+".join(_fingerprint(self._read(source)) for source in sources)

    def training_files(self) -> list[str] | None:
        """See `Experiment.training_files`."""
        root = self._read(self.images).root
        return [image.path.relative_to(root).as_posix() for image in self.training_images()]

    def frozen_spec(self) -> FrozenSpec:
        """What the cache of this experiment's frozen teacher holds."""
        explanation = EXPLANATIONS[self.explanation or explanation_by_name(self.teacher) or "gradcam"]
        explained_by = "" if self.explanation is None else f", explained by {self.explanation}"
        return FrozenSpec(
            teacher=self.teacher_fingerprint() + explained_by,
            data=_fingerprint(self._read(self.images)),
            view=self.image_size,
            channels=explanation.channels,
            classes=self.num_classes,
            reduction=self.frozen_reduction,
            dtype=self.frozen_dtype,
        )

    def frozen_folder(self) -> Path:
        """Where this cache lies: a folder of its own for each teacher, data set and form."""
        if self.frozen_root is not None:
            return Path(self.frozen_root)
        digest = hashlib.sha256(repr(self.frozen_spec()).encode()).hexdigest()[:8]
        return data_folder() / "frozen" / f"{self.teacher}-{digest}"

    def _frozen_images(self) -> FrozenImages:
        spec = self.frozen_spec()
        cache = verified_once(self.frozen_folder(), teacher=spec.teacher, data=spec.data)
        images = LabelledImages(self.training_images(), cache=self.scale != "paper")
        return FrozenImages(images, self.training_files() or [], cache, self.image_size, self.crop_scale)

    def test_images(self) -> list[LabelledImage]:
        """The images that students are evaluated on."""
        return list(self._read(self.own).test)

    def training_images(self) -> list[LabelledImage]:
        """The images that students see, by class, the same for all methods."""
        shown = self._read(self.images)
        # Images of another data set have no part in validation.
        images = hold_out(shown.train, self.held_out)[0] if self.images == self.own else list(shown.train)
        return images if self.shots is None else draw_shots(images, self.shots)

    def _read(self, source: Source) -> ImageFolders:
        root = self.data_root if source == self.own else self.image_root
        if root is not None:
            return _read(source, str(expanded(root).resolve()))
        if self.mininet is None or self.miniscenes is None:
            field = "data_root" if source == self.own else "image_root"
            raise DataError(
                f"Experiment '{self.name}' at scale '{self.scale}' needs {source}: give {field}, the folder of it."
            )
        suffix = "" if self.scale == "lab" else f"-{self.scale}"
        if source == "imagenet":
            return _read("imagenet", str(make_mininet(data_folder() / f"mininet{suffix}", self.mininet)))
        # The embedded scenes lie in ImageNet's layout, too.
        return _read("imagenet", str(make_miniscenes(data_folder() / f"miniscenes{suffix}", self.miniscenes)))


@functools.lru_cache(maxsize=8)
def _read(source: Source, root: str) -> ImageFolders:
    return read_imagenet(root) if source == "imagenet" else read_sun397(root)


@functools.lru_cache(maxsize=8)
def _fingerprint(folders: ImageFolders) -> str:
    return folders.fingerprint()
