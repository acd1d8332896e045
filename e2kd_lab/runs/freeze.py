"""Freezing a teacher: its logits and explanations of all training images, computed once (Sec. 3.3)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import default_collate
from torchvision.transforms import v2

from e2kd_lab.data.frozen import LOCK, FrozenWriter
from e2kd_lab.data.frozen_spec import FrozenSpec, cosines_kept, read_form, stored_form
from e2kd_lab.data.frozen_verified import verified_once
from e2kd_lab.data.images import content_digest
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.experiments import Experiment
from e2kd_lab.experiments.frozen_teacher import frozen_folder, frozen_spec
from e2kd_lab.explanations import explain_in_parts
from e2kd_lab.models.memory_format import prepare_frozen
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.system.errors import DataError
from e2kd_lab.system.folder_lock import folder_lock
from e2kd_lab.training.hardware import named_device

_CHUNK, _SAMPLE, _REPEATS = 128, 64, 3
# Forms to compare: type or code, and reduction.
_FORMS = (
    *(("float32", 1), ("float16", 1), ("float16", 2), ("float16", 4), ("float16", 8)),
    *((code, 1) for code in ("q8", "q7", "q6", "q5", "q4", "cos0.995", "cos0.99", "cos0.98", "cos0.95")),
)


@dataclass(frozen=True)
class Storage:
    """Cost and fidelity of one form of stored explanations.

    Attributes
    ----------
    spec : FrozenSpec
        The form.
    gigabytes : float
        Size of the cache.
    cosine : float
        Mean cosine similarity of stored and computed maps, in [-1, 1].
    lowest : float
        The lowest such cosine.
    bits : float
        Bits on the disk for each value of the computed maps.
    milliseconds : float
        CPU time to read the map of an image.
    """

    spec: FrozenSpec
    gigabytes: float
    cosine: float
    lowest: float
    bits: float
    milliseconds: float


def freeze(
    experiment: Experiment,
    *,
    folder: Path | str | None = None,
    runs: Path | str | None = None,
    device: torch.device | str = "auto",
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Store logits and explanations of all training images of an experiment's teacher.

    An interrupted call is continued by the next one; a complete cache is returned at once. Images whose files have
    another content than when they were frozen are frozen anew, with all that follow them, and a `LabNote` says so.

    Parameters
    ----------
    experiment : Experiment
        Gives teacher, images and form of storage; the teacher must be trained.
    folder : Path or str, optional
        Folder of the cache; by default `e2kd_lab.experiments.frozen_teacher.frozen_folder`.
    runs : Path or str, optional
        Folder of runs; the workspace's by default.
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
    spec = frozen_spec(experiment)
    folder = frozen_folder(experiment) if folder is None else Path(folder)
    images, names = _training_images(experiment)
    paths = [image.path for image in images.images]
    if _is_complete(folder, spec, names, paths):  # before locking: the folder may be read-only
        return folder
    with folder_lock(folder, folder / LOCK, "freezing a teacher into it", DataError):
        writer = FrozenWriter(folder, spec, names, chunk=_CHUNK)
        writer.forget_changed(paths)
        missing = list(writer.missing())
        where = named_device(device)
        teacher = load_teacher(experiment, folder=runs).to(where)
        prepare_frozen(teacher, experiment.image_size, where)
        for rows in missing:
            batch = as_unit_range(default_collate([images[row]["image"] for row in rows])).to(where)
            explanation = explain_in_parts(teacher, batch)
            digests = [content_digest(paths[row]) for row in rows]
            writer.write(rows, explanation.logits, explanation.maps, digests)
            say(f"{rows.stop} of {len(names)} images frozen")
    return folder


def storage_choices(
    experiment: Experiment, *, runs: Path | str | None = None, device: torch.device | str = "auto"
) -> list[Storage]:
    """Size of the cache, cosine and reading time of each form of storage, by size; measured on some images."""
    images, names = _training_images(experiment)
    where = named_device(device)
    teacher = load_teacher(experiment, folder=runs).to(where)
    sample = range(0, len(names), max(1, len(names) // _SAMPLE))
    batch = as_unit_range(default_collate([images[row]["image"] for row in sample])).to(where)
    maps = explain_in_parts(teacher, batch).maps
    specs = [replace(frozen_spec(experiment), dtype=dtype, reduction=reduction) for dtype, reduction in _FORMS]
    return sorted((_storage(maps, spec, len(names)) for spec in specs), key=lambda storage: -storage.gigabytes)


def _storage(maps: Tensor, spec: FrozenSpec, count: int) -> Storage:
    """Cost and fidelity of a form, measured on some maps (N, C, view, view), for a cache of ``count`` images."""
    stored = stored_form(maps, spec)
    size = sum(len(bytes(one)) for one in stored) / len(stored)
    seconds = []
    for _ in range(_REPEATS):
        start = time.thread_time()
        for one in stored:
            read_form(one, spec)
        seconds.append(time.thread_time() - start)
    cosines = cosines_kept(maps, stored, spec)
    return Storage(
        spec,
        gigabytes=(size + 4 * spec.classes) * count / 1e9,
        cosine=cosines.mean().item(),
        lowest=cosines.min().item(),
        bits=8 * size / maps[0].numel(),
        milliseconds=1e3 * min(seconds) / len(stored),
    )


def _is_complete(folder: Path, spec: FrozenSpec, names: list[str], paths: list[Path]) -> bool:
    try:
        cache = verified_once(folder)
    except DataError:
        return False
    return cache.spec == spec and list(cache.row_of) == names and cache.is_of(paths)


def _training_images(experiment: Experiment) -> tuple[LabelledImages, list[str]]:
    """All images that students may see, with the teacher's view of them."""
    every = experiment.replace(shots=None)
    size = experiment.image_size
    view = v2.Resize([size, size], antialias=True)
    return LabelledImages(every.training_images(), transform=view), every.training_files() or []
