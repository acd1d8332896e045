"""A frozen teacher: stored logits and explanations of an experiment's training images (Sec. 3.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2kd_lab.data.frozen import FrozenTeacher
from e2kd_lab.data.frozen_images import FrozenImages
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.frozen_verified import verified_once
from e2kd_lab.data.image_folders import LabelledImage
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.models import explanation_by_name
from e2kd_lab.system.workspace import data_folder

if TYPE_CHECKING:
    from e2kd_lab.experiments.experiment import Experiment


def frozen_spec(experiment: Experiment) -> FrozenSpec:
    """Contents of the cache of an experiment's teacher; its data are `e2kd_lab.experiments.imagenet.ImageNetData`."""
    explained_by = "" if experiment.explanation is None else f", explained by {experiment.explanation}"
    return FrozenSpec(
        teacher=experiment.teacher_fingerprint() + explained_by,
        data=experiment.fingerprint_of_images(),
        **stored_as(experiment),
    )


def stored_as(experiment: Experiment) -> dict[str, Any]:
    """The part of `frozen_spec` that says in what form explanations are stored."""
    explanation = EXPLANATIONS[experiment.explanation or explanation_by_name(experiment.teacher) or "gradcam"]
    return {
        "view": experiment.image_size,
        "channels": explanation.channels,
        "classes": experiment.num_classes,
        "reduction": experiment.frozen_reduction,
        "dtype": experiment.frozen_dtype,
    }


def frozen_folder(experiment: Experiment) -> Path:
    """Folder of the cache: another one for each teacher, data set and form."""
    if experiment.frozen_root is not None:
        return Path(experiment.frozen_root)
    digest = hashlib.sha256(repr(frozen_spec(experiment)).encode()).hexdigest()[:8]
    return data_folder() / "frozen" / f"{experiment.teacher}-{digest}"


def frozen_images(experiment: Experiment) -> FrozenImages:
    """Training images with their stored logits and explanations, cropped alike.

    Raises
    ------
    DataError
        If there is no complete cache of this teacher and these images.
    """
    spec = frozen_spec(experiment)
    cache = verified_once(frozen_folder(experiment), teacher=spec.teacher, data=spec.data)
    return images_with_frozen(experiment, experiment.training_images(), experiment.training_files(), cache)


def images_with_frozen(
    experiment: Experiment, images: Sequence[LabelledImage], names: Sequence[str], cache: FrozenTeacher
) -> FrozenImages:
    """Images with what a cache holds of them, by name, cropped as the experiment crops training images."""
    read = LabelledImages(images, cache=experiment.scale != "paper", reduced=experiment.reduced_decoding or None)
    return FrozenImages(read, names, cache, experiment.image_size, experiment.crop_scale)
