"""The processes of a training: how many there are, on how many machines, and who starts them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from e2kd_lab.system.errors import ExperimentError


@dataclass(frozen=True)
class Processes:
    """Processes that train together, one per device.

    Attributes
    ----------
    devices, nodes : int
        Processes on each machine, and machines.
    are_started : bool
        Whether ``torchrun`` or ``srun`` has started them all; if not, the first starts the others of its machine.
    """

    devices: int
    nodes: int = 1
    are_started: bool = False


def find_processes(devices: int) -> Processes:
    """What the surroundings say: ``torchrun``, Slurm, a notebook, or none of them.

    Parameters
    ----------
    devices : int
        Devices that are wanted on each machine. ``torchrun`` overrules it.

    Raises
    ------
    ExperimentError
        If more than one device is wanted in a notebook, or Slurm started another number of processes.
    """
    if "LOCAL_WORLD_SIZE" in os.environ:  # torchrun
        local = _number("LOCAL_WORLD_SIZE", devices)
        return Processes(local, _number("WORLD_SIZE", local) // local, are_started=True)
    if devices > 1 and (hasattr(sys, "ps1") or sys.flags.interactive):
        raise ExperimentError(
            f"'devices' is {devices}, and a notebook trains on one device; expected devices=1 here, or the command "
            f"line: e2kd-lab train ... --devices {devices}."
        )
    if "SLURM_JOB_ID" in os.environ or "SLURM_NTASKS" in os.environ:
        return _in_slurm(devices)
    return Processes(devices)


def _in_slurm(devices: int) -> Processes:
    # srun alone sets the variables of a step; a batch script knows those of its job.
    tasks = _number("SLURM_STEP_NUM_TASKS", 1)
    nodes = _number("SLURM_STEP_NUM_NODES", _number("SLURM_NNODES", _number("SLURM_JOB_NUM_NODES", 1)))
    if tasks == 1 and (devices == 1 or nodes == 1):
        return Processes(devices)
    if tasks == devices * nodes and _number("SLURM_NTASKS_PER_NODE", 0) == devices:
        return Processes(devices, nodes, are_started=True)
    raise ExperimentError(
        f"Slurm has started {tasks} process{'es' if tasks > 1 else ''} on {nodes} node{'s' if nodes > 1 else ''}, and "
        f"'devices' is {devices}; expected one process a device: srun --nodes={nodes} --ntasks-per-node={devices} "
        f"e2kd-lab train ... --devices {devices}."
    )


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() and int(text) > 0 else default
