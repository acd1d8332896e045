"""Freezing a teacher: its logits and explanations of all training images, computed once (Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.data import default_collate
from torchvision.transforms import v2

from e2kd_lab.data.frozen import LOCK, FrozenWriter, verified_once
from e2kd_lab.data.frozen_spec import FrozenSpec, cosine_kept
from e2kd_lab.data.image_folders import LabelledImages
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.experiments.imagenet import ImageNetExperiment
from e2kd_lab.explanations import explain_in_parts
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.system.errors import DataError
from e2kd_lab.system.folder_lock import held
from e2kd_lab.training.hardware import named_device
from e2kd_lab.training.memory_format import prepare_frozen

_CHUNK, _SAMPLE = 128, 64


@dataclass(frozen=True)
class Storage:
    """What one way to store explanations costs and keeps.

    Attributes
    ----------
    spec : FrozenSpec
        The form.
    gigabytes : float
        Size of the cache.
    cosine : float
        Mean cosine similarity of stored and computed maps, in [-1, 1].
    """

    spec: FrozenSpec
    gigabytes: float
    cosine: float


def freeze(
    experiment: ImageNetExperiment,
    *,
    folder: Path | str | None = None,
    runs: Path | str | None = None,
    device: torch.device | str = "auto",
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Compute and store what a frozen experiment's teacher says about its training images.

    A call that was interrupted is continued by the next one; a complete cache is returned at once.

    Parameters
    ----------
    experiment : ImageNetExperiment
        Gives teacher, images and the form of storage; its teacher must be trained.
    folder : Path or str, optional
        Where the cache goes; ``experiment.frozen_folder()`` by default.
    runs : Path or str, optional
        Where runs lie.
    device : torch.device or str
        Where to compute; ``auto`` on a GPU if there is one.
    say : callable
        Receives a line for each chunk.

    Returns
    -------
    Path
        The cache.

    Raises
    ------
    DataError
        If the folder holds another cache, another process is freezing into it, or it cannot be written to.
    RunError
        If the teacher is not trained yet, or the disk is full.
    """
    spec = experiment.frozen_spec()
    folder = experiment.frozen_folder() if folder is None else Path(folder)
    images, names = _training_images(experiment)
    if _is_complete(folder, spec, names):  # which may lie where nothing can be written
        return folder
    with held(folder, folder / LOCK, "freezing a teacher into it", DataError):
        writer = FrozenWriter(folder, spec, names, chunk=_CHUNK)
        missing = list(writer.missing())
        where = named_device(device)
        teacher = load_teacher(experiment, folder=runs).to(where)
        prepare_frozen(teacher, experiment.image_size, where)
        for rows in missing:
            batch = as_unit_range(default_collate([images[row]["image"] for row in rows])).to(where)
            explanation = explain_in_parts(teacher, batch)
            writer.write(rows, explanation.logits, explanation.maps)
            say(f"{rows.stop} of {len(names)} images frozen")
    return folder


def storage_choices(
    experiment: ImageNetExperiment, *, runs: Path | str | None = None, device: torch.device | str = "auto"
) -> list[Storage]:
    """Size of the whole cache and cosine kept, on some images, for single and half precision and reduced maps."""
    images, names = _training_images(experiment)
    where = named_device(device)
    teacher = load_teacher(experiment, folder=runs).to(where)
    sample = range(0, len(names), max(1, len(names) // _SAMPLE))
    batch = as_unit_range(default_collate([images[row]["image"] for row in sample])).to(where)
    maps = explain_in_parts(teacher, batch).maps
    choices = []
    for dtype, reduction in (("float32", 1), ("float16", 1), ("float16", 2), ("float16", 4), ("float16", 8)):
        spec = replace(experiment.frozen_spec(), dtype=dtype, reduction=reduction)
        choices.append(Storage(spec, spec.bytes_per_image() * len(names) / 1e9, cosine_kept(maps, spec)))
    return choices


def _is_complete(folder: Path, spec: FrozenSpec, names: list[str]) -> bool:
    try:
        cache = verified_once(folder)
    except DataError:
        return False
    return cache.spec == spec and list(cache.row_of) == names


def _training_images(experiment: ImageNetExperiment) -> tuple[LabelledImages, list[str]]:
    """All images that students of the experiment may see, as the teacher is shown them."""
    every = experiment.replace(shots=None)
    size = experiment.image_size
    view = v2.Resize([size, size], antialias=True)
    return LabelledImages(every.training_images(), transform=view), every.training_files() or []
