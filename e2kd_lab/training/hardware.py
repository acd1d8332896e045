"""Devices and processes. They are not part of an experiment: the same one runs on any hardware."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.training.processes import find_processes

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def named_device(name: torch.device | str) -> torch.device:
    """The device of a name: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1`` and so on.

    GPUs are those of CUDA and of ROCm, which torch calls ``cuda``, too. Apple's are not taken: ``mps`` has no float64,
    which sums and measures are computed in.

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
    if device.type not in ("cpu", "cuda"):
        raise ExperimentError(
            f"Device '{name}' cannot compute all that the lab does, such as sums in float64; expected auto, cpu or "
            "cuda."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
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
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:1``, see `named_device`.
    devices : int
        Processes on each machine, one per device; under ``torchrun``, its number counts, and under ``srun``, it must
        have started as many. They share each batch and synchronise batch-norm statistics (see
        `e2kd_lab.models.sync_batch_norm`). A notebook has one.
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

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on a CPU."""
        return named_device(self.device).type == "cpu"

    def fabric(self, precision: str = "32-true") -> Fabric:
        """Launch Lightning Fabric on this hardware.

        Raises
        ------
        ExperimentError
            If this machine lacks the device, has too few, or does not compute in this precision; see also
            `e2kd_lab.training.processes.find_processes`.
        """
        from lightning_fabric import Fabric  # imported late: takes a second or two
        from lightning_fabric.plugins.environments.lightning import LightningEnvironment
        from lightning_fabric.utilities.exceptions import MisconfigurationException

        device, processes = named_device(self.device), find_processes(self.devices)
        several = processes.devices * processes.nodes > 1
        if device.type == "cpu" and precision == "16-mixed":  # Lightning would take bf16-mixed
            raise ExperimentError("Precision '16-mixed' needs a GPU; expected 32-true or bf16-mixed on a CPU.")
        if several and device.index is not None:
            raise ExperimentError(f"Device '{device}' is one, and 'devices' is {processes.devices}; expected 'cuda'.")
        try:
            fabric = Fabric(
                accelerator=device.type,
                devices=processes.devices if device.index is None or device.type == "cpu" else [device.index],
                num_nodes=processes.nodes,
                strategy="ddp" if several else "auto",
                precision=precision,  # type: ignore[arg-type]
                # Lightning takes all of Slurm's jobs for processes that srun has started.
                plugins=None if processes.are_started else [LightningEnvironment()],
            )
        except (ValueError, TypeError, RuntimeError, MisconfigurationException) as error:
            raise ExperimentError(
                f"Device '{self.device}' ({processes.devices} of them) cannot be used: {error}"
            ) from error
        fabric.launch()
        torch.set_float32_matmul_precision("high")
        return fabric
