import subprocess
import sys

import pytest

from e2kd_lab.training.malloc import keep_freed_memory

COUNT = """
import resource, sys
from e2kd_lab.training.malloc import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit("no glibc")
import torch
def step():
    return [torch.ones(10_000_000) for _ in range(2)]  # of 40 MB each, which glibc by itself never keeps
step(); step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="mallopt is glibc's; this is another C library")
def test_freed_memory_is_not_cleared_again():
    def faults(how):
        done = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    # A factor, because pages may be of four kilobytes or of two megabytes.
    assert 4 * faults("kept") < faults("given back")
