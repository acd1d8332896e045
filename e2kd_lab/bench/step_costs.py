"""Cost of a training step relative to that of another method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from e2kd_lab.bench.pairs import Pair, optimizer_of, step_of
from e2kd_lab.bench.timing import take_turns
from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import ExplanationMethod
from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.memory_format import prepare_networks
from e2kd_lab.training.malloc import keep_freed_memory


def relative_step_costs(
    experiments: Sequence[Experiment], *, repeats: int = 9, device: torch.device | str = "cpu"
) -> list[float]:
    """Mean time of a training step of each experiment, divided by that of the first one.

    Parameters
    ----------
    experiments : sequence of Experiment
        Experiments with the same networks, image size and batch size, methods ``baseline``, ``kd`` or ``e2kd``, and any
        explanations. Inputs are noise: no data are read and nothing needs to be trained.
    repeats : int
        Number of rounds (see `e2kd_lab.bench.timing.take_turns`).
    device : torch.device or str
        Device to measure on.

    Returns
    -------
    list of float
        Medians over the rounds; the first one is 1.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> kd = lab.experiments.get("waterbirds", "lab").replace(method="kd")
    >>> relative_step_costs([kd, kd.replace(method="e2kd")])  # doctest: +SKIP
    """
    device = torch.device(device)
    if device.type == "cpu":  # as training does
        keep_freed_memory()
    first = experiments[0]
    side = first.image_size if isinstance(first.image_size, int) else max(first.image_size)
    pair = Pair(first.teacher, first.student, first.num_classes, side, first.batch_size)
    teacher, student = pair.build(device)
    images, labels = pair.images_and_labels(device)
    images = images.contiguous(memory_format=torch.channels_last)
    prepare_networks(student, teacher, pair.size, device)
    optimizer = optimizer_of(student)
    own = {model: model.explanation for model in (student, teacher)}
    contestants: dict[str, Callable[[], object]] = {}
    for number, experiment in enumerate(experiments):
        method = experiment.training_step(student, teacher).train()
        # A whole period, so that steps with and without explanations have the weights of training.
        steps = [
            step_of(method, optimizer, images, labels, None, None, step) for step in range(experiment.explain_every)
        ]
        explained = {model: experiment.explanation or name for model, name in own.items()}
        contestants[str(number)] = partial(_one_after_the_other, steps, explained)
    periods = np.array([experiment.explain_every for experiment in experiments])
    seconds = np.array(list(take_turns(contestants, repeats, device).values())) / periods[:, None]
    return [float(cost) for cost in np.median(seconds / seconds[0], axis=1)]


def _one_after_the_other(
    steps: Sequence[Callable[[], object]], explained: Mapping[ExplainableModel, ExplanationMethod | str]
) -> None:
    for model, explanation in explained.items():  # experiments share the networks
        model.explanation = explanation
    for step in steps:
        step()
