"""Devices: which there are, and that networks come back from them."""

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
    with pytest.raises(ExperimentError, match=r"Device 'acme' .* cannot be used"):
        Hardware(device="acme").fabric()
    with pytest.raises(ExperimentError, match="There is no device 'acme'; expected auto, cpu or cuda"):
        named_device("acme")
    with pytest.raises(ExperimentError, match="'cuda:99' is not available"):
        named_device("cuda:99")
    assert named_device("cpu").type == "cpu"


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
