"""Time of training steps (baseline, KD, e2KD) of GradCAM and B-cos pairs, against plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from e2kd_lab.bench.equal_steps import require_equal_steps
from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.pairs import (
    LAM,
    METHODS,
    TAU,
    Pair,
    loss_and_gradients,
    method_of,
    our_steps,
    plain_pair,
    reference_steps,
)
from e2kd_lab.bench.reference import PlainStep
from e2kd_lab.bench.timing import peak_memory, take_turns
from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.fuse_batch_norms import fuse_batch_norms

# In forward passes, a backward pass to the input costs one and an ordinary backward pass two. KD: the teacher's forward
# (T), the student's forward and backward, T + 3 S. GradCAM has a closed form, so e2KD needs no further pass. W(x) needs
# a backward pass to the input of both (T + S), and the student's backward pass goes through it too (2 S): 2 T + 6 S.
# Measured ratios are lower if the passes that e2KD adds are more efficient than the others.
OPERATIONS = {"standard": 1.0, "bcos": 2.0}
_EXPLAINED_BY = {"standard": "GradCAM", "bcos": "B-cos"}
_SHOWN = {"baseline": "baseline", "kd": "KD", "e2kd": "e²KD"}


def measure_steps(findings: Findings, device: torch.device, quick: bool, say: Callable[[str], None]) -> None:
    """Time the steps of all pairs, ours and the reference's, standard and B-cos in turns.

    Raises
    ------
    BenchError
        If ours and the reference give different losses or gradients.
    """
    for title, pairs, methods, repeats in step_pairs(device, quick):
        say(f"steps: {title}, {pairs['standard'].batch} images of {pairs['standard'].size} px")
        contestants: dict[str, Callable[[], object]] = {}
        for family, pair in pairs.items():
            teacher, student = pair.build(device)
            check_steps(pair, teacher, student, methods)
            images, labels = pair.images_and_labels(device)
            # The reference copies the networks before our steps change their memory layout.
            plain = reference_steps(teacher, student, images, labels)
            own = our_steps(teacher, student, images, labels)
            for name in methods:
                contestants[f"{family} {name}"] = own[name]
                contestants[f"{family} {name} reference"] = plain[name]
            if device.type == "cuda":  # many times slower on CPUs without such instructions
                half = our_steps(teacher, student, images, labels, half=True)
                contestants |= {f"{family} {name} bfloat16": half[name] for name in methods}
        seconds = take_turns(contestants, repeats, device)
        findings.add_timings("steps", title, seconds, images=pairs["standard"].batch)
        for family in pairs:
            for name in methods:
                ours = f"{family} {name}"
                for kind in ("", " bfloat16"):
                    if ours + kind in seconds:
                        findings.add_ratio("steps", f"{title}, {_EXPLAINED_BY[family]}", "gain", seconds,
                                           f"{ours} reference", ours + kind,
                                           title=f"{_SHOWN[name]} step{kind}")  # fmt: skip
            if {"kd", "e2kd"} <= {*methods}:
                findings.add_ratio("steps", f"{title}, {_EXPLAINED_BY[family]}", "cost", seconds, f"{family} e2kd",
                                   f"{family} kd", title="e²KD / KD", operations=OPERATIONS[family])  # fmt: skip
        for name in methods:
            findings.add_ratio("steps", title, "cost", seconds, f"bcos {name}", f"standard {name}",
                               title=f"{_SHOWN[name]}, B-cos / standard")  # fmt: skip
        if peaks := peak_memory(contestants, device):
            findings.peak_bytes[f"steps, {title}"] = peaks


def check_steps(
    pair: Pair, teacher: ExplainableModel, student: ExplainableModel, methods: Sequence[str] = METHODS
) -> None:
    """Compare losses and gradients of ours and the reference in float64, on a few images.

    Raises
    ------
    BenchError
        If they differ.
    """
    for name in methods:
        what = f"The {name} step of {pair.student} taught by {pair.teacher}"
        require_equal_steps(what, pair, teacher, student, partial(_our_step, name), partial(_reference_step, name))


def _our_step(
    name: str, teacher: ExplainableModel, student: ExplainableModel, images: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    fuse_batch_norms(teacher, images.shape[-1])
    method = method_of(name, student, teacher)
    return loss_and_gradients(method(images, labels)["loss"], student)


def _reference_step(
    name: str, teacher: ExplainableModel, student: ExplainableModel, images: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    plain_teacher, plain_student = plain_pair(teacher, student)
    step = PlainStep(name, plain_student, plain_teacher, lam=LAM, tau=TAU)
    return loss_and_gradients(step(images, labels), plain_student.network)


def step_pairs(device: torch.device, quick: bool) -> Iterator[tuple[str, dict[str, Pair], tuple[str, ...], int]]:
    """Yield title, pairs by family, methods and number of rounds."""
    if quick:
        yield "ResNet mini", _both("resnet_mini_deep", "resnet_mini", 4, 16, 4), METHODS, 3
        return
    size, batch = (224, 64) if device.type == "cuda" else (64, 16)
    pairs = _both("resnet34", "resnet18", 1000, size, batch)
    yield "ResNet-34 to 18", pairs, METHODS, 11 if device.type == "cpu" else 31
    if device.type == "cpu":  # with few images, B-cos units mostly normalise weights
        yield "ResNet-18, 64 images", _both("resnet34", "resnet18", 1000, size, 64), ("baseline",), 11
    yield "ResNet mini", _both("resnet_mini_deep", "resnet_mini", 20, 64, 64), METHODS, 21


def _both(teacher: str, student: str, classes: int, size: int, batch: int) -> dict[str, Pair]:
    return {
        "standard": Pair(teacher, student, classes, size, batch),
        "bcos": Pair(f"bcos_{teacher}", f"bcos_{student}", classes, size, batch),
    }
