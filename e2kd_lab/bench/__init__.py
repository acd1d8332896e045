"""Benchmarks against a plain PyTorch baseline that computes the same, timed in the same process."""

from e2kd_lab.bench.findings import Findings, Ratio, Timing
from e2kd_lab.bench.running import BENCHMARKS, run_benchmarks
from e2kd_lab.bench.timing import BenchError, Spread

__all__ = ["BENCHMARKS", "BenchError", "Findings", "Ratio", "Spread", "Timing", "run_benchmarks"]
