"""Time of steps with a frozen teacher (Sec. 3.3) against steps with a live one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from e2kd_lab.bench.equal_steps import require_equal_steps
from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.pairs import LAM, TAU, Pair, loss_and_gradients, optimizer_of, step_of
from e2kd_lab.bench.timing import peak_memory, take_turns
from e2kd_lab.explanations import explain
from e2kd_lab.methods import E2KD, KD
from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.dummy_forward import dummy_forward
from e2kd_lab.models.memory_format import prepare_networks

# Share of each batch. Its cost in agreement is in the README; for a live teacher, in notebook 11.
PART = 0.25


def measure_frozen(findings: Findings, device: torch.device, quick: bool, say: Callable[[str], None]) -> None:
    """Time an e2KD step from stored logits and maps, a KD step and an e2KD step with a live teacher.

    B-cos students also take a step from stored maps that explains a part of the batch.

    Raises
    ------
    BenchError
        If stored and live explanations of the same view give different losses or gradients.
    """
    for title, pair, repeats in frozen_pairs(device, quick):
        say(f"frozen: {title}, {pair.batch} images of {pair.size} px")
        teacher, student = pair.build(device)
        check_frozen(pair, teacher, student)
        counted = frozen_operations(pair, teacher, student)
        prepare_networks(student, teacher, pair.size, device)
        images, labels = pair.images_and_labels(device)
        images = images.contiguous(memory_format=torch.channels_last)
        logits, _, maps = explain(teacher, images)
        optimizer = optimizer_of(student)
        kd = KD(student, teacher, tau=TAU)
        e2kd = E2KD(student, teacher, lam=LAM, tau=TAU)
        stored = logits, maps.contiguous()
        contestants = {
            "e2kd frozen": step_of(e2kd, optimizer, images, labels, stored),
            "kd": step_of(kd, optimizer, images, labels),
            "e2kd": step_of(e2kd, optimizer, images, labels),
        }
        shown = {
            ("e2kd frozen", "kd"): "e²KD, frozen / KD, live",
            ("e2kd frozen", "e2kd"): "e²KD, frozen / e²KD, live",
        }
        if pair.passes_whole_network:
            part = E2KD(student, teacher, lam=LAM, tau=TAU, explain_part=PART)
            contestants["e2kd frozen part"] = step_of(part, optimizer, images, labels, stored)
            shown["e2kd frozen part", "kd"] = f"e²KD, frozen, {PART:.0%} explained / KD, live"
        seconds = take_turns(contestants, repeats, device)
        findings.add_timings("frozen", title, seconds, images=pair.batch)
        for (above, below), ratio in shown.items():
            operations = counted[above] / counted[below]
            findings.add_ratio("frozen", title, "cost", seconds, above, below, title=ratio, operations=operations)
        if peaks := peak_memory(contestants, device):
            findings.peak_bytes[f"frozen, {title}"] = peaks


def frozen_pairs(device: torch.device, quick: bool) -> Iterator[tuple[str, Pair, int]]:
    """Yield title, pair and number of rounds."""
    if not quick:
        size, rounds = (224, 21) if device.type == "cuda" else (64, 9)
        for family, prefix in (("GradCAM", ""), ("B-cos", "bcos_")):
            pair = Pair(f"{prefix}densenet169", f"{prefix}resnet18", 1000, size, 64)
            yield f"DenseNet-169 to ResNet-18, {family}", pair, rounds
    if quick or device.type == "cpu":
        minis = "bcos_densenet_mini_deep", "bcos_resnet_mini"
        pair = Pair(*minis, 20, 16, 4) if quick else Pair(*minis, 20, 64, 64)
        yield "DenseNet to ResNet mini, B-cos", pair, 3 if quick else 21


def frozen_operations(pair: Pair, teacher: ExplainableModel, student: ExplainableModel) -> dict[str, float]:
    """Multiplications and additions of each contestant's step, per image.

    A backward pass to the input counts as one forward pass, an ordinary backward pass as two (see
    `e2kd_lab.bench.steps.OPERATIONS`). Frozen teachers cost nothing. If a part of a batch is explained, its images pass
    through the student once more.
    """
    asked, own = _operations(teacher, pair.size), _operations(student, pair.size)
    explained, frozen = (2 * asked, 6 * own) if pair.passes_whole_network else (asked, 3 * own)
    counted = {"e2kd frozen": frozen, "kd": asked + 3 * own, "e2kd": explained + frozen}
    return counted | ({"e2kd frozen part": (3 + 6 * PART) * own} if pair.passes_whole_network else {})


def check_frozen(pair: Pair, teacher: ExplainableModel, student: ExplainableModel) -> None:
    """Compare loss and gradients of stored and live explanations, in float64, on a few images.

    Raises
    ------
    BenchError
        If they differ.
    """
    what = f"The e2kd step of {pair.student} from stored maps"
    require_equal_steps(what, pair, teacher, student, partial(_step, stored=True), partial(_step, stored=False))


def _step(
    teacher: ExplainableModel, student: ExplainableModel, images: Tensor, labels: Tensor, *, stored: bool
) -> dict[str, Tensor]:
    logits, _, maps = explain(teacher, images)
    method = E2KD(student, teacher, lam=LAM, tau=TAU)
    return loss_and_gradients(method(images, labels, (logits, maps) if stored else None)["loss"], student)


def _operations(model: ExplainableModel, image_size: int) -> int:
    """Multiplications and additions of a forward pass of one image."""
    with FlopCounterMode(display=False) as counted:
        dummy_forward(model, image_size)
    return counted.get_total_flops()
