"""Learning the right features from biased data: Waterbirds-100 (Sec. 4.2; Fig. 1, 3, A1, A2, B1, B2).

At paper scale a guided ResNet-50 teaches a ResNet-18: batch 64, 700 epochs, + mixup, + 5x longer. One run of 700 epochs
sees 3.4 million images; about two hours on one data-centre GPU, and ten for the longest setting.
At lab scale small ResNets learn from MiniBirds at 64 px, a student in half a minute on two CPU cores; the teacher is
trained on the unbiased teacher set instead of being guided.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from torch.utils.data import Dataset

from e2kd_lab.data.scenes import Resized, Scene
from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import train_transform
from e2kd_lab.data.waterbirds import CLASSES, Waterbirds, read_waterbirds
from e2kd_lab.experiments import bcosified
from e2kd_lab.experiments.data import PHOTOGRAPH_SIDE, Data, Scale
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.networks import Family, Networks
from e2kd_lab.experiments.plan import Changes, Plan
from e2kd_lab.metrics.groups import WATERBIRDS, Grouping
from e2kd_lab.minidata.drawn_scenes import BirdScene
from e2kd_lab.minidata.minibirds import MiniBirds, make_minibirds
from e2kd_lab.system.errors import DataError
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe


def _longer(experiment: Experiment) -> dict[str, float]:
    return {"mixup": 1.0, "epochs": 5 * experiment.epochs}


# Columns of Fig. 3.
_CHANGES: Mapping[str, Changes] = {"base": {}, "mixup": {"mixup": 1.0}, "long": _longer}
_TITLES: Mapping[str, str] = {"mixup": "+ mixup", "long": "+ mixup, 5x longer", bcosified.SETTING: bcosified.TITLE}

# Hyper-parameters that the paper tried (Sec. C.1.2).
GRID: Mapping[Family, Mapping[str, list[dict[str, float]]]] = {
    "standard": {
        "baseline": [{}],
        "kd": [{"tau": tau} for tau in (1.0, 5.0)],
        "e2kd": [{"tau": tau, "lam": lam} for tau in (1.0, 5.0) for lam in (1.0, 5.0, 10.0, 15.0)],
        "at": [{"lam": lam} for lam in (10.0, 100.0, 1000.0)],
        "reviewkd": [{"lam": lam} for lam in (1.0, 5.0, 10.0, 15.0)],
        "catkd": [{"lam": lam} for lam in (1.0, 5.0, 10.0, 15.0)],
    },
    "bcos": {
        "baseline": [{}],
        "kd": [{"tau": tau} for tau in (1.0, 5.0)],
        "e2kd": [{"tau": 1.0, "lam": lam} for lam in (1.0, 5.0, 10.0)],
        "at": [{"lam": lam} for lam in (10.0, 100.0, 1000.0)],
        "reviewkd": [{"lam": lam} for lam in (1.0, 5.0, 10.0)],
        "catkd": [{"lam": lam} for lam in (1.0, 5.0, 10.0)],
    },
}


@dataclass(frozen=True, kw_only=True)
class WaterbirdsData(Data):
    """Images whose background tells the class in training, but not in the test.

    Guided teachers learn from the biased images, guided to the birds' masks, as the paper's did; teachers without
    guidance learn from unbiased images.

    Attributes
    ----------
    teacher_data_root : str or None
        Folder of the unbiased images; None for ``teacher`` beside the data set.
    minibirds : MiniBirds or None
        The embedded set that is made where no ``data_root`` is given.
    """

    image_size: int
    resize: int
    teacher_data_root: str | None = None
    minibirds: MiniBirds | None = None

    def published_counts(self) -> Mapping[Split, int]:
        """See `Data.published_counts`: those of Waterbirds-100."""
        return {"train": 4795, "val": 1199, "test": 5794}

    def stand_in(self) -> Self:
        """See `Data.stand_in`."""
        drawn = MiniBirds(size=PHOTOGRAPH_SIDE, train=(48, 16), val=4, test=1, teacher=16)
        return replace(self, data_root=None, teacher_data_root=None, minibirds=drawn)

    def dataset(self, split: Split, experiment: Experiment) -> Dataset:
        """See `Data.dataset`; with masks where training is guided."""
        training = split == "train"
        waterbirds = _read(str(self._teacher_root() if training and _is_unbiased(experiment) else self._root()))
        transform = train_transform(self.image_size, self.crop_scale) if training else self.evaluation_transform()
        guided = training and experiment.training_guidance() is not None
        return waterbirds.split(split, transform=transform, masks=guided, cache=self.scale != "paper")

    def dataset_with_objects(self, split: Split) -> Dataset | None:
        """See `Data.dataset_with_objects`: with the birds' soft masks (``mask``), if the set has any."""
        waterbirds = _read(str(self._root()))
        if waterbirds.masks is None:
            return None
        transform = self.evaluation_transform()
        return waterbirds.split(split, transform=transform, masks=True, cache=self.scale != "paper")

    def scene(self, split: Split, index: int, experiment: Experiment) -> Scene:
        """See `Data.scene`; birds of the embedded set can be redrawn."""
        if self.data_root is not None or self.minibirds is None:
            return super().scene(split, index, experiment)
        waterbirds = _read(str(self._root()))
        image = waterbirds.split(split).records[index].image
        scene = BirdScene.of(self.minibirds, image.relative_to(waterbirds.folder).as_posix())
        return Resized(scene, self.evaluation_transform())

    def classes(self) -> tuple[str, ...]:
        """See `Data.classes`."""
        return CLASSES

    def grouping(self) -> Grouping:
        """See `Data.grouping`: kind of bird and background."""
        return WATERBIRDS

    @property
    def teacher_name(self) -> str:
        """See `Data.teacher_name`: the data set."""
        return "waterbirds"

    @property
    def teacher_title(self) -> str:
        """See `Data.teacher_title`."""
        return "Waterbirds"

    def fingerprint(self, experiment: Experiment) -> str:
        """See `Data.fingerprint`."""
        roots = [self._root()] + ([self._teacher_root()] if _is_unbiased(experiment) else [])
        return "+".join(_read(str(root)).fingerprint() for root in roots)

    def _root(self) -> Path:
        if self.data_root is not None:
            return Path(self.data_root)
        if self.minibirds is None:
            raise DataError(
                f"Experiment 'waterbirds' at scale '{self.scale}' needs the data set: give data_root, "
                "a Waterbirds folder or the root that holds one."
            )
        return make_minibirds(self.embedded_folder("minibirds", self.minibirds), self.minibirds)

    def _teacher_root(self) -> Path:
        if self.teacher_data_root is not None:
            return Path(self.teacher_data_root)
        beside = self._root() / "teacher"
        if not beside.is_dir():
            raise DataError(
                f"{self._root()} has no folder 'teacher' with unbiased images to train a teacher on; "
                "expected one, or teacher_data_root, or a trained teacher as teacher_weights."
            )
        return beside


