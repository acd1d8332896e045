"""Loaders: training batches depend on seed and step alone; evaluation keeps the order of the data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Generator
from torch.utils.data import DataLoader, Dataset, Sampler

from e2kd_lab.data.transforms import seeded


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Steps per epoch: an incomplete last batch is dropped, unless it is the only one."""
    return max(1, num_images // batch_size)


class StepSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) from a first step to a last.

    The order within an epoch depends on seed and epoch alone, so that training can resume at any step. Of each global
    batch, a process takes every ``world_size``-th image.

    Parameters
    ----------
    num_images : int
        Size of the data set.
    batch_size : int
        Global batch size.
    seed, start, stop : int
        Seed, first step, and the step before which to stop.
    rank, world_size : int
        This process and the number of processes.
    """

    def __init__(
        self,
        num_images: int,
        batch_size: int,
        *,
        seed: int,
        start: int,
        stop: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.num_images, self.batch_size, self.seed = num_images, batch_size, seed
        self.start, self.stop, self.rank, self.world_size = start, stop, rank, world_size

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        per_epoch = steps_per_epoch(self.num_images, self.batch_size)
        for step in range(self.start, self.stop):
            epoch, position = divmod(step, per_epoch)
            if step == self.start or position == 0:
                order = np.random.default_rng([self.seed, epoch]).permutation(self.num_images)
            batch = order[position * self.batch_size : (position + 1) * self.batch_size]
            yield [(epoch, int(index)) for index in batch[self.rank :: self.world_size]]


class _AugmentedByPosition(Dataset):
    """A data set whose random transform is seeded by (seed, epoch, index)."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, index = key
        with seeded(self.seed, epoch, index):
            return self.dataset[index]


def train_loader(dataset: Dataset, sampler: StepSampler, *, workers: int = 0, pin_memory: bool = False) -> DataLoader:
    """Loader of a sampler's batches, with augmentation seeded by seed, epoch and index."""
    return DataLoader(
        _AugmentedByPosition(dataset, sampler.seed),
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=pin_memory,
        # The loader draws a base seed; the global generator, which a resumed run restores, must not provide it.
        generator=Generator(),
    )


def eval_loader(
    dataset: Dataset,
    batch_size: int,
    *,
    rank: int = 0,
    world_size: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader:
    """Loader of this process's images, every ``world_size``-th from ``rank`` on, in order."""
    indices = range(rank, len(dataset), world_size)  # type: ignore[arg-type]
    return DataLoader(
        dataset,
        batch_sampler=[list(indices[i : i + batch_size]) for i in range(0, len(indices), batch_size)],  # type: ignore[arg-type]
        num_workers=workers,
        pin_memory=pin_memory,
        generator=Generator(),
    )
