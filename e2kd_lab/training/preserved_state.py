"""Random state and network modes, preserved while other people's code runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def random_state_preserved() -> Iterator[None]:
    """Restore the random state of Python, NumPy and torch (all devices) at the end of the block.

    So watchers and own measures may draw at random, and training still draws the same numbers.

    Examples
    --------
    >>> with random_state_preserved():
    ...     _ = torch.rand(3)
    """
    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def modes_preserved(*networks: nn.Module) -> Iterator[None]:
    """Restore training or evaluation mode of every module at the end of the block, also after an error."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
