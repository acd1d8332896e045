"""Rounds, comparisons and memory of benchmarks."""

import pytest
import torch

from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.timing import BenchError, Spread, peak_memory, ratio_of, require_equal, take_turns

CPU = torch.device("cpu")


def test_each_round_starts_with_another_contestant():
    calls = []
    contestants = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = take_turns(contestants, 4, CPU)
    assert "".join(calls) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert {name: len(values) for name, values in seconds.items()} == {"a": 4, "b": 4, "c": 4}


def test_contestants_take_turns_and_ratios_are_taken_round_by_round():
    order = []
    seconds = take_turns({name: lambda name=name: order.append(name) for name in "ab"}, 4, CPU)
    assert {name: len(values) for name, values in seconds.items()} == {"a": 4, "b": 4}
    assert order.count("a") == order.count("b") == 5  # once more to warm up
    ratio = ratio_of({"a": [2.0, 4.0, 60.0], "b": [1.0, 2.0, 30.0]}, "a", "b")
    assert (ratio.lower, ratio.median, ratio.upper, ratio.repeats) == (2, 2, 2, 3)
    assert Spread.of([1.0, 2.0, 3.0]).median == 2


def test_different_results_end_in_a_sentence():
    require_equal("x", {"loss": torch.tensor(1.0)}, {"loss": torch.tensor(1.0 + 1e-6)}, 1e-5)
    for other, says in (
        ({"loss": torch.tensor(2.0)}, "x: loss differs from the reference by 0.5"),
        ({"loss": torch.tensor(float("nan"))}, "differs"),
        ({"loss": torch.zeros(2)}, "has shape"),
        ({}, "expected the same"),
    ):
        with pytest.raises(BenchError, match=says):
            require_equal("x", {"loss": torch.tensor(1.0)}, other, 1e-5)


def test_memory_of_a_step_is_not_guessed_on_a_cpu():
    assert peak_memory({"a": lambda: None}, CPU) == {}
    assert "not measured" in Findings({}).as_json()["peak_bytes_are"]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: memory on a GPU is not measured")
def test_memory_of_a_step_on_a_gpu():
    device = torch.device("cuda")
    peaks = peak_memory({"a": lambda: torch.zeros(2**20, device=device)}, device)
    assert 4 * 2**20 <= peaks["a"] < 8 * 2**20
