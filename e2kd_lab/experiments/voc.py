"""Maintaining focused explanations: PASCAL VOC with guided teachers (Sec. 4.3.1; Table 4, Fig. 2, A3, A4).

At paper scale a B-cos ResNet-50, guided by boxes, teaches a B-cos ResNet-18 for 150 epochs of 5 200 images; about an
hour on one data-centre GPU. At lab scale small B-cos ResNets learn from MiniVOC at 64 px.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset
from torchvision.transforms import v2

from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import train_transform
from e2kd_lab.data.voc import Voc, read_voc
from e2kd_lab.data.voc_split import VocSplit
from e2kd_lab.experiments.experiment import Experiment, Family, Scale
from e2kd_lab.methods.guidance import GUIDANCE, GuidanceName
from e2kd_lab.minidata.minivoc import CLASSES as MINIVOC_CLASSES
from e2kd_lab.minidata.minivoc import MiniVoc, make_minivoc
from e2kd_lab.system.errors import DataError, ExperimentError
from e2kd_lab.system.paths import expanded
from e2kd_lab.system.workspace import data_folder
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe

# Table 4's second column: a teacher guided to fill the boxes.
IOU_SETTING = "iou"
_TAUS, _LAMS = (1.0, 5.0), (1.0, 5.0, 10.0)
GRID: Mapping[str, list[dict[str, float]]] = {
    "baseline": [{}],
    "kd": [{"tau": tau} for tau in _TAUS],
    "e2kd": [{"tau": tau, "lam": lam} for tau in _TAUS for lam in _LAMS],
}


@dataclass(frozen=True, kw_only=True)
class VocExperiment(Experiment):
    """Distillation of a teacher whose explanations were guided to the objects' boxes.

    Attributes
    ----------
    guidance : str or None
        Of the teacher: ``energy`` (EPG teacher), ``l1`` (IoU teacher) or None for an unguided one.
    l1_weight : float
        ``guidance_weight`` in the setting ``iou``.
    minivoc : MiniVoc or None
        The embedded set that is made where no ``data_root`` is given.
    """

    results_version = Experiment.results_version + 1  # boxes came to keep fractions of a pixel

    image_size: int
    resize: int
    guidance: GuidanceName | None = "energy"
    l1_weight: float = 1.0
    minivoc: MiniVoc | None = None

    def __post_init__(self) -> None:
        if self.guidance is not None and self.guidance not in GUIDANCE:
            raise ExperimentError(f"'guidance' is '{self.guidance}'; expected {', '.join(GUIDANCE)} or None.")
        super().__post_init__()
        if self.method not in ("teacher", *GRID):
            raise ExperimentError(
                f"Method '{self.method}' is not for images with several labels; expected one of {', '.join(GRID)}."
            )

    @property
    def multilabel(self) -> bool:
        """See `Experiment.multilabel`."""
        return True

    def settings(self) -> tuple[str, ...]:
        """Columns of Table 4: ``base``, the EPG teacher, and ``iou``, the IoU teacher."""
        return ("base", IOU_SETTING)

    def _setting_changes(self, setting: str) -> dict[str, Any]:
        return {"guidance": "l1", "guidance_weight": self.l1_weight} if setting == IOU_SETTING else {}

    def _grids(self) -> Mapping[str, list[dict[str, float]]]:
        return GRID

    def config(self) -> dict[str, Any]:
        """See `Experiment.config`; the embedded set counts by its content."""
        return {name: value for name, value in super().config().items() if name not in ("minivoc", "l1_weight")}

    def located(self, split: Split) -> VocSplit:
        """The images of a split as evaluation sees them, with ``boxes`` and ``box_labels`` (see `VocSplit`)."""
        size = [self.image_size, self.image_size]
        return self._voc().split(split, transform=v2.Resize(size, antialias=True), boxes=True)

    def dataset(self, split: Split) -> Dataset:
        """See `Experiment.dataset`; evaluation squeezes whole images to a square, so that no box is lost (C.1.3)."""
        voc, size = self._voc(), [self.image_size, self.image_size]
        if len(voc.classes) != self.num_classes:
            raise DataError(
                f"{voc.folder} has {len(voc.classes)} classes; expected num_classes = {self.num_classes} of them."
            )
        transform = (
            train_transform(self.image_size, self.crop_scale) if split == "train" else v2.Resize(size, antialias=True)
        )
        masks = split != "train" or self.training_guidance() is not None
        return voc.split(split, transform=transform, masks=masks, cache=self.scale != "paper")

    def classes(self) -> tuple[str, ...]:
        """See `Experiment.classes`."""
        return self._voc().classes

    def data_fingerprint(self) -> str:
        """See `Experiment.data_fingerprint`."""
        return self._voc().fingerprint()

    def _voc(self) -> Voc:
        if self.data_root is not None:
            return _read(str(expanded(self.data_root).resolve()))
        if self.minivoc is None:
            raise DataError(
                f"Experiment 'voc' at scale '{self.scale}' needs the data set: give data_root, a folder VOC2012 or "
                "VOC2007, or one that holds it."
            )
        folder = data_folder() / ("minivoc" if self.scale == "lab" else f"minivoc-{self.scale}")
        return _read(str(make_minivoc(folder, self.minivoc)))


@functools.lru_cache(maxsize=8)
def _read(root: str) -> Voc:
    return read_voc(root)


def build(scale: Scale, family: Family = "bcos") -> VocExperiment:
    """The experiment at one of the scales, with the EPG teacher, method ``baseline``."""
    bcos = "bcos_" if family == "bcos" else ""
    optimisation = dict(BCOS_OPTIMISATION) if family == "bcos" else {}
    if scale == "paper":
        return VocExperiment(
            name="voc",
            scale=scale,
            family=family,
            teacher=f"{bcos}resnet50",
            student=f"{bcos}resnet18",
            num_classes=20,
            epochs=150,
            batch_size=64,
            # Where no guided teacher is given, one is trained, from the ImageNet weights that are given for it.
            teacher_recipe=Recipe(
                epochs=50, batch_size=64, seed=TEACHER_SEED, **{**optimisation, "lr": 1e-4, "adaptive_clip": None}
            ),
            image_size=224,
            resize=224,
            select="best",
            **optimisation,
        )
    small = scale == "smoke"
    if family == "bcos":
        optimisation["lr"] = 3e-3
    return VocExperiment(
        name="voc",
        scale=scale,
        family=family,
        teacher=f"{bcos}resnet_mini" + ("" if small else "_deep"),
        student=f"{bcos}resnet_mini",
        num_classes=len(MINIVOC_CLASSES),
        epochs=2 if small else 30,
        batch_size=16 if small else 32,
        warmup_epochs=1,
        validate_every=1 if small else 5,
        teacher_recipe=Recipe(
            epochs=2 if small else 25,
            batch_size=16 if small else 32,
            warmup_epochs=1,
            validate_every=1 if small else 5,
            seed=TEACHER_SEED,
            **optimisation,
        ),
        image_size=32 if small else 64,
        resize=32 if small else 64,
        crop_scale=(0.5, 1.0),
        select="best",
        guidance_weight=0.3,
        l1_weight=0.8,
        minivoc=MiniVoc(size=48, train=16, val=8, test=8) if small else MiniVoc(),
        **optimisation,
    )
