"""``e2kd-lab plan``: what runs would take, before anything long starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table

import e2kd_lab as lab
from e2kd_lab.cli.chosen_experiment import chosen_grid
from e2kd_lab.cli.options import (
    AnySettingOption,
    DeviceOption,
    DevicesOption,
    EpochsOption,
    ExperimentArgument,
    ExplanationOption,
    FamilyOption,
    MethodsOption,
    PluginOption,
    RootOption,
    RunsOption,
    ScaleOption,
    SeedsOption,
    SetOption,
    TeacherDataOption,
    TeacherOption,
    WorkersOption,
)
from e2kd_lab.cli.tables import console, say

if TYPE_CHECKING:
    from e2kd_lab.runs.plan import Planned


def plan(
    experiment: ExperimentArgument,
    method: MethodsOption = None,
    scale: ScaleOption = "lab",
    family: FamilyOption = None,
    setting: AnySettingOption = "base",
    seeds: SeedsOption = "0",
    plugin: PluginOption = None,
    explanation: ExplanationOption = None,
    epochs: EpochsOption = None,
    set_: SetOption = None,
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    device: DeviceOption = "auto",
    devices: DevicesOption = 1,
    workers: WorkersOption = 0,
    runs: RunsOption = None,
) -> None:
    """Say what a sweep would take on this device: time, memory, disk, images to load, and what would be cheaper.

    Twenty steps of each kind of run are timed, with the real networks and batches. Nothing is trained.
    """
    wanted = chosen_grid(
        experiment, scale, family, setting, method or [], seeds, assignments=set_, epochs=epochs,
        explanation=explanation, data_root=data_root, teacher_data_root=teacher_data, teacher_weights=teacher,
    )  # fmt: skip
    hardware = lab.Hardware(device=device, devices=devices, workers=workers)
    planned = lab.plan(wanted, folder=runs, hardware=hardware, say=say)
    kinds = _by_kind(planned)
    console.print(_times(kinds, hardware))
    for line in _remarks(planned, kinds, hardware):
        say(line)
    if any(one.cost.cheaper for one in planned):
        console.print(_cheaper(kinds))
    if any(one.took is not None and one.estimated is not None for one in planned):
        console.print(_compared(planned))


def _by_kind(planned: Iterable[Planned]) -> list[list[Planned]]:
    """Runs that cost the same, together."""
    kinds: dict[int, list[Planned]] = {}
    for one in planned:
        kinds.setdefault(id(one.cost), []).append(one)
    return list(kinds.values())


def _times(kinds: list[list[Planned]], hardware: lab.Hardware) -> Table:
    where = kinds[0][0].cost.device + (f", {hardware.devices} devices a run" if hardware.devices > 1 else "")
    heading = kinds[-1][0].experiment.title.split(": ")[0]
    table = Table(title=f"{heading}: estimated here ({where})", title_justify="left", show_footer=True)
    left = [[one for one in kind if one.status != "done"] for kind in kinds]
    disk = sum(len(kind) * kind[0].cost.checkpoint_bytes for kind in kinds)
    total = sum(one.cost.seconds for kind in left for one in kind)
    columns = {"method": "all", "runs": _number(sum(map(len, kinds)), sum(map(len, left))), "a step": "", "a run": ""}
    columns |= {"all left": _duration(total), "memory": "", "checkpoints": _size(disk)}
    for name, footer in columns.items():
        is_number = name != "method"
        table.add_column(name, footer, justify="right" if is_number else "left", no_wrap=is_number)
    for kind, rest in zip(kinds, left, strict=True):
        cost = kind[0].cost
        numbers = [_number(len(kind), len(rest)), _step(cost.step_seconds), _duration(cost.seconds)]
        numbers += [_duration(len(rest) * cost.seconds), _size(cost.memory), _size(len(kind) * cost.checkpoint_bytes)]
        table.add_row(_title(kind), *numbers)
    return table


def _number(runs: int, left: int) -> str:
    return f"{runs}, {runs - left} done" if left < runs else str(runs)


def _title(kind: list[Planned]) -> str:
    """What the titles of a kind's runs share, without the experiment and the seed."""
    titles = [one.experiment.title.split(": ", 1)[1].split(", ") for one in kind]
    shared = [part for part in titles[0] if all(part in other for other in titles)]
    return ", ".join(part for part in shared if not part.startswith("seed "))


def _remarks(planned: list[Planned], kinds: list[list[Planned]], hardware: lab.Hardware) -> list[str]:
    costs = [kind[0].cost for kind in kinds]
    lines = []
    if hardware.on_cpu and any(one.experiment.scale == "paper" for one in planned):
        lines.append("No GPU was used: these are times of this computer's processor, of which a GPU takes a fraction.")
    if any(cost.is_drawn for cost in costs):
        lines.append("The data are not here (--data-root): drawn pictures stood in for them, and nothing is kept.")
    if any(cost.measured_batch < cost.batch for cost in costs):
        smaller = sorted({(cost.batch, cost.measured_batch) for cost in costs if cost.measured_batch < cost.batch})
        pairs = ", ".join(f"{measured} of {batch}" for batch, measured in smaller)
        lines.append(f"Measured with {pairs} images a step; time and memory are in proportion.")
    slowest = min(costs, key=lambda cost: cost.images_given / cost.images_needed)
    waits = slowest.images_given < slowest.images_needed
    lines.append(
        f"Images a second on each device: at most {max(cost.images_needed for cost in costs):,.0f} needed; the loader "
        f"with {hardware.workers} processes gives {min(cost.images_given for cost in costs):,.0f} or more"
        + (f": it is {slowest.images_needed / slowest.images_given:.1f} times too slow (--workers)." if waits else ".")
    )
    frozen = {one.experiment.name: one.cost.frozen_bytes for one in planned if one.cost.frozen_bytes}
    lines += [
        f"The frozen teacher of {name} takes {_size(size)}; the time to freeze it is not in these numbers."
        for name, size in frozen.items()
    ]
    if any(one.experiment.needs_teacher_run and one.experiment.teacher_recipe is None for one in planned):
        lines.append("The teacher has to be given (--teacher); training one is not in these numbers.")
    return lines


def _cheaper(kinds: list[list[Planned]]) -> Table:
    """Time of a step with a change, relative to the step without."""
    names = list(dict.fromkeys(name for kind in kinds for name in kind[0].cost.cheaper))
    table = Table(title="A step with --set ..., relative to the step without", title_justify="left")
    table.add_column("method")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for kind in kinds:
        if factors := kind[0].cost.cheaper:
            table.add_row(_title(kind), *(f"{factors[name]:.2f}" if name in factors else "" for name in names))
    return table


def _compared(planned: list[Planned]) -> Table:
    table = Table(title="Runs that are done: estimated before, and what they took", title_justify="left")
    table.add_column("run")
    for heading in ("estimated", "took", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in planned:
        if one.took is not None and one.estimated is not None:
            more = f"{100 * (one.took / one.estimated - 1):+.0f} %"
            table.add_row(one.experiment.title, _duration(one.estimated), _duration(one.took), more)
    return table


def _step(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _duration(seconds: float) -> str:
    from e2kd_lab.training.progress import duration_text

    return duration_text(seconds) if seconds < 10 * 3600 else f"{seconds / 3600:,.0f} h"


def _size(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
