"""Batches: for training in an order that only depends on seed and step, for evaluation in the data set's order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Generator
from torch.utils.data import DataLoader, Dataset, Sampler

from e2kd_lab.data.transforms import seeded


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Optimizer steps of one epoch: an incomplete last batch is dropped, unless it is the only one."""
    return max(1, num_images // batch_size)


class StepSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) from one step of training to the last.

    Each epoch is a permutation that depends on the seed and the epoch alone, so that training can start at any step.
    With several processes, each takes every ``world_size``-th image of the global batch.

    Parameters
    ----------
    num_images : int
        Size of the data set.
    batch_size : int
        Global batch size.
    seed, start, stop : int
        Seed, first step, and the step before which to end.
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
    """A data set whose random transform draws from (seed, epoch, index)."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, index = key
        with seeded(self.seed, epoch, index):
            return self.dataset[index]


def train_loader(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    start: int,
    stop: int,
    rank: int = 0,
    world_size: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader:
    """Loader of all training batches from step ``start`` up to, not including, step ``stop``."""
    return DataLoader(
        _AugmentedByPosition(dataset, seed),
        batch_sampler=StepSampler(
            len(dataset),  # type: ignore[arg-type]
            batch_size,
            seed=seed,
            start=start,
            stop=stop,
            rank=rank,
            world_size=world_size,
        ),
        num_workers=workers,
        pin_memory=pin_memory,
        # The loader's own draw must not move the global generator, whose state a resumed run restores.
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
    """Loader of every ``world_size``-th image, in order, from ``rank`` on."""
    indices = range(rank, len(dataset), world_size)  # type: ignore[arg-type]
    return DataLoader(
        dataset,
        batch_sampler=[list(indices[i : i + batch_size]) for i in range(0, len(indices), batch_size)],  # type: ignore[arg-type]
        num_workers=workers,
        pin_memory=pin_memory,
        generator=Generator(),
    )
