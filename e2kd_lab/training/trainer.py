"""The training loop: one for every experiment, device and number of processes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset
from torchvision.transforms import v2

from e2kd_lab.data.loading import StepSampler, steps_per_epoch, train_loader
from e2kd_lab.data.transforms import as_unit_range, seeded
from e2kd_lab.methods import Distiller
from e2kd_lab.models.checkpoints import load_state, read_checkpoint, state_dict_of
from e2kd_lab.models.sync_batch_norm import sync_batch_norms
from e2kd_lab.system.errors import TrainingError
from e2kd_lab.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint, save_student
from e2kd_lab.training.gradient_clipping import clip_gradients_adaptively
from e2kd_lab.training.hardware import Hardware
from e2kd_lab.training.located_objects import object_masks, require_located_objects
from e2kd_lab.training.metrics_file import MetricsFile
from e2kd_lab.training.recipe import Recipe, build_optimizer
from e2kd_lab.training.watchers import Watcher, Watchers

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Metric used for checkpoint selection: accuracy, or F1 for images with several labels.
SELECTED_BY = ("accuracy", "f1")
LAST, BEST, METRICS = "last.ckpt", "best.ckpt", "metrics.csv"


class Trainer:
    """Trains a method in a folder, and resumes from the checkpoint there.

    Writes ``metrics.csv`` (losses of each epoch, validation measures), ``last.ckpt`` (the complete state) and
    ``best.ckpt`` (the student with the highest validation accuracy, or F1). A run killed at any moment resumes from
    ``last.ckpt`` to the same numbers, on a CPU bit for bit.

    Parameters
    ----------
    method : Distiller
        Student, teacher and the loss of a step.
    recipe : Recipe
        Optimizer, schedule, batch size and seed.
    train_set : Dataset
        Samples with ``image`` and ``label``, augmented.
    num_classes : int
        Number of classes, for mixup.
    validate : callable
        Returns validation measures of the current student (``group``, ``metric``, ``value``); called on all
        processes.
    folder : Path
        The run's folder.
    fabric : Fabric
        Launched Lightning Fabric: device, precision and processes.
    hardware : Hardware
        Loader processes and time between checkpoints.
    watcher : Watcher
        Follows training and may stop it; its errors do not end training (see `Watchers`).

    Examples
    --------
    >>> import tempfile
    >>> import e2kd_lab as lab
    >>> images = [{"image": torch.rand(3, 32, 32), "label": index % 2} for index in range(4)]
    >>> trainer = Trainer(
    ...     lab.methods.KD(lab.build_model("resnet_mini", 2), lab.build_model("resnet_mini", 2)),
    ...     Recipe(epochs=1, batch_size=2),
    ...     images,
    ...     num_classes=2,
    ...     validate=lambda: pd.DataFrame({"group": ["all"], "metric": ["accuracy"], "value": [50.0]}),
    ...     folder=Path(tempfile.mkdtemp()),
    ...     fabric=Hardware(device="cpu").fabric(),
    ...     hardware=Hardware(device="cpu"),
    ...     watcher=Watcher(),
    ... )
    >>> trainer.fit()
    True
    """

    def __init__(
        self,
        method: Distiller,
        recipe: Recipe,
        train_set: Dataset,
        *,
        num_classes: int,
        validate: Callable[[], pd.DataFrame],
        folder: Path,
        fabric: Fabric,
        hardware: Hardware,
        watcher: Watcher,
    ) -> None:
        self.method, self.recipe, self.train_set = method, recipe, train_set
        self.validate, self.folder, self.fabric = validate, folder, fabric
        self.hardware = hardware
        self.watcher = watcher if isinstance(watcher, Watchers) else Watchers([watcher])
        self.steps_per_epoch = steps_per_epoch(len(train_set), recipe.batch_size)  # type: ignore[arg-type]
        self.total_steps = recipe.epochs * self.steps_per_epoch
        self._mixup = v2.MixUp(alpha=recipe.mixup, num_classes=num_classes) if recipe.mixup > 0 else None

    def fit(self, title: str = "training") -> bool:
        """Train to the last step, or until the watcher stops training.

        Returns
        -------
        bool
            Whether all steps are done.

        Raises
        ------
        TrainingError
            If a loss or a weight is no longer finite; the last checkpoint is from before that.
        CheckpointError
            If the checkpoint in the folder is damaged or of another run.
        DataError
            If guidance has no located object to learn from.
        """
        if getattr(self.method, "guidance", None) is not None:
            require_located_objects(self.train_set)
        random.seed(self.recipe.seed)
        np.random.seed(self.recipe.seed)  # noqa: NPY002 - the legacy generator is what libraries draw from
        torch.manual_seed(self.recipe.seed + self.fabric.global_rank)
        if self.fabric.world_size > 1:  # results must not depend on the number of processes
            sync_batch_norms(self.method)
        optimizer = build_optimizer(self.recipe, self.method)
        if self.method.teacher is not None:
            self.method.teacher.to(self.fabric.device)
        module, wrapped_optimizer = self.fabric.setup(self.method, optimizer)
        state = TrainingState()
        if (self.folder / LAST).is_file():
            state = load_checkpoint(self.folder / LAST, self.method, optimizer, self.fabric.device)
        self._metrics = MetricsFile(self.folder / METRICS, state.step)
        if state.step < self.total_steps:
            try:
                if self.fabric.is_global_zero:
                    self.watcher.on_start(title, state.step, self.total_steps)
                    if len(self._metrics.rows):
                        self.watcher.on_rows(self._metrics.rows)
                self._loop(module, wrapped_optimizer, optimizer, state)
            finally:
                if self.fabric.is_global_zero:
                    self.watcher.on_end(title)
        return state.step >= self.total_steps

    def load_best(self) -> int:
        """Load the student of ``best.ckpt`` and return the step at which it was saved."""
        path = self.folder / BEST
        checkpoint = read_checkpoint(path)
        load_state(self.method.student, state_dict_of(checkpoint, str(path)), str(path))
        return int(checkpoint["step"])

    def _loop(self, module: Any, wrapped: Any, optimizer: torch.optim.Optimizer, state: TrainingState) -> None:
        if self.fabric.is_global_zero and state.step == 0:  # so that a run that fails early can resume, too
            save_checkpoint(self.folder / LAST, state, self.method, optimizer)
        saved_at = time.monotonic()
        module.train()
        for batch in self._batches(state.step):
            losses = self._step(module, wrapped, batch, state.step)
            state.step += 1
            for name, value in losses.items():
                state.sums[name] = state.sums.get(name, 0) + value.detach().double()
            if self.fabric.is_global_zero:
                self.watcher.on_step(state.step, losses)
            if state.step % self.steps_per_epoch == 0:
                self._end_epoch(state)
            stop = self._should_stop(state.step)
            due = time.monotonic() - saved_at > self.hardware.checkpoint_seconds
            if self.fabric.is_global_zero and (stop or due or state.step == self.total_steps):
                self._check_finite(state.step, state.sums)
                save_checkpoint(self.folder / LAST, state, self.method, optimizer)
                saved_at = time.monotonic()
            if stop:
                return

    def _batches(self, start: int) -> Any:
        sampler = StepSampler(
            len(self.train_set),  # type: ignore[arg-type]
            self.recipe.batch_size,
            seed=self.recipe.seed,
            start=start,
            stop=self.total_steps,
            rank=self.fabric.global_rank,
            world_size=self.fabric.world_size,
        )
        pin_memory = self.fabric.device.type == "cuda"
        return train_loader(self.train_set, sampler, workers=self.hardware.workers, pin_memory=pin_memory)

    def _step(self, module: Any, optimizer: Any, batch: dict[str, torch.Tensor], step: int) -> dict[str, torch.Tensor]:
        recipe, inputs = self.recipe, self._inputs(batch, step)
        # By hand: a function of the step needs no state to resume, and SequentialLR's recursion adds rounding errors.
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step, self.steps_per_epoch)
        losses = module(*inputs, step)
        self.fabric.backward(losses["loss"])
        if recipe.adaptive_clip is not None:
            clip_gradients_adaptively(self.method.parameters(), recipe.adaptive_clip)
        if recipe.clip_norm is not None:
            self.fabric.clip_gradients(module, optimizer, max_norm=recipe.clip_norm, error_if_nonfinite=False)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return losses

    def _inputs(self, batch: dict[str, torch.Tensor], step: int) -> tuple[Any, ...]:
        """Images, labels, the frozen teacher's logits and maps, and masks, on the device; the last two may be None."""

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(self.fabric.device, non_blocking=True)

        images, labels = as_unit_range(moved(batch["image"])), moved(batch["label"])
        if self._mixup is not None:
            with seeded(self.recipe.seed, step, self.fabric.global_rank):
                images, labels = self._mixup(images, labels)
        images = images.contiguous(memory_format=torch.channels_last)
        frozen = None
        if "teacher_logits" in batch:
            frozen = moved(batch["teacher_logits"]), moved(batch["teacher_map"])
        masks = object_masks(batch)
        return images, labels, frozen, None if masks is None else moved(masks)

    def _end_epoch(self, state: TrainingState) -> None:
        epoch = state.step // self.steps_per_epoch
        totals = {name: torch.as_tensor(self.fabric.all_reduce(value)) for name, value in state.sums.items()}
        self._check_finite(state.step, totals)  # on all processes, so that they fail together
        means = {name: value.item() / self.steps_per_epoch for name, value in totals.items()}
        state.sums = {}
        if self.fabric.is_global_zero:
            self.watcher.on_network(self.method.student)
        self._record(state.step, epoch, "train", _loss_rows(means))
        if epoch % self.recipe.validate_every and state.step != self.total_steps:
            return
        measures = self.validate()
        self._record(state.step, epoch, "val", measures)
        selecting = measures["metric"].isin(SELECTED_BY) & (measures["group"] == "all")
        accuracy = measures.loc[selecting, "value"].item()
        if accuracy > state.best_accuracy:
            state.best_accuracy, state.best_step = accuracy, state.step
            if self.fabric.is_global_zero:
                save_student(self.folder / BEST, state, self.method)

    def _record(self, step: int, epoch: int, split: str, measures: pd.DataFrame) -> None:
        if self.fabric.is_global_zero:
            self.watcher.on_rows(self._metrics.add(step, epoch, split, measures))

    def _check_finite(self, step: int, sums: dict[str, torch.Tensor]) -> None:
        run = self.folder.name
        wrong = [f"{name} of {run} is {value.item()}" for name, value in sums.items() if not torch.isfinite(value)]
        # A finite loss may have a gradient that is not finite.
        tensors = [value for value in self.method.state_dict().values() if value.is_floating_point()]
        if not wrong and not torch.stack([value.isfinite().all() for value in tensors]).all():
            wrong = [f"weights of {run} hold inf or nan"]
        if wrong:
            first = max(0, step - 1) // self.steps_per_epoch * self.steps_per_epoch
            raise TrainingError(
                f"The {wrong[0]} between steps {first} and {step}; expected a finite number. {LAST} is from before: "
                "lower the learning rate and train again, or go on from there if the cause lay outside."
            )

    def _should_stop(self, step: int) -> bool:
        if self.fabric.world_size == 1:
            return self.watcher.should_stop()
        if step % 20:  # asking rank 0 costs a broadcast
            return False
        return bool(self.fabric.broadcast(self.fabric.is_global_zero and self.watcher.should_stop()))


def _loss_rows(means: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame({"group": "all", "metric": list(means), "value": list(means.values())})
