"""The loader against torchvision's: the same pixels are timed, or nothing."""

import pytest
import torch

from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.photographs import check_photographs, measure_photographs, photograph_sets
from e2kd_lab.bench.timing import BenchError
from e2kd_lab.data.transforms import seeded


def test_other_pixels_are_not_timed(tmp_path):
    sets = photograph_sets(tmp_path, 16)
    check_photographs(sets)
    with pytest.raises(BenchError, match="Image 0 has other pixels than torchvision's"):
        check_photographs(sets | {"whole": sets["reduced_decoding=0.5"]})


def test_half_of_the_option_is_used_at_this_size(tmp_path):
    sets = photograph_sets(tmp_path, 8)
    differ = dict.fromkeys(sets, 0)
    for kind, dataset in list(sets.items())[2:]:
        for index in range(8):
            with seeded(index):
                found = dataset[index]["image"]
            with seeded(index):
                differ[kind] += not torch.equal(found, sets["whole"][index]["image"])
    # No crop of 375 px has twice 224 px; most have 224.
    assert differ["reduced_decoding=1"] == 0
    assert differ["reduced_decoding=0.5"] >= 4


def test_what_is_measured_is_said():
    findings, said = Findings({}), []
    measure_photographs(findings, quick=True, say=said.append)
    assert len(findings.timings) == 4 * 3
    assert {ratio.kind for ratio in findings.ratios} == {"gain"}
    assert len(findings.ratios) == 9
    assert "images a second" in said[-1]
