"""Learning the right features from biased data: Waterbirds-100 (Sec. 4.2; Fig. 1, 3, A1, A2, B1, B2).

At paper scale a guided ResNet-50 teaches a ResNet-18: batch 64, 700 epochs, + mixup, + 5x longer. One run of 700 epochs
sees 3.4 million images; about two hours on one data-centre GPU, and ten for the longest setting.
At lab scale small ResNets learn from MiniBirds at 64 px, a student in half a minute on two CPU cores; the teacher is
trained on the unbiased teacher set instead of being guided.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import eval_transform, train_transform
from e2kd_lab.data.waterbirds import CLASSES, Waterbirds, read_waterbirds
from e2kd_lab.experiments.experiment import Experiment, Family, Scale
from e2kd_lab.metrics.groups import WATERBIRDS, Grouping
from e2kd_lab.minidata.minibirds import MiniBirds, make_minibirds
from e2kd_lab.system.errors import DataError
from e2kd_lab.system.workspace import data_folder
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe

# Columns of Fig. 3: each setting's changes to the base recipe.
SETTINGS: Mapping[str, str] = {"base": "", "mixup": "+ mixup", "long": "+ mixup, 5x longer"}
MIXUP_ALPHA = 1.0
LONGER = 5

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
class WaterbirdsExperiment(Experiment):
    """Distillation on images whose background tells the class in training, but not in the test.

    Attributes
    ----------
    guidance : str or None
        ``energy`` or ``l1``: the teacher learns from the biased images themselves, guided to the birds' masks, as the
        paper's was; None: it learns from unbiased images, without guidance.
    minibirds : MiniBirds or None
        The embedded set that is made where no ``data_root`` is given.
    """

    image_size: int
    resize: int
    minibirds: MiniBirds | None = None

    def settings(self) -> tuple[str, ...]:
        """Columns of Fig. 3: ``base``, ``mixup`` and ``long`` (mixup and five times the epochs)."""
        return tuple(SETTINGS)

    def _setting_changes(self, setting: str) -> dict[str, Any]:
        changes: dict[str, Any] = {} if setting == "base" else {"mixup": MIXUP_ALPHA}
        return changes | ({"epochs": LONGER * self.epochs} if setting == "long" else {})

    def _grids(self) -> Mapping[str, list[dict[str, float]]]:
        return GRID[self.family]

    def config(self) -> dict[str, Any]:
        """See `Experiment.config`; the embedded set counts by its content."""
        return {name: value for name, value in super().config().items() if name != "minibirds"}

    def dataset(self, split: Split) -> Dataset:
        """See `Experiment.dataset`."""
        guided = split == "train" and self.training_guidance() is not None
        waterbirds = _read(str(self._teacher_root() if split == "train" and self._is_unbiased() else self._root()))
        if split == "train":
            transform = train_transform(self.image_size, self.crop_scale)
        else:
            transform = eval_transform(self.image_size, self.resize)
        return waterbirds.split(split, transform=transform, masks=guided, cache=self.scale != "paper")

    def located(self, split: Split) -> Dataset | None:
        """See `Experiment.located`: with the birds' soft masks (``mask``), if the set has any."""
        waterbirds = _read(str(self._root()))
        if waterbirds.masks is None:
            return None
        transform = eval_transform(self.image_size, self.resize)
        return waterbirds.split(split, transform=transform, masks=True, cache=self.scale != "paper")

    def classes(self) -> tuple[str, ...]:
        """See `Experiment.classes`."""
        return CLASSES

    def grouping(self) -> Grouping:
        """See `Experiment.grouping`: kind of bird and background."""
        return WATERBIRDS

    def data_fingerprint(self) -> str:
        """See `Experiment.data_fingerprint`."""
        roots = [self._root()] + ([self._teacher_root()] if self._is_unbiased() else [])
        return "+".join(_read(str(root)).fingerprint() for root in roots)

    def _is_unbiased(self) -> bool:
        """Whether training images are those without the bias, which unguided teachers learn from."""
        return self.method == "teacher" and self.guidance is None

    def _root(self) -> Path:
        if self.data_root is not None:
            return Path(self.data_root)
        if self.minibirds is None:
            raise DataError(
                f"Experiment 'waterbirds' at scale '{self.scale}' needs the data set: give data_root, "
                "a Waterbirds folder or the root that holds one."
            )
        folder = data_folder() / ("minibirds" if self.scale == "lab" else f"minibirds-{self.scale}")
        return make_minibirds(folder, self.minibirds)

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


@functools.lru_cache(maxsize=8)
def _read(root: str) -> Waterbirds:
    return read_waterbirds(root)


def build(scale: Scale, family: Family = "standard") -> WaterbirdsExperiment:
    """The experiment at one of the scales, base setting, method ``baseline``."""
    bcos = "bcos_" if family == "bcos" else ""
    optimisation = BCOS_OPTIMISATION if family == "bcos" else {}
    if scale == "paper":
        return WaterbirdsExperiment(
            name="waterbirds",
            scale=scale,
            family=family,
            teacher=f"{bcos}resnet50",
            student=f"{bcos}resnet18",
            num_classes=2,
            epochs=700,
            batch_size=64,
            validate_every=10,
            # Where no guided teacher is given, one is trained on unbiased data, from the weights that are given for it.
            teacher_recipe=Recipe(
                epochs=100, batch_size=64, validate_every=10, seed=TEACHER_SEED, **{**optimisation, "lr": 1e-3}
            ),
            image_size=224,
            resize=256,
            crop_scale=(0.7, 1.0),
            **optimisation,
        )
    lab = WaterbirdsExperiment(
        name="waterbirds",
        scale=scale,
        family=family,
        teacher=f"{bcos}resnet_mini",
        student=f"{bcos}resnet_mini",
        num_classes=2,
        epochs=12,
        batch_size=64,
        warmup_epochs=1,
        validate_every=2,
        teacher_recipe=Recipe(
            epochs=24, batch_size=64, warmup_epochs=1, validate_every=4, seed=TEACHER_SEED, **optimisation
        ),
        image_size=64,
        resize=64,
        crop_scale=(0.7, 1.0),
        minibirds=MiniBirds(),
        **optimisation,
    )
    if scale == "lab":
        return lab
    return lab.replace(
        epochs=2,
        batch_size=16,
        validate_every=1,
        teacher_recipe=Recipe(epochs=2, batch_size=16, warmup_epochs=1, seed=TEACHER_SEED, **optimisation),
        image_size=32,
        resize=32,
        minibirds=MiniBirds(size=32, train=(33, 15), val=4, test=4, teacher=12),
    )
