"""On which device a run computes, and with how many processes; none of it is part of an experiment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from e2kd_lab.system.errors import ExperimentError, shown

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def named_device(name: torch.device | str) -> torch.device:
    """The device of a name that evaluation takes: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:1``.

    Raises
    ------
    ExperimentError
        If there is no such device, here or at all.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ExperimentError(f"There is no device '{shown(name)}'; expected auto, cpu or cuda.") from error
    if device.type not in ("cpu", "cuda") or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    ):
        raise ExperimentError(f"Device '{name}' is not available on this machine; expected for instance auto or cpu.")
    return device


@contextmanager
def on_device(name: torch.device | str, *networks: nn.Module) -> Iterator[torch.device]:
    """Have networks on a device inside the block, and where they were afterwards.

    Parameters
    ----------
    name : torch.device or str
        See `named_device`, which is also what it raises.
    networks : Module
        Each on one device.

    Yields
    ------
    torch.device
        The device.
    """
    device = named_device(name)
    homes = [next((parameter.device for parameter in network.parameters()), device) for network in networks]
    try:
        for network in networks:
            network.to(device)
        yield device
    finally:
        for network, home in zip(networks, homes, strict=True):
            network.to(home)


def lost_another_process(error: BaseException) -> bool:
    """Whether an error says that a message to another process of the same run could not be sent or received."""
    marks = ("gloo", "NCCL", "closed by peer", "reset by peer")  # what torch raises has no type of its own everywhere
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in marks)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that tensors did not fit into the device's memory."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # a CPU's has no type of its own
    )


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where and how to compute.

    Attributes
    ----------
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or another accelerator of Lightning Fabric.
    devices : int
        Processes on this machine, one a device, that Fabric starts; under ``torchrun`` its number counts. They share
        each batch, and normalise it with the statistics of all of them (see `e2kd_lab.models.shared_batch_norm`).
    workers : int
        Processes that load data, per device; 0 loads in the training process.
    checkpoint_seconds : float
        Time between two checkpoints within long epochs.

    Examples
    --------
    >>> Hardware(device="cpu", workers=4)
    Hardware(device='cpu', devices=1, workers=4, checkpoint_seconds=30.0)
    """

    device: str = "auto"
    devices: int = 1
    workers: int = 0
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.devices < 1 or self.workers < 0:
            raise ExperimentError(
                f"'devices' is {self.devices} and 'workers' is {self.workers}; expected at least 1 and at least 0."
            )

    def fabric(self, precision: str = "32-true") -> Fabric:
        """A launched Lightning Fabric for this hardware.

        Raises
        ------
        ExperimentError
            If this machine has no such device, or not as many.
        """
        from lightning_fabric import Fabric  # takes a second or two, which only training has to spend
        from lightning_fabric.utilities.exceptions import MisconfigurationException

        # torchrun starts the processes itself and tells their number in the environment.
        devices = int(os.environ.get("LOCAL_WORLD_SIZE", self.devices))
        nodes = int(os.environ.get("WORLD_SIZE", devices)) // devices
        try:
            fabric = Fabric(
                accelerator=self.device,
                devices=devices,
                num_nodes=nodes,
                strategy="ddp" if devices * nodes > 1 else "auto",
                precision=precision,  # type: ignore[arg-type]
            )
        except (ValueError, TypeError, RuntimeError, MisconfigurationException) as error:
            raise ExperimentError(f"Device '{self.device}' ({devices} of them) cannot be used: {error}") from error
        fabric.launch()
        torch.set_float32_matmul_precision("high")
        return fabric
