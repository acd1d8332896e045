"""Maintaining focused explanations: PASCAL VOC with guided teachers (Sec. 4.3.1; Table 4, Fig. 2, A3, A4).

At paper scale a B-cos ResNet-50, guided by boxes, teaches a B-cos ResNet-18 for 150 epochs of 5 200 images; about an
hour on one data-centre GPU. At lab scale small B-cos ResNets learn from MiniVOC at 64 px.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from torch.utils.data import Dataset
from torchvision.transforms import v2

from e2kd_lab.data.scenes import Resized, Scene
from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import train_transform
from e2kd_lab.data.voc import Voc, read_voc
from e2kd_lab.data.voc_split import VocSplit
from e2kd_lab.experiments import bcosified
from e2kd_lab.experiments.data import PHOTOGRAPH_SIDE, Data, Scale
from e2kd_lab.experiments.distillation import Distillation
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.networks import Family, Networks
from e2kd_lab.experiments.plan import Changes, Plan
from e2kd_lab.minidata.drawn_scenes import ObjectScene
from e2kd_lab.minidata.minivoc import CLASSES as MINIVOC_CLASSES
from e2kd_lab.minidata.minivoc import MiniVoc, make_minivoc
from e2kd_lab.system.errors import DataError, ExperimentError
from e2kd_lab.system.paths import expanded
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe

# Table 4's second column: students of the IoU teacher, which is guided to fill the boxes.
IOU_SETTING = "iou"
_TAUS, _LAMS = (1.0, 5.0), (1.0, 5.0, 10.0)
GRID: Mapping[str, list[dict[str, float]]] = {
    "baseline": [{}],
    "kd": [{"tau": tau} for tau in _TAUS],
    "e2kd": [{"tau": tau, "lam": lam} for tau in _TAUS for lam in _LAMS],
}


@dataclass(frozen=True, kw_only=True)
class VocData(Data):
    """Images of several classes, with boxes.

    Attributes
    ----------
    minivoc : MiniVoc or None
        The embedded set that is made where no ``data_root`` is given.
    """

    multilabel: ClassVar[bool] = True
    results_version: ClassVar[int] = Data.results_version + 1  # boxes came to keep fractions of a pixel

    image_size: int
    resize: int
    minivoc: MiniVoc | None = None

    def check(self, experiment: Experiment) -> None:
        """See `Data.check`: refuses methods for images of one class."""
        if experiment.method not in ("teacher", *GRID):
            raise ExperimentError(
                f"Method '{experiment.method}' is not for images with several labels; expected one of "
                f"{', '.join(GRID)}."
            )

    def published_counts(self) -> Mapping[Split, int]:
        """See `Data.published_counts`: those of VOC 2012 as `e2kd_lab.data.voc.Voc.images` splits it."""
        return {"train": 5145, "val": 572, "test": 5823}

    def stand_in(self) -> Self:
        """See `Data.stand_in`."""
        return replace(self, data_root=None, minivoc=MiniVoc(size=PHOTOGRAPH_SIDE, train=64, val=16, test=1))

    def dataset(self, split: Split, experiment: Experiment) -> Dataset:
        """See `Data.dataset`."""
        training = split == "train"
        transform = train_transform(self.image_size, self.crop_scale) if training else self.evaluation_transform()
        masks = split != "train" or experiment.training_guidance() is not None
        return self._voc().split(split, transform=transform, masks=masks, cache=self.scale != "paper")

    def dataset_with_objects(self, split: Split) -> VocSplit:
        """See `Data.dataset_with_objects`: with ``boxes`` and ``box_labels`` (see `VocSplit`)."""
        return self._voc().split(split, transform=self.evaluation_transform(), boxes=True)

    def evaluation_transform(self) -> v2.Transform:
        """See `Data.evaluation_transform`; whole images are squeezed to a square, so that no box is lost (C.1.3)."""
        return v2.Resize([self.image_size, self.image_size], antialias=True)

    def scene(self, split: Split, index: int, experiment: Experiment) -> Scene:
        """See `Data.scene`; pictures of the embedded set can be redrawn."""
        if self.data_root is not None or self.minivoc is None:
            return super().scene(split, index, experiment)
        scene = ObjectScene.of(self.minivoc, self._voc().images(split)[index].path.stem)
        return Resized(scene, self.evaluation_transform())

    def classes(self) -> tuple[str, ...]:
        """See `Data.classes`."""
        return self._voc().classes

    def fingerprint(self, experiment: Experiment) -> str:
        """See `Data.fingerprint`."""
        return self._voc().fingerprint()

    def _voc(self) -> Voc:
        if self.data_root is not None:
            return _read(str(expanded(self.data_root).resolve()))
        if self.minivoc is None:
            raise DataError(
                f"Experiment 'voc' at scale '{self.scale}' needs the data set: give data_root, a folder VOC2012 or "
                "VOC2007, or one that holds it."
            )
        return _read(str(make_minivoc(self.embedded_folder("minivoc", self.minivoc), self.minivoc)))


@functools.lru_cache(maxsize=8)
def _read(root: str) -> Voc:
    return read_voc(root)


def build(scale: Scale, family: Family = "bcos") -> Experiment:
    """The experiment at one of the scales, with the EPG teacher, method ``baseline``."""
    optimisation: dict[str, Any] = dict(BCOS_OPTIMISATION) if family == "bcos" else {}
    if scale == "paper":
        teacher, student, classes = "resnet50", "resnet18", 20
        energy_weight, l1_weight = 1.0, 1.0
        recipe = Recipe(epochs=150, batch_size=64, **optimisation)
        # Where no guided teacher is given, one is trained, from the ImageNet weights that are given for it.
        teacher_recipe = replace(recipe, epochs=50, lr=1e-4, adaptive_clip=None, seed=TEACHER_SEED)
        data = VocData(scale=scale, image_size=224, resize=224)
    else:
        teacher, student, classes = "resnet_mini_deep", "resnet_mini", len(MINIVOC_CLASSES)
        energy_weight, l1_weight = 0.3, 0.8
        optimisation |= {"lr": 3e-3} if family == "bcos" else {}
        recipe = Recipe(epochs=30, batch_size=32, warmup_epochs=1, validate_every=5, **optimisation)
        teacher_recipe = replace(recipe, epochs=25, seed=TEACHER_SEED)
        data = VocData(scale=scale, image_size=64, resize=64, crop_scale=(0.5, 1.0), minivoc=MiniVoc())
    if scale == "smoke":
        teacher = "resnet_mini"
        recipe = replace(recipe, epochs=2, batch_size=16, validate_every=1)
        teacher_recipe = replace(recipe, seed=TEACHER_SEED)
        data = replace(data, image_size=32, resize=32, minivoc=MiniVoc(size=48, train=16, val=8, test=8))
    bcos = "bcos_" if family == "bcos" else ""
    changes: dict[str, Changes] = {"base": {}, IOU_SETTING: {"guidance": "l1", "guidance_weight": l1_weight}}
    if family == "bcos":
        changes[bcosified.SETTING] = bcosified.with_bcosified_teacher(build(scale, "standard"))
    return Experiment(
        name="voc",
        display_name="PASCAL VOC",
        select="best",
        recipe=recipe,
        teacher_recipe=teacher_recipe,
        data=data,
        networks=Networks(family=family, teacher=bcos + teacher, student=bcos + student, num_classes=classes),
        distillation=Distillation(guidance="energy", guidance_weight=energy_weight),
        plan=Plan(
            changes,
            GRID,
            {"base": "EPG teacher", IOU_SETTING: "IoU teacher", bcosified.SETTING: bcosified.TITLE},
            beyond=(bcosified.SETTING,),
        ),
    )
