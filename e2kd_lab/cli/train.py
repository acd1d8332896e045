"""``e2kd-lab train``, ``sweep`` and ``freeze``: commands that compute."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

import e2kd_lab as lab
from e2kd_lab.cli.chosen_experiment import chosen_experiment, chosen_grid
from e2kd_lab.cli.options import (
    OUTPUT,
    AnySettingOption,
    CancelOption,
    DeviceOption,
    DevicesOption,
    EpochsOption,
    ExperimentArgument,
    ExplanationOption,
    ExtraOption,
    FamilyOption,
    GpusOption,
    LamOption,
    LogOption,
    MethodOption,
    MethodsOption,
    OnOption,
    ParallelOption,
    PartitionOption,
    PluginOption,
    RootOption,
    RunsOption,
    ScaleOption,
    SeedOption,
    SeedsOption,
    SetOption,
    SettingOption,
    StatusOption,
    SweptArgument,
    TauOption,
    TeacherDataOption,
    TeacherOption,
    TimeOption,
    WorkersOption,
)
from e2kd_lab.cli.stop import stop_on_signal
from e2kd_lab.cli.tables import console, print_measures, say
from e2kd_lab.system.errors import ExperimentError


def train(
    experiment: ExperimentArgument,
    scale: ScaleOption = "lab",
    family: FamilyOption = None,
    setting: SettingOption = "base",
    seed: SeedOption = 0,
    plugin: PluginOption = None,
    method: MethodOption = "e2kd",
    lam: LamOption = None,
    tau: TauOption = None,
    explanation: ExplanationOption = None,
    epochs: EpochsOption = None,
    set_: SetOption = None,
    data_root: RootOption = None,
    teacher_data: TeacherDataOption = None,
    teacher: TeacherOption = None,
    device: DeviceOption = "auto",
    devices: DevicesOption = 1,
    workers: WorkersOption = 0,
    log: LogOption = None,
    runs: RunsOption = None,
) -> None:
    """Train a student, and its teacher first if there is none yet.

    Ctrl-C or a signal of a batch system saves the state; the same command resumes. A finished run is loaded.
    """
    wanted = chosen_experiment(
        experiment, scale, family, setting, method=method, assignments=set_, lam=lam, tau=tau, seed=seed, epochs=epochs,
        explanation=explanation, data_root=data_root, teacher_data_root=teacher_data, teacher_weights=teacher,
    )  # fmt: skip
    hardware = lab.Hardware(device=device, devices=devices, workers=workers)
    trackers = [lab.training.tracker(name) for name in log or []]
    with stop_on_signal() as stop:
        finished = lab.run(wanted, folder=runs, hardware=hardware, watchers=[stop, *trackers])
        console.print(f"{finished.folder}: {finished.whereabouts}")
        if finished.status == "done":
            print_measures(finished.results().query("split == 'test'"), f"{wanted.title}, test")


def sweep(
    experiment: SweptArgument = None,
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
    on: OnOption = None,
    max_parallel: ParallelOption = None,
    partition: PartitionOption = None,
    gpus_per_run: GpusOption = 0,
    time: TimeOption = "4:00:00",
    extra: ExtraOption = None,
    status: StatusOption = False,
    cancel: CancelOption = False,
    log: LogOption = None,
    runs: RunsOption = None,
) -> None:
    """Train a student for each point of a method's hyper-parameter grid and each seed, here or as jobs on a cluster.

    Finished runs are not repeated; failed ones are listed at the end.
    """
    from e2kd_lab.cli.submitted import cancel_jobs, extra_options, follow, show_status

    wanted = None
    if experiment is not None and method:
        wanted = chosen_grid(
            experiment, scale, family, setting, method, seeds, assignments=set_, epochs=epochs, explanation=explanation,
            data_root=data_root, teacher_data_root=teacher_data, teacher_weights=teacher,
        )  # fmt: skip
    elif experiment is not None or method or not (status or cancel):
        raise ExperimentError(
            "A sweep is of an experiment and a method; expected for instance: e2kd-lab sweep waterbirds --method kd"
        )
    if cancel:
        return cancel_jobs(wanted, runs)
    if status:
        return show_status(wanted, runs)
    assert wanted is not None
    hardware = lab.Hardware(device=device, devices=devices, workers=workers)
    trackers = [lab.training.tracker(name) for name in log or []]
    if on is not None:
        options = (max_parallel, partition, gpus_per_run, time, extra_options(extra or []))
        return follow(
            lab.sweep(
                wanted, on=lab.Cluster(cast(Any, on), *options), folder=runs, hardware=hardware, watchers=trackers
            )
        )
    if max_parallel or partition or gpus_per_run or extra:
        raise ExperimentError(
            "--max-parallel, --partition, --gpus-per-run and --extra are for jobs; expected --on, too."
        )
    with stop_on_signal() as stop:
        result = lab.sweep(wanted, folder=runs, hardware=hardware, watchers=[stop, *trackers], say=say)
        done = sum(finished.status == "done" for finished in result.runs)
        console.print(f"{done} of {len(wanted)} runs are done, {len(result.failures)} failed.")
    if result.failures:
        raise typer.Exit(1)


def freeze(
    experiment: ExperimentArgument = "imagenet_frozen",
    scale: ScaleOption = "lab",
    family: FamilyOption = None,
    setting: SettingOption = "base",
    plugin: PluginOption = None,
    set_: SetOption = None,
    data_root: RootOption = None,
    teacher: TeacherOption = None,
    device: DeviceOption = "auto",
    runs: RunsOption = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Store nothing; compare storage formats", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Compute a teacher's logits and explanations of all training images once and store them (Sec. 3.3).

    After an interruption, the same command resumes.
    """
    from e2kd_lab.cli.tables import print_storage
    from e2kd_lab.runs.freeze import freeze as freeze_teacher
    from e2kd_lab.runs.freeze import storage_choices
    from e2kd_lab.training.hardware import named_device

    wanted: Any = chosen_experiment(
        experiment, scale, family, setting, assignments=set_, data_root=data_root, teacher_weights=teacher
    )
    if not hasattr(wanted, "frozen_root"):
        raise ExperimentError(f"Experiment '{experiment}' cannot be frozen; expected for instance imagenet_frozen.")
    where = str(named_device(device))
    if wanted.teacher_weights is None:
        with stop_on_signal() as stop:
            lab.run(wanted.teacher_experiment(), folder=runs, hardware=lab.Hardware(device=device), watchers=[stop])
    if report:
        print_storage(storage_choices(wanted, runs=runs, device=where))
        return
    folder = freeze_teacher(wanted, runs=runs, device=where, say=say)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e9
    say(f"{folder} holds the frozen teacher, {size:.2f} GB.")
