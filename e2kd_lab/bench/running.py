"""Run all benchmarks and write their results."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from e2kd_lab.bench.explaining import measure_explaining
from e2kd_lab.bench.figure import bench_figure
from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.frozen import measure_frozen
from e2kd_lab.bench.loading import measure_loading
from e2kd_lab.bench.localisation import measure_localisation
from e2kd_lab.bench.steps import measure_steps
from e2kd_lab.bench.timing import BenchError
from e2kd_lab.figures.export import export_figure
from e2kd_lab.system.atomic_write import write_json
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training.malloc import keep_freed_memory

BENCHMARKS: Mapping[str, Callable[[Findings, torch.device, bool, Callable[[str], None]], None]] = {
    "steps": measure_steps,
    "explaining": measure_explaining,
    "epg_iou": measure_localisation,
    "frozen": measure_frozen,
    "loading": measure_loading,
}


def run_benchmarks(
    only: Sequence[str] | None = None,
    *,
    device: str = "cpu",
    quick: bool = False,
    out: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Findings:
    """Run benchmarks and write their results.

    Parameters
    ----------
    only : sequence of str, optional
        Names of `BENCHMARKS`; all by default.
    device : str
        ``cpu`` or ``cuda``.
    quick : bool
        Tiny networks and few repeats, to test the benchmarks; the numbers mean nothing.
    out : Path, optional
        Folder that receives ``bench.json`` and the figure ``bench`` as PDF, SVG, PNG and CSV; by default ``bench`` in
        the workspace's runs folder.
    say : callable
        Receives a line before each measurement.

    Returns
    -------
    Findings
        All times and ratios.

    Raises
    ------
    BenchError
        If a name is unknown, the device is missing, or ours and the reference give different results.

    Examples
    --------
    >>> run_benchmarks(["steps"], quick=True)  # doctest: +SKIP
    """
    names = list(dict.fromkeys(only or BENCHMARKS))
    if unknown := [name for name in names if name not in BENCHMARKS]:
        raise BenchError(f"There is no benchmark '{unknown[0]}'; expected one of {', '.join(BENCHMARKS)}.")
    where = _device(device)
    findings = Findings(describe_machine(where, quick))
    with _as_in_training(where):
        for name in names:
            BENCHMARKS[name](findings, where, quick, say)
    folder = runs_folder() / "bench" if out is None else out
    write_json(folder / "bench.json", findings.as_json())
    export_figure(bench_figure(findings), folder / "bench", findings.ratio_table())
    return findings


def describe_machine(device: torch.device, quick: bool) -> dict[str, Any]:
    """Device, versions, threads and date of a measurement."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": device.type,
        "device_name": name,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "threads": torch.get_num_threads(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": quick,
    }


def _device(name: str) -> torch.device:
    if name not in ("cpu", "cuda"):
        raise BenchError(f"There is no device '{name}' to measure on; expected cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise BenchError("There is no CUDA device here to measure on; expected --device cpu.")
    return torch.device(name)


@contextmanager
def _as_in_training(device: torch.device) -> Iterator[None]:
    """Set arithmetic and memory as in a training run, for ours and the reference; restore arithmetic afterwards."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    torch.set_flush_denormal(True)
    if device.type == "cpu":
        keep_freed_memory()
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_float32_matmul_precision(precision)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
