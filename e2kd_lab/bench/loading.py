"""Images per second of the training loader: decoded, augmented, and augmented together with a frozen map or its code.

Then of larger JPEG files, against torchvision's loader (see `e2kd_lab.bench.photographs`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import Dataset

from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.photographs import measure_photographs
from e2kd_lab.bench.timing import BenchError, take_turns
from e2kd_lab.data.frozen_images import FrozenImages
from e2kd_lab.data.frozen_noise import frozen_noise
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.image_folders import ImageFolders, read_imagenet
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.loading import StepSampler, steps_per_epoch, train_loader
from e2kd_lab.data.transforms import train_transform
from e2kd_lab.minidata.mininet import MiniNet, make_mininet

_WORKERS = (0, 2)
_BATCH = 16


def measure_loading(findings: Findings, device: torch.device, quick: bool, say: Callable[[str], None]) -> None:
    """Time a few epochs of MiniNet, including the start of worker processes.

    Raises
    ------
    BenchError
        If an epoch does not contain each image once.
    """
    size, per_class = (16, 1) if quick else (64, 50)
    epochs = 1 if quick else 4
    title = "Loading MiniNet"
    say(f"loading: {20 * per_class} images of {size} px")
    with tempfile.TemporaryDirectory() as name:
        folders = read_imagenet(make_mininet(Path(name) / "mininet", MiniNet(size=size, train=per_class, val=1)))
        sets = loading_sets(folders, Path(name) / "frozen", size)
        contestants: dict[str, Callable[[], object]] = {}
        for kind, dataset in sets.items():
            for workers in _WORKERS:
                contestants[f"{kind}, {workers} workers"] = _epochs_of(dataset, workers, epochs)
        images = epochs * check_loading(sets["decoded"])
        # Loading runs on the CPU, whatever the training device.
        seconds = take_turns(contestants, 3 if quick else 7, torch.device("cpu"))
    findings.add_timings("loading", title, seconds, images=images)
    few, many = _WORKERS
    for kind in sets:
        findings.add_ratio("loading", title, "cost", seconds, f"{kind}, {many} workers", f"{kind}, {few} workers",
                           title=f"{kind}, {many} / {few} workers")  # fmt: skip
    pairs = ("augmented", "decoded"), ("augmented with map", "augmented"), ("augmented with code", "augmented")
    for above, below in pairs:
        findings.add_ratio("loading", title, "cost", seconds, f"{above}, {few} workers", f"{below}, {few} workers",
                           title=f"{above} / {below}")  # fmt: skip
    measure_photographs(findings, quick, say)


def loading_sets(folders: ImageFolders, cache: Path, size: int) -> dict[str, Dataset]:
    """Data sets to time; images are read from disk each time."""
    names = [image.path.relative_to(folders.root).as_posix() for image in folders.train]
    spec = FrozenSpec(teacher="none", data=folders.fingerprint(), view=size, channels=6, classes=len(folders.classes))
    maps, codes = (
        frozen_noise(cache / dtype, replace(spec, dtype=dtype), folders.train, names) for dtype in ("float16", "q6")
    )
    return {
        "decoded": LabelledImages(folders.train),
        "augmented": LabelledImages(folders.train, transform=train_transform(size)),
        "augmented with map": FrozenImages(LabelledImages(folders.train), names, maps, size),
        "augmented with code": FrozenImages(LabelledImages(folders.train), names, codes, size),
    }


def check_loading(dataset: Dataset) -> int:
    """Count the images of one epoch; each must occur once.

    Raises
    ------
    BenchError
        If an image occurs twice.
    """
    seen = torch.cat([batch["index"] for batch in _loader(dataset, 0, 1)])
    if len(seen.unique()) != len(seen):
        raise BenchError(f"An epoch of {len(seen)} images showed only {len(seen.unique())}; expected each image once.")
    return len(seen)


def _epochs_of(dataset: Dataset, workers: int, epochs: int) -> Callable[[], object]:
    def read() -> None:
        for _ in _loader(dataset, workers, epochs):
            pass

    return read


def _loader(dataset: Dataset, workers: int, epochs: int) -> torch.utils.data.DataLoader:
    images: int = len(dataset)  # type: ignore[arg-type]
    sampler = StepSampler(images, _BATCH, seed=0, start=0, stop=epochs * steps_per_epoch(images, _BATCH))
    return train_loader(dataset, sampler, workers=workers)
