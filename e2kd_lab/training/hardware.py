"""Devices and processes. They are not part of an experiment: the same one runs on any hardware."""

from __future__ import annotations

import os
import warnings
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
    """The device of a name: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1`` and so on.

    Raises
    ------
    ExperimentError
        If the name is unknown or this machine has no such device.
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
    """Move networks to a device for the duration of a block, then back.

    Parameters
    ----------
    name : torch.device or str
        See `named_device`, also for the errors.
    networks : Module
        Networks; each must be on a single device.

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
    """Whether an error means that communication with another process of the run failed."""
    marks = ("gloo", "NCCL", "closed by peer", "reset by peer")  # not all backends raise torch's own error types
    return isinstance(error, RuntimeError) and any(mark in str(error) for mark in marks)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the device is out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # on a CPU
    )


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Device, processes and loader workers of a run.

    Attributes
    ----------
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or another accelerator of Lightning Fabric.
    devices : int
        Processes to start on this machine, one per device; under ``torchrun``, its number counts. They share each batch
        and synchronise batch-norm statistics (see `e2kd_lab.models.sync_batch_norm`).
    workers : int
        Data-loading processes per device; 0 loads in the training process.
    checkpoint_seconds : float
        Seconds between checkpoints.

    Examples
    --------
    >>> Hardware(device="cpu").fabric().world_size
    1
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
        """Launch Lightning Fabric on this hardware.

        Raises
        ------
        ExperimentError
            If this machine lacks the device, or has too few.
        """
        from lightning_fabric import Fabric  # imported late: takes a second or two
        from lightning_fabric.utilities.exceptions import MisconfigurationException

        # torchrun has started the processes and sets their number in the environment.
        devices = int(os.environ.get("LOCAL_WORLD_SIZE", self.devices))
        nodes = int(os.environ.get("WORLD_SIZE", devices)) // devices
        try:
            with warnings.catch_warnings():
                # Said wherever Slurm's client is installed, also without an allocation.
                warnings.filterwarnings("ignore", "The `srun` command is available")
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