def _is_unbiased(experiment: Experiment) -> bool:
    """Whether training images lack the bias; unguided teachers learn from such images."""
    return experiment.method == "teacher" and experiment.training_guidance() is None


@functools.lru_cache(maxsize=8)
def _read(root: str) -> Waterbirds:
    return read_waterbirds(root)


def build(scale: Scale, family: Family = "standard") -> Experiment:
    """The experiment at one of the scales, base setting, method ``baseline``."""
    optimisation = BCOS_OPTIMISATION if family == "bcos" else {}
    if scale == "paper":
        teacher, student, sizes, minibirds = "resnet50", "resnet18", (224, 256), None
        recipe = Recipe(epochs=700, batch_size=64, validate_every=10, **optimisation)
        # Where no guided teacher is given, one is trained on unbiased data, from the weights that are given for it.
        teacher_recipe = replace(recipe, epochs=100, lr=1e-3, seed=TEACHER_SEED)
    elif scale == "lab":
        teacher, student, sizes, minibirds = "resnet_mini", "resnet_mini", (64, 64), MiniBirds()
        recipe = Recipe(epochs=12, batch_size=64, warmup_epochs=1, validate_every=2, **optimisation)
        teacher_recipe = replace(recipe, epochs=24, validate_every=4, seed=TEACHER_SEED)
    else:
        teacher, student, sizes = "resnet_mini", "resnet_mini", (32, 32)
        minibirds = MiniBirds(size=32, train=(33, 15), val=4, test=4, teacher=12)
        recipe = Recipe(epochs=2, batch_size=16, warmup_epochs=1, **optimisation)
        teacher_recipe = replace(recipe, seed=TEACHER_SEED)
    image_size, resize = sizes
    bcos, changes = "", _CHANGES
    if family == "bcos":
        bcos = "bcos_"
        changes = {**_CHANGES, bcosified.SETTING: bcosified.with_bcosified_teacher(build(scale))}
    return Experiment(
        name="waterbirds",
        display_name="Waterbirds",
        recipe=recipe,
        teacher_recipe=teacher_recipe,
        data=WaterbirdsData(
            scale=scale, image_size=image_size, resize=resize, crop_scale=(0.7, 1.0), minibirds=minibirds
        ),
        networks=Networks(family=family, teacher=bcos + teacher, student=bcos + student, num_classes=2),
        plan=Plan(changes, GRID[family], _TITLES, beyond=(bcosified.SETTING,)),
    )
