"""Devices: which there are, and that networks come back from them."""

import os

import lightning_fabric
import pytest
import torch

from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training import Hardware
from e2kd_lab.training.hardware import named_device, on_device


def test_hardware_that_is_not_there_is_refused():
    with pytest.raises(ExperimentError, match="'devices' is 0"):
        Hardware(devices=0)
    with pytest.raises(ExperimentError, match="'workers' is -1"):
        Hardware(workers=-1)
    with pytest.raises(ExperimentError, match="There is no device 'acme'; expected auto, cpu or cuda"):
        Hardware(device="acme").fabric()
    with pytest.raises(ExperimentError, match="There is no device 'acme'; expected auto, cpu or cuda"):
        named_device("acme")
    with pytest.raises(ExperimentError, match="'cuda:99' is not available"):
        named_device("cuda:99")
    assert named_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["mps", "xpu", "meta"])
def test_devices_without_float64_are_refused(name):
    for use in (named_device, lambda name: Hardware(device=name).fabric()):
        with pytest.raises(ExperimentError, match=f"Device '{name}' cannot compute all .* float64; expected auto, cpu"):
            use(name)


@pytest.fixture
def asked(monkeypatch):
    """What Lightning is asked for, and nothing is started."""
    options = {}

    class Recording(lightning_fabric.Fabric):
        def __init__(self, **given):
            options.update(given)
            if given["accelerator"] == "cpu":
                super().__init__(**given)

        def launch(self):
            pass

    monkeypatch.setattr(lightning_fabric, "Fabric", Recording)
    return options


def test_auto_is_the_cpu_of_a_mac(monkeypatch, asked):
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    monkeypatch.setattr("lightning_fabric.accelerators.mps.MPSAccelerator.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    Hardware().fabric()
    assert asked["accelerator"] == named_device("auto").type == "cpu"


def test_gpus_of_rocm_are_those_of_cuda(monkeypatch, asked):
    monkeypatch.setattr("torch.version.hip", "6.2")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for device, devices in {"auto": 2, "cuda": 2, "cuda:1": [1]}.items():
        Hardware(device=device, devices=1 if device == "cuda:1" else 2).fabric("bf16-mixed")
        assert (asked["accelerator"], asked["devices"], asked["precision"]) == ("cuda", devices, "bf16-mixed")
    with pytest.raises(ExperimentError, match="Device 'cuda:1' is one, and 'devices' is 2; expected 'cuda'"):
        Hardware(device="cuda:1", devices=2).fabric()


def test_half_precision_on_a_cpu_is_refused_and_not_replaced():
    with pytest.raises(ExperimentError, match="'16-mixed' needs a GPU; expected 32-true or bf16-mixed on a CPU"):
        Hardware(device="cpu").fabric("16-mixed")
    assert Hardware(device="cpu").fabric("bf16-mixed").device.type == "cpu"


@pytest.mark.parametrize("step", [{}, {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"}])
def test_slurm_is_asked_only_for_processes_that_it_started(monkeypatch, tmp_path, asked, recwarn, step):
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in {"SLURM_JOB_ID": "1234", "SLURM_JOB_NAME": "train", "SLURM_NNODES": "1", **step}.items():
        monkeypatch.setenv(name, value)
    Hardware(device="cpu", devices=4).fabric()  # these it starts itself, with or without srun
    assert (asked["devices"], asked["num_nodes"]) == (4, 1)
    assert not asked["plugins"][0].creates_processes_externally
    assert "srun" not in " ".join(str(said.message) for said in recwarn)
    started = {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4", "SLURM_STEP_NUM_TASKS": "8",
               "SLURM_STEP_NUM_NODES": "2", "SLURM_NNODES": "2", "SLURM_PROCID": "5", "SLURM_LOCALID": "1",
               "SLURM_NODEID": "1"}  # fmt: skip
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    fabric = Hardware(device="cpu", devices=4).fabric()
    assert (asked["devices"], asked["num_nodes"], asked["plugins"]) == (4, 2, None)
    assert (fabric.world_size, fabric.global_rank) == (8, 5)


class Traveller(torch.nn.Linear):
    """Remembers where it was sent, and stays here: no other device is sure to be there."""

    def __init__(self):
        super().__init__(2, 2)
        self.sent = []

    def to(self, device):
        self.sent.append(str(device))
        return self


def test_networks_come_back_from_a_device_whatever_happens(monkeypatch):
    monkeypatch.setattr("e2kd_lab.training.hardware.named_device", torch.device)
    one, other = Traveller(), Traveller()

    def fail_there():
        with on_device("cuda:1", one, other) as device:
            assert device == torch.device("cuda:1")
            assert one.sent == other.sent == ["cuda:1"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_there()
    assert one.sent == other.sent == ["cuda:1", "cpu"]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: computing on a GPU is not tested")
def test_auto_is_the_gpu_where_there_is_one():
    network = torch.nn.Linear(2, 2)
    with on_device("auto", network) as device:
        assert device.type == network.weight.device.type == "cuda"
    assert network.weight.device.type == "cpu"
