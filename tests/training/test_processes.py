"""The number of processes is read from where the program runs, or refused in a sentence."""

import os
import sys

import pytest

from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training import Hardware
from e2kd_lab.training.processes import Processes, find_processes

JOB = {"SLURM_JOB_ID": "1234", "SLURM_JOB_NAME": "train", "SLURM_NNODES": "2", "SLURM_NTASKS": "8"}
STEP = {**JOB, "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "4"}
ALONE = {**JOB, "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"}
TORCHRUN = {"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8", "TORCHELASTIC_RUN_ID": "1"}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    for name in os.environ:
        if name.startswith("SLURM_") or name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"):
            monkeypatch.delenv(name)
    monkeypatch.delattr(sys, "ps1", raising=False)


@pytest.mark.parametrize(
    ("environment", "devices", "found"),
    [
        ({}, 1, Processes(1)),
        ({}, 2, Processes(2)),
        ({"WORLD_SIZE": "2"}, 1, Processes(1)),  # an earlier training with two devices leaves it behind
        (TORCHRUN, 1, Processes(4, 2, are_started=True)),
        ({**TORCHRUN, **JOB}, 1, Processes(4, 2, are_started=True)),
        (STEP, 4, Processes(4, 2, are_started=True)),
        (ALONE, 4, Processes(4)),
        (ALONE, 1, Processes(1)),
        (JOB, 1, Processes(1)),  # one device on the first of two machines
        ({**JOB, "SLURM_NNODES": "1"}, 4, Processes(4)),
    ],
)
def test_processes_are_those_of_the_surroundings(monkeypatch, environment, devices, found):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert find_processes(devices) == found


@pytest.mark.parametrize(
    ("environment", "devices", "said"),
    [
        (JOB, 4, "Slurm has started 1 process on 2 nodes, and 'devices' is 4"),
        (STEP, 1, "Slurm has started 8 processes on 2 nodes, and 'devices' is 1"),
        ({**STEP, "SLURM_STEP_NUM_TASKS": "2"}, 4, "Slurm has started 2 processes on 2 nodes, and 'devices' is 4"),
        ({**STEP, "SLURM_NTASKS_PER_NODE": ""}, 4, "srun --nodes=2 --ntasks-per-node=4 e2kd-lab train ... --devices 4"),
    ],
)
def test_too_few_or_too_many_processes_of_slurm_are_refused(monkeypatch, environment, devices, said):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ExperimentError, match=said):
        Hardware(device="cpu", devices=devices).fabric()


def test_a_notebook_has_one_device(monkeypatch):
    monkeypatch.setattr(sys, "ps1", "In : ", raising=False)
    assert find_processes(1) == Processes(1)
    with pytest.raises(ExperimentError, match=r"'devices' is 2, and a notebook trains on one .* --devices 2\."):
        Hardware(device="cpu", devices=2).fabric()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # torchrun starts no notebooks
    assert find_processes(2).devices == 2
