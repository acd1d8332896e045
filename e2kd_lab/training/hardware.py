"""On which device a run computes, and with how many processes; none of it is part of an experiment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


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
    """

    device: str = "auto"
    devices: int = 1
    workers: int = 0
    checkpoint_seconds: float = 30.0

    def fabric(self, precision: str = "32-true") -> Fabric:
        """A launched Lightning Fabric for this hardware."""
        from lightning_fabric import Fabric  # takes a second or two, which only training has to spend

        # torchrun starts the processes itself and tells their number in the environment.
        devices = int(os.environ.get("LOCAL_WORLD_SIZE", self.devices))
        nodes = int(os.environ.get("WORLD_SIZE", devices)) // devices
        fabric = Fabric(
            accelerator=self.device,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if devices * nodes > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
        fabric.launch()
        torch.set_float32_matmul_precision("high")
        return fabric
