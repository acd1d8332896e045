"""What a run costs: its own training steps, loader and evaluation, timed on this device, and arithmetic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from e2kd_lab.data.loading import StepSampler, steps_per_epoch, train_loader
from e2kd_lab.experiments import Experiment
from e2kd_lab.methods import METHODS
from e2kd_lab.models.memory_format import prepare_networks
from e2kd_lab.runs.environment import environment_of
from e2kd_lab.runs.evaluate import measure
from e2kd_lab.runs.run import arithmetic_for_training
from e2kd_lab.runs.stand_in import Shown, few_frozen, is_frozen
from e2kd_lab.system.peak_memory import PeakMemory
from e2kd_lab.training import Hardware, OwnMeasures, Trainer, Watcher
from e2kd_lab.training.hardware import ran_out_of_memory
from e2kd_lab.training.preserved_state import random_state_preserved
from e2kd_lab.training.trainer import BEST, LAST

STEPS = 20
_SKIPPED, _LEAST_STEPS, _LEAST_BATCH = 3, 4, 8
# Seconds for the steps on a CPU, which otherwise has smaller batches or fewer steps; and for the evaluation.
_BUDGET, _EVALUATION = 40.0, 10.0
_LOADED, _EVALUATED = 128, 64  # images
# Random networks must not diverge.
_LEARNING_RATE = 1e-9
_NO_MEASURES = pd.DataFrame({"group": ["all"], "metric": ["accuracy"], "value": [0.0]})


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run costs on a device.

    Attributes
    ----------
    device : str
        Name of the device.
    steps : int
        Training steps.
    step_seconds : float
        Time to compute one, without loading.
    batch, measured_batch : int
        Images of a step on each device, and those it was measured with: fewer where more do not fit, or would take a
        CPU too long. Time and memory are in proportion.
    images_needed, images_given : float
        Images a second that these steps take on each device, and that its loader gives.
    waits : bool
        Whether a step waits for its images, as without loader processes.
    start_seconds, evaluation_seconds : float
        Time to build the networks, and of all validations and the test.
    memory : int or None
        Largest memory in bytes: reserved on a GPU; of the process on a CPU. None where the system does not tell.
    checkpoint_bytes, frozen_bytes : int
        Size of the run's checkpoints, and of the frozen teacher that it learns from.
    is_drawn : bool
        Whether drawn pictures stood in for the images.
    cheaper : mapping
        Time of a step with changes that make it cheaper, relative to the step without.
    """

    device: str
    steps: int
    step_seconds: float
    batch: int
    measured_batch: int
    images_needed: float
    images_given: float
    waits: bool
    start_seconds: float
    evaluation_seconds: float
    memory: int | None
    checkpoint_bytes: int
    frozen_bytes: int
    is_drawn: bool
    cheaper: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Time of the whole run."""
        loading = self.batch / self.images_given
        step = self.step_seconds + loading if self.waits else max(self.step_seconds, loading)
        return self.start_seconds + self.steps * step + self.evaluation_seconds


def measure_cost(
    experiment: Experiment, *, hardware: Hardware | None = None, steps: int = STEPS, cheaper: bool = True
) -> Cost:
    """Time a run's steps, loader and evaluation, with untrained networks; nothing is kept.

    Parameters
    ----------
    experiment : Experiment
        What would be trained. Where it names no folder and its data are a published set, drawn pictures stand in.
    hardware : Hardware
        Device and loader processes. With several ``devices``, one is measured with its share of a batch; what it takes
        to add up gradients is left out.
    steps : int
        Steps to time, after some that are not; fewer on a CPU that takes seconds for each.
    cheaper : bool
        Also time a quarter of the explanations (``explain_part``), a frozen teacher and, on a GPU, bfloat16, where the
        experiment has these.

    Raises
    ------
    LabError
        If the experiment's images or device cannot be used.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> cost = measure_cost(lab.experiments.get("waterbirds", "lab").replace(method="e2kd"))  # doctest: +SKIP
    >>> cost.seconds  # doctest: +SKIP
    """
    with TemporaryDirectory() as folder, random_state_preserved():
        return _Measuring(experiment, hardware or Hardware(), Path(folder)).cost(steps, cheaper)


class _Measuring:
    def __init__(self, experiment: Experiment, hardware: Hardware, folder: Path) -> None:
        self.experiment, self.devices, self.folder = experiment, hardware.devices, folder
        # No checkpoint in the middle of what is timed.
        self.hardware = replace(hardware, devices=1, checkpoint_seconds=float("inf"))
        self.fabric = self.hardware.fabric(experiment.precision)
        self.batch = max(1, experiment.batch_size // self.devices)

    def cost(self, steps: int, cheaper: bool) -> Cost:
        device = self.fabric.device
        self.shown = Shown.of(self.experiment)
        began = time.perf_counter()
        self._build()
        start = time.perf_counter() - began
        with arithmetic_for_training(device):
            few, frozen_size = self._few(self.experiment)
            given = self._images_given(few)
            batch, steps = self._fitting(few, steps)
            with PeakMemory(device) as in_training:
                seconds = self._step_seconds(self.experiment, few, batch, steps)
            with PeakMemory(device) as in_evaluation:
                an_image = self._evaluation_seconds()
            known = [(self.folder / name).stat().st_size for name in (LAST, BEST)]
            factors = {
                name: self._step_seconds(changed, self._few(changed)[0], batch, max(_LEAST_STEPS, steps // 2)) / seconds
                for name, changed in (self._cheaper().items() if cheaper else ())
            }
        whole, recipe, counts = seconds * self.batch / batch, self.experiment.recipe, self.shown.counts
        validations = -(-recipe.epochs // recipe.validate_every)
        return Cost(
            device=environment_of(str(device))["device_name"],
            steps=recipe.epochs * steps_per_epoch(counts["train"], recipe.batch_size),
            step_seconds=whole,
            batch=self.batch,
            measured_batch=batch,
            images_needed=batch / seconds,
            images_given=given,
            waits=self.hardware.workers == 0,
            start_seconds=start,
            evaluation_seconds=an_image * (validations * counts["val"] + counts["test"]) / self.devices,
            memory=_larger(in_training, self.batch / batch, in_evaluation),
            checkpoint_bytes=sum(known),
            frozen_bytes=round(frozen_size * counts["train"]),
            is_drawn=self.shown.is_drawn,
            cheaper=factors,
        )

    def _build(self) -> None:
        """Untrained networks; those of a run have the same shapes."""
        torch.manual_seed(0)
        experiment = self.experiment
        self.student, self.teacher = experiment.build(experiment.network), None
        experiment.prepare_student(self.student)
        if experiment.method != "teacher":
            self.teacher = experiment.build(experiment.teacher).to(self.fabric.device)
            self.teacher.eval()
        prepare_networks(self.student, self.teacher, experiment.image_size, self.fabric.device)

    def _few(self, experiment: Experiment) -> tuple[Dataset, float]:
        """Training images to measure with, and the bytes that a frozen teacher takes for each."""
        if is_frozen(experiment):
            return few_frozen(self.shown, experiment, self.folder / "frozen", _LOADED)
        return self.shown.few("train", _LOADED), 0.0

    def _images_given(self, few: Dataset) -> float:
        """Images a second, from the second pass on: small sets are kept in memory."""
        count: int = len(few)  # type: ignore[arg-type]
        batch = min(count, 16)
        per_epoch, start, images = steps_per_epoch(count, batch), 0.0, 0
        sampler = StepSampler(count, batch, seed=0, start=0, stop=2 * per_epoch)
        loader = train_loader(few, sampler, workers=self.hardware.workers, pin_memory=self.fabric.device.type == "cuda")
        for number, _ in enumerate(loader):
            if number < per_epoch:
                start = time.perf_counter()
            else:
                images += batch
        return images / (time.perf_counter() - start)

    def _fitting(self, few: Dataset, steps: int) -> tuple[int, int]:
        """Images and steps to measure with: those of the run, if the device's memory or time are enough for them."""
        batch = self.batch
        if self.fabric.device.type != "cpu":
            while True:
                try:
                    self._step_seconds(self.experiment, few, batch, 1)
                    return batch, steps
                except (RuntimeError, torch.OutOfMemoryError) as error:
                    if batch == 1 or not ran_out_of_memory(error):
                        raise
                batch //= 2
        least = min(batch, _LEAST_BATCH)
        seconds, affordable = self._step_seconds(self.experiment, few, least, 1), _BUDGET / (steps + _SKIPPED)
        while batch > least and seconds * batch / least > affordable:
            batch = max(least, batch // 2)
        if batch == least:
            steps = min(steps, max(_LEAST_STEPS, int(_BUDGET / seconds) - _SKIPPED))
        return batch, steps

    def _step_seconds(self, experiment: Experiment, few: Dataset, batch: int, steps: int) -> float:
        """Mean time of a step of ``batch`` images that are in memory, in the run's own training loop."""
        # Whole periods, so that steps with and without explanations have the weights of training.
        period = experiment.explain_every
        skipped, steps = (-(-number // period) * period for number in (min(_SKIPPED, steps), steps))
        samples = [few[index] for index in range(min(batch, len(few)))]  # type: ignore[arg-type]
        clock = _Clock(self.fabric.device, skipped, skipped + steps)
        repeated = [index % len(samples) for index in range(batch * clock.last)]
        for name in (LAST, BEST):
            (self.folder / name).unlink(missing_ok=True)
        trainer = Trainer(
            experiment.training_step(self.student, self.teacher),
            replace(
                experiment.recipe, epochs=1, batch_size=batch, lr=_LEARNING_RATE, warmup_epochs=0.0, validate_every=1
            ),
            Subset(samples, repeated),  # type: ignore[arg-type]
            num_classes=experiment.num_classes,
            validate=lambda: _NO_MEASURES,
            folder=self.folder,
            fabric=self.hardware.fabric(experiment.precision),
            hardware=replace(self.hardware, workers=0),
            watcher=clock,
        )
        trainer.fit()
        return clock.seconds / steps

    def _evaluation_seconds(self) -> float:
        """Time to evaluate an image, with the teacher if there is one."""
        evaluate = partial(
            measure,
            self.experiment,
            self.student,
            self.teacher,
            split="val",
            own=OwnMeasures(),
            device=self.fabric.device,
            workers=self.hardware.workers,
        )
        count = _LEAST_BATCH
        first = self._seconds_to(evaluate, count)
        count = min(_EVALUATED, max(count, int(count * _EVALUATION / first)))
        return self._seconds_to(evaluate, count) / count

    def _seconds_to(self, evaluate: Any, count: int) -> float:
        images = self.shown.few("val", count)
        repeated = Subset(images, [index % len(images) for index in range(count)])
        began = time.perf_counter()
        evaluate(dataset=repeated)
        return time.perf_counter() - began

    def _cheaper(self) -> dict[str, Experiment]:
        """The experiment with changes that make its steps cheaper, where it has them."""
        experiment, changed = self.experiment, {}
        if experiment.hyperparameters.get("explain_part") == 1.0 and experiment.lam > 0:
            changed["explain_part=0.25"] = experiment.replace(explain_part=0.25)
        if METHODS[experiment.method].can_be_frozen and getattr(experiment.data, "frozen", None) is False:
            changed["frozen=true"] = experiment.replace(frozen=True)
        if self.fabric.device.type == "cuda" and experiment.precision == "32-true":
            changed["precision=bf16-mixed"] = experiment.replace(precision="bf16-mixed")
        return changed


class _Clock(Watcher):
    """Time from the end of one step to the end of another."""

    def __init__(self, device: torch.device, first: int, last: int) -> None:
        self.device, self.first, self.last = device, first, last
        self.seconds = 0.0

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        if step in (self.first, self.last):
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self.seconds = time.perf_counter() - self.seconds


def _larger(in_training: PeakMemory, factor: float, in_evaluation: PeakMemory) -> int | None:
    """The larger peak, if what a step takes beyond the rest grew by a factor."""
    if in_training.peak is None or in_training.before is None or in_evaluation.peak is None:
        return None
    scaled = in_training.before + (in_training.peak - in_training.before) * factor
    return round(max(scaled, in_evaluation.peak))
