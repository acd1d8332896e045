"""What benchmarks found, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from e2kd_lab.bench.timing import Spread, ratio_of

# A gain says how much longer the reference takes than ours, a cost how much longer one of ours takes than another.
Kind = Literal["gain", "cost"]


@dataclass(frozen=True)
class Timing:
    """Seconds that one contestant needs for what a case names."""

    benchmark: str
    case: str
    contestant: str
    seconds: Spread
    images_per_second: float | None = None


@dataclass(frozen=True)
class Ratio:
    """How much longer one contestant takes than another.

    Attributes
    ----------
    benchmark, case : str
        What was measured.
    kind : str
        ``gain`` (reference over ours, larger is better) or ``cost`` (of two of ours, smaller is better).
    title : str
        The two contestants, "above / below".
    value : Spread
        Spread of the quotients of all rounds.
    operations : float, optional
        What counting the multiplications of the two gives, where they are known.
    """

    benchmark: str
    case: str
    kind: Kind
    title: str
    value: Spread
    operations: float | None = None


@dataclass
class Findings:
    """All numbers of one run of the benchmarks.

    Attributes
    ----------
    machine : dict
        Device, versions, threads and date.
    timings, ratios : list
        What was measured.
    peak_bytes : dict
        Memory by benchmark, case and contestant, on CUDA devices only.
    """

    machine: Mapping[str, Any]
    timings: list[Timing] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    peak_bytes: dict[str, dict[str, int]] = field(default_factory=dict)

    def add_timings(
        self, benchmark: str, case: str, seconds: Mapping[str, Sequence[float]], *, images: int | None = None
    ) -> None:
        """Note the times of a contest; with ``images`` a turn also as images a second."""
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
        """Note the ratio of two contestants of one contest."""
        value = ratio_of(seconds, above, below)
        self.ratios.append(Ratio(benchmark, case, kind, title or f"{above} / {below}", value, operations))

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain dictionaries and lists."""
        memory = "bytes beyond what lay on the device before a step, by torch.cuda.max_memory_allocated"
        if not self.peak_bytes:
            memory = "not measured: a process's largest size on a CPU never shrinks, so it tells no step from another"
        return {**asdict(self), "peak_bytes_are": memory}

    def ratio_table(self) -> pd.DataFrame:
        """A row a ratio: benchmark, case, kind, title, lower, median, upper, repeats, operations."""
        rows = [
            {"benchmark": ratio.benchmark, "case": ratio.case, "kind": ratio.kind, "title": ratio.title}
            | asdict(ratio.value)
            | {"operations": ratio.operations}
            for ratio in self.ratios
        ]
        columns = ["benchmark", "case", "kind", "title", "lower", "median", "upper", "repeats", "operations"]
        return pd.DataFrame(rows, columns=columns).astype({"operations": float})
