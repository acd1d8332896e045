"""Benchmark results: times, ratios and memory, and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from e2kd_lab.bench.timing import Spread, ratio_of

# Gain: time of the reference / ours. Cost: time of one of ours / another of ours.
Kind = Literal["gain", "cost"]


@dataclass(frozen=True)
class Timing:
    """Seconds of one contestant in one case."""

    benchmark: str
    case: str
    contestant: str
    seconds: Spread
    images_per_second: float | None = None


@dataclass(frozen=True)
class Ratio:
    """Ratio of the times of two contestants.

    Attributes
    ----------
    benchmark, case : str
        Benchmark and case.
    kind : str
        ``gain`` (reference / ours, larger is better) or ``cost`` (ours / ours, smaller is better).
    title : str
        The two contestants, "above / below".
    value : Spread
        Spread of the ratios of all rounds.
    operations : float, optional
        Ratio of the counted multiplications, if known.
    """

    benchmark: str
    case: str
    kind: Kind
    title: str
    value: Spread
    operations: float | None = None


@dataclass
class Findings:
    """All results of one benchmark run.

    Attributes
    ----------
    machine : dict
        Device, versions, threads and date.
    timings, ratios : list
        `Timing` and `Ratio` of all cases.
    peak_bytes : dict
        Peak memory by benchmark and case, then contestant; on CUDA devices only.
    """

    machine: Mapping[str, Any]
    timings: list[Timing] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    peak_bytes: dict[str, dict[str, int]] = field(default_factory=dict)

    def add_timings(
        self, benchmark: str, case: str, seconds: Mapping[str, Sequence[float]], *, images: int | None = None
    ) -> None:
        """Add the times of all contestants; given the ``images`` per turn, also images per second."""
        for contestant, values in seconds.items():
            spread = Spread.of(values)
            rate = None if images is None else images / spread.median
            self.timings.append(Timing(benchmark, case, contestant, spread, rate))

    def add_ratio(
        self,
        benchmark: str,
        case: str,
        kind: Kind,
        seconds: Mapping[str, Sequence[float]],
        above: str,
        below: str,
        *,
        title: str | None = None,
        operations: float | None = None,
    ) -> None:
        """Add the ratio of two contestants."""
        value = ratio_of(seconds, above, below)
        self.ratios.append(Ratio(benchmark, case, kind, title or f"{above} / {below}", value, operations))

    def as_json(self) -> dict[str, Any]:
        """All results as dictionaries and lists."""
        memory = "bytes beyond what lay on the device before a step, by torch.cuda.max_memory_allocated"
        if not self.peak_bytes:
            memory = "not measured: a process's largest size on a CPU never shrinks, so it tells no step from another"
        return {**asdict(self), "peak_bytes_are": memory}

    def ratio_table(self) -> pd.DataFrame:
        """A row per ratio: benchmark, case, kind, title, lower, median, upper, repeats, operations."""
        rows = [
            {"benchmark": ratio.benchmark, "case": ratio.case, "kind": ratio.kind, "title": ratio.title}
            | asdict(ratio.value)
            | {"operations": ratio.operations}
            for ratio in self.ratios
        ]
        columns = ["benchmark", "case", "kind", "title", "lower", "median", "upper", "repeats", "operations"]
        return pd.DataFrame(rows, columns=columns).astype({"operations": float})
