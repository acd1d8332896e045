"""Training crops of photograph-sized JPEG files: images per second of the lab against torchvision's ImageFolder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PILImage
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.timing import BenchError, take_turns
from e2kd_lab.data.fast_jpeg import HAS_SIMPLEJPEG
from e2kd_lab.data.image_folders import LabelledImage
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.loading import StepSampler, train_loader
from e2kd_lab.data.transforms import seeded, train_transform

_WORKERS, _BATCH, _SIZE = (0, 1, 2), 16, 224
# Of ImageNet, most pictures have this width and height.
_PHOTOGRAPH = (500, 375)
REDUCED = (1.0, 0.5)
# Dense bf16 operations per second that NVIDIA states for an H100 (SXM), and the share of them that convolutions reach.
_H100, _REACHED = 989e12, 0.3
# Multiplications and additions of a forward pass at 224 px: ResNet-34 and ResNet-18 (torchvision's table of weights).
_TEACHER, _STUDENT = 2 * 3.66e9, 2 * 1.81e9


def measure_photographs(findings: Findings, quick: bool, say: Callable[[str], None]) -> None:
    """Time an epoch of the loader and of torchvision's, including the start of worker processes.

    Raises
    ------
    BenchError
        If both do not give the same pixels.
    """
    count = 2 * _BATCH if quick else 12 * _BATCH
    decoder = "simplejpeg" if HAS_SIMPLEJPEG else "Pillow"
    title = f"Loading {_PHOTOGRAPH[0]} x {_PHOTOGRAPH[1]} JPEG, decoded by {decoder}"
    say(f"loading: {count} JPEG files of {_PHOTOGRAPH[0]} x {_PHOTOGRAPH[1]} px to {_SIZE} px")
    with tempfile.TemporaryDirectory() as name:
        sets = photograph_sets(Path(name), count)
        check_photographs(sets)
        contestants = {
            f"{kind}, {workers} workers": _epoch_of(dataset, workers)
            for kind, dataset in sets.items()
            for workers in _WORKERS
        }
        seconds = take_turns(contestants, 1 if quick else 7, torch.device("cpu"))
    findings.add_timings("loading", title, seconds, images=count)
    for workers in _WORKERS:
        for kind in list(sets)[1:]:
            above, below = f"ImageFolder, {workers} workers", f"{kind}, {workers} workers"
            findings.add_ratio("loading", title, "gain", seconds, above, below, title=f"{kind}, {workers} workers")
    say(h100_needs())


def photograph_sets(folder: Path, count: int) -> dict[str, Dataset]:
    """Drawn photographs in a folder: as torchvision reads them, and as the lab does, whole and at reduced size."""
    generator = np.random.default_rng(0)
    (folder / "all").mkdir(parents=True)
    paths = [folder / "all" / f"{number:04d}.jpg" for number in range(count)]
    for path in paths:
        coarse = generator.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        picture = PILImage.fromarray(coarse).resize(_PHOTOGRAPH, PILImage.Resampling.BICUBIC)
        noisy = np.asarray(picture) + generator.normal(0, 6, (_PHOTOGRAPH[1], _PHOTOGRAPH[0], 3))
        PILImage.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    images, transform = [LabelledImage(path, 0) for path in paths], train_transform(_SIZE)
    sets: dict[str, Dataset] = {
        "ImageFolder": ImageFolder(str(folder), transform=v2.Compose([v2.ToImage(), transform])),
        "whole": LabelledImages(images, transform=transform),
    }
    return sets | {f"reduced_decoding={r:g}": LabelledImages(images, transform=transform, reduced=r) for r in REDUCED}


def check_photographs(sets: Mapping[str, Dataset]) -> None:
    """Compare the pixels of the lab's loader with torchvision's.

    Raises
    ------
    BenchError
        If they differ.
    """
    for index in range(_BATCH):
        with seeded(0, index):
            theirs = sets["ImageFolder"][index][0]
        with seeded(0, index):
            ours = sets["whole"][index]["image"]
        if not torch.equal(theirs, ours):
            raise BenchError(f"Image {index} has other pixels than torchvision's ImageFolder gives; expected the same.")


def h100_needs() -> str:
    """By arithmetic, how many images a second a KD step of ResNet-34 to ResNet-18 on an H100 would take at most."""
    needed = _H100 * _REACHED / (_TEACHER + 3 * _STUDENT)
    return (
        f"loading: a KD step of ResNet-34 to ResNet-18 at {_SIZE} px on an H100 would take at most about "
        f"{needed / 1e3:.0f} thousand images a second, by arithmetic ({_REACHED:.0%} of {_H100 / 1e12:.0f} TFLOP/s in "
        "bf16; not measured here). Divided by the images a second of one worker, that is how many workers keep it busy."
    )


def _epoch_of(dataset: Dataset, workers: int) -> Callable[[], object]:
    count: int = len(dataset)  # type: ignore[arg-type]

    def read() -> None:
        if isinstance(dataset, ImageFolder):
            loader = DataLoader(dataset, _BATCH, shuffle=True, num_workers=workers, drop_last=True)
        else:
            sampler = StepSampler(count, _BATCH, seed=0, start=0, stop=count // _BATCH)
            loader = train_loader(dataset, sampler, workers=workers)
        for _ in loader:
            pass

    return read
