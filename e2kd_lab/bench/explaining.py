"""Time of explaining, and of deletion curves, at once against one image after the other, here and in plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from e2kd_lab.bench.findings import Findings
from e2kd_lab.bench.pairs import in_double, settle
from e2kd_lab.bench.reference import plain_model
from e2kd_lab.bench.timing import require_equal, take_turns
from e2kd_lab.explanations import explain
from e2kd_lab.explanations.faithfulness import logits_in_parts
from e2kd_lab.metrics import deletion_curve
from e2kd_lab.models import ExplainableModel, build_model
from e2kd_lab.models.fuse_batch_norms import fuse_batch_norms
from e2kd_lab.models.memory_format import frozen_copy, prepare_frozen

_TITLES = {
    "resnet_mini": "ResNet mini, GradCAM",
    "bcos_resnet_mini": "ResNet mini, B-cos",
    "resnet18": "ResNet-18, GradCAM",
    "bcos_resnet18": "ResNet-18, B-cos",
}
_CHECKED_IMAGES, _TOLERANCE = 4, 1e-9


def measure_explaining(findings: Findings, device: torch.device, quick: bool, say: Callable[[str], None]) -> None:
    """Time GradCAM and W(x) of 64 images, for ResNet-18 and the small ResNet.

    Raises
    ------
    BenchError
        If an image's map depends on the rest of the batch, or differs from the plain program's.
    """
    count = 4 if quick else 64
    for name, title in _TITLES.items():
        mini = name.endswith("mini")
        if quick and not mini:
            continue
        size = 16 if quick else 224 if device.type == "cuda" and not mini else 64
        say(f"explaining: {title}, {count} images of {size} px")
        images = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
        model = _network(name, images)
        (double,) = in_double(model)
        some = images[:_CHECKED_IMAGES].double()
        plain_maps = plainly(double)(some)
        fuse_batch_norms(double, size)
        ours = explain(double, some).maps
        for program, maps in (("itself", one_by_one(double, some)), ("plain layers", plain_maps)):
            require_equal(f"Explanations by {name} and by {program}", {"maps": ours}, {"maps": maps}, _TOLERANCE)
        plain = plainly(model)  # copies the network before ours is arranged
        _measure_deletion(findings, title, model, images[: count // 4], quick)
        prepare_frozen(model, size, device)
        batch = images.contiguous(memory_format=torch.channels_last)
        contestants: dict[str, Callable[[], object]] = {
            "batch": partial(explain, model, batch),
            "one by one": partial(one_by_one, model, batch),
            "one by one reference": partial(plain, images),
        }
        seconds = take_turns(contestants, 3 if quick else 7 if device.type == "cpu" and not mini else 21, device)
        findings.add_timings("explaining", title, seconds, images=count)
        for above, shown in (("one by one reference", "plain program, one by one"), ("one by one", "one by one")):
            findings.add_ratio("explaining", title, "gain", seconds, above, "batch", title=f"{shown} / at once")


def _measure_deletion(findings: Findings, title: str, model: ExplainableModel, images: Tensor, quick: bool) -> None:
    """Time deletion curves of 32 steps as `faithfulness` takes them, against one forward pass per changed image."""
    maps, classes = images.mean(1), torch.zeros(len(images), dtype=torch.long, device=images.device)
    frozen = frozen_copy(model, images.shape[-1])

    def one_by_one_logits(some: Tensor) -> Tensor:
        return torch.cat([logits_in_parts(model, image[None]) for image in some])

    contestants: dict[str, Callable[[], Tensor]] = {
        "batch": partial(deletion_curve, partial(logits_in_parts, frozen), images, maps, classes),
        "one by one": partial(deletion_curve, one_by_one_logits, images, maps, classes),
    }
    curves = {name: {"curves": curve()} for name, curve in contestants.items()}
    require_equal("Deletion curves at once and one by one", curves["batch"], curves["one by one"], 1e-4)
    seconds = take_turns(contestants, 3, images.device)
    findings.add_timings("explaining", f"{title}, deletion", seconds, images=len(images))
    findings.add_ratio(
        "explaining", f"{title}, deletion", "gain", seconds, "one by one", "batch", title="one by one / at once"
    )


def plainly(model: ExplainableModel) -> Callable[[Tensor], Tensor]:
    """Plain PyTorch's maps (N, C, H, W) of images (N, 3, H, W), two passes per image."""
    plain = plain_model(model).eval().requires_grad_(False)

    def explained(images: Tensor) -> Tensor:
        return torch.cat([plain.explained(image[None], train=False)[2] for image in images])

    return explained


def one_by_one(model: ExplainableModel, images: Tensor) -> Tensor:
    """Explanation maps (N, C, H, W), one pass per image."""
    return torch.cat([explain(model, image[None]).maps for image in images])


def _network(name: str, images: Tensor) -> ExplainableModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_model(name, 20).to(images.device)
    settle(model, images[:8])
    return model.eval().requires_grad_(False)
