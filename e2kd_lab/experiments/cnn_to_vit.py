"""From a CNN to a ViT: distilling the priors of an architecture (Sec. 4.3.2; Fig. 4, A5).

At paper scale a B-cos DenseNet-169 teaches a B-cos ViT-Ti for 150 epochs of ImageNet; days on one data-centre GPU. At
lab scale a B-cos DenseNet mini of stride product 4 teaches a B-cos ViT mini with patches of 8 px on MiniScenes: vision
transformers learn slowly, and MiniNet's objects take them more steps than the lab has (12 % accuracy after 840 steps).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from torchvision.transforms import v2

from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.transforms import eval_transform, train_transform
from e2kd_lab.experiments.data import Scale
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.imagenet import ImageNetData
from e2kd_lab.experiments.imagenet_tables import build_bcos_densenet
from e2kd_lab.experiments.plan import Plan
from e2kd_lab.system.errors import ExperimentError

# Fig. 4's red curve: explanations that were stored once and are cropped with their images.
FROZEN_SETTING = "frozen"
# Sec. C.1.4: tau is 1.
GRID: Mapping[str, list[dict[str, float]]] = {
    "baseline": [{}],
    "kd": [{"tau": 1.0}],
    "e2kd": [{"tau": 1.0, "lam": lam} for lam in (1.0, 5.0, 10.0)],
}
_WARMUP_STEPS = 10_000


@dataclass(frozen=True, kw_only=True)
class CnnToVitData(ImageNetData):
    """Images for students that cut them into patches.

    Attributes
    ----------
    rand_augment : int
        Magnitude of RandAugment on the images of students; 0 for none. Frozen explanations are for images without it.
    patch : int
        Side of the student's patches in pixels.
    largest_shift : int
        Largest diagonal shift of Fig. 4's curves, in pixels.
    """

    rand_augment: int = 0
    patch: int
    largest_shift: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rand_augment <= 30:
            raise ExperimentError(f"'rand_augment' is {self.rand_augment}; expected a magnitude of 0 to 30.")
        if not 0 < self.largest_shift < self.image_size:
            raise ExperimentError(
                f"'largest_shift' is {self.largest_shift}; expected less than the image's {self.image_size} px."
            )

    def for_teacher(self) -> Self:
        """See `ImageNetData.for_teacher`; teachers see images without RandAugment."""
        return replace(super().for_teacher(), rand_augment=0)

    def config(self) -> dict[str, Any]:
        """See `Data.config`; patches and shifts are for evaluation only."""
        return super().config() | ({"rand_augment": self.rand_augment} if self.rand_augment else {})

    def _training_transform(self) -> v2.Transform:
        return train_transform(self.image_size, self.crop_scale, self.rand_augment)

    def wide_images(self) -> LabelledImages:
        """Test images with a margin of ``largest_shift`` pixels, of which shifted views are crops (Fig. 4, A5).

        The smaller side is resized to the network's input and the margin, and the centre cropped to a square.
        """
        side = self.image_size + self.largest_shift
        return LabelledImages(self.test_images(), transform=eval_transform(side, side))


def build(scale: Scale) -> Experiment:
    """The experiment at one of the scales, method ``baseline``."""
    densenet = build_bcos_densenet(scale)
    patch, largest_shift = {"paper": (16, 64), "lab": (8, 32), "smoke": (8, 8)}[scale]
    data = CnnToVitData(**vars(densenet.data), patch=patch, largest_shift=largest_shift)
    plan = Plan({"base": {}, FROZEN_SETTING: {"frozen": True}}, GRID, {FROZEN_SETTING: "frozen teacher"})
    base = replace(densenet, name="cnn_to_vit", display_name="CNN to ViT", data=data, plan=plan)
    if scale == "paper":
        steps = (1_281_167 - 1000 * base.held_out) // base.batch_size  # Sec. C.1.4 counts the warm-up in steps
        return base.replace(
            student="bcos_simple_vit_ti_patch16_224", epochs=150, warmup_epochs=_WARMUP_STEPS / steps, rand_augment=10
        )
    # The teacher's stride product must be smaller than the student's patches for the two periods to differ.
    networks = {"teacher": "bcos_densenet_mini", "student": "bcos_vit_mini", "num_classes": 10}
    return base.replace(**networks, own="sun397", images="sun397")
