"""Peak memory of a block."""

import sys

import pytest
import torch

from e2kd_lab.system.peak_memory import PeakMemory

SIZE = 200_000_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells it on Linux alone")
def test_the_peak_is_within_the_block():
    cpu = torch.device("cpu")
    with PeakMemory(cpu) as first:
        block = torch.ones(SIZE, dtype=torch.uint8)
        del block
    assert first.peak - first.before == pytest.approx(SIZE, rel=0.1)
    with PeakMemory(cpu) as second:
        pass
    assert second.peak - second.before < SIZE / 2, "the first block's peak is forgotten"
