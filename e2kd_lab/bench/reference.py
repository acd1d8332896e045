"""Baseline of the benchmarks: the same training steps in plain PyTorch.

It computes as the public program of the paper's authors does, without sharing its text: layers as formulas in eager
autograd, contiguous float32, a flag that makes dynamic scales constants, a forward and a backward pass with a complete
graph to explain the teacher, and a second backward pass through all of it for the student.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.bcos_layers import BatchNormUncentered2d, BcosConv2d


class Explaining:
    """Flag of a network: backward passes treat its dynamic scales as constants."""

    on = False

    @contextmanager
    def mode(self) -> Iterator[None]:
        """Set the flag inside the context."""
        self.on = True
        try:
            yield
        finally:
            self.on = False


class _TimesScale(torch.autograd.Function):
    """``scale * x``, differentiated by the product rule, or with a constant scale while the network explains."""

    @staticmethod
    def forward(ctx: Any, scale: Tensor, x: Tensor, explaining: Explaining) -> Tensor:
        ctx.explaining = explaining
        ctx.save_for_backward(scale, x)
        return scale * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        scale, x = ctx.saved_tensors
        if ctx.explaining.on:
            return None, gradient * scale, None
        return (gradient * x).sum_to_size(scale.shape), gradient * scale, None


class PlainBcosConv2d(nn.Module):
    """B-cos convolution with B = 2, formula by formula."""

    def __init__(self, layer: BcosConv2d, explaining: Explaining) -> None:
        super().__init__()
        self.linear, self.explaining = layer.linear, explaining
        self.kernel_size, self.stride, self.padding = layer.kernel_size, layer.stride, layer.padding

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        raw = self.linear.weight
        weight = raw / raw.square().sum((1, 2, 3), keepdim=True).sqrt()
        product = F.conv2d(x, weight, None, self.stride, self.padding)
        squares = (x**2).sum(1, keepdim=True)
        patches = F.avg_pool2d(squares, self.kernel_size, self.stride, self.padding, divisor_override=1)
        norm = (patches + 1e-6).sqrt()  # (N, 1, H', W')
        return _TimesScale.apply(product.abs() / norm, product, self.explaining)


class PlainBatchNormUncentered2d(nn.Module):
    """Batch normalisation without mean and bias, formula by formula."""

    def __init__(self, layer: BatchNormUncentered2d, explaining: Explaining) -> None:
        super().__init__()
        self.weight, self.eps, self.explaining = layer.weight, layer.eps, explaining
        self.running_var: Tensor
        self.register_buffer("running_var", layer.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) per channel."""
        if self.training:
            variance = x.var((0, 2, 3), unbiased=False)
            self.running_var.mul_(0.9).add_(0.1 * variance.detach())
        else:
            variance = self.running_var
        scale = 1 / (variance + self.eps).sqrt()
        return self.weight.view(-1, 1, 1) * _TimesScale.apply(scale.view(-1, 1, 1), x, self.explaining)


class PlainModel(nn.Module):
    """A network of the lab rebuilt in plain layers with the same weights.

    Parameters
    ----------
    model : ExplainableModel
        A ResNet or DenseNet, which is copied; B-cos layers must have B = 2, one unit and one group.
    """

    def __init__(self, model: ExplainableModel) -> None:
        super().__init__()
        self.explaining = Explaining()
        self.network = _in_plain_layers(copy.deepcopy(model), self.explaining)
        self.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def logits(self, images: Tensor) -> Tensor:
        """Logits (N, K) of RGB images (N, 3, H, W) in [0, 1]."""
        return self.network(self.network.preprocess(images))

    def explained(self, images: Tensor, classes: Tensor | None = None, *, train: bool) -> tuple[Tensor, ...]:
        """Logits (N, K), explained classes (N,) and maps at image size; differentiable if ``train``."""
        source, logits = self._forward(images)
        classes = logits.argmax(1) if classes is None else classes
        explained = logits.gather(1, classes[:, None]).sum()
        with self.explaining.mode():
            (gradient,) = torch.autograd.grad(explained, source, create_graph=train, retain_graph=True)
        return logits, classes, self._map(source, gradient, images.shape[-2:])

    def label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits (N, K) and class numbers (N,)."""
        return F.cross_entropy(logits, labels)

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The tensor that explained logits are differentiated by, and the logits."""
        source = self.network.forward_features(self.network.preprocess(images).requires_grad_())
        return source, self.network.forward_head(source)

    def _map(self, source: Tensor, gradient: Tensor, size: torch.Size) -> Tensor:
        """GradCAM."""
        maps = F.relu((gradient.mean((2, 3), keepdim=True) * source).sum(1, keepdim=True))
        return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


class PlainBcosModel(PlainModel):
    """A B-cos network of the lab in plain layers, explained by W(x)."""

    def label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Binary cross-entropy of logits (N, K), with 1 / K for the other classes."""
        classes = logits.shape[1]
        targets = F.one_hot(labels, classes).to(logits.dtype).clamp(min=1 / classes)
        return F.binary_cross_entropy_with_logits(logits, targets)

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        inputs = self.network.preprocess(images).requires_grad_()
        return inputs, self.network(inputs)

    def _map(self, source: Tensor, gradient: Tensor, size: torch.Size) -> Tensor:
        return gradient


def plain_model(model: ExplainableModel) -> PlainModel:
    """Rebuild a network of the lab in plain layers, with its own explanation."""
    kinds = {"gradcam": PlainModel, "bcos": PlainBcosModel}
    return kinds[model.explanation](model)


class PlainStep:
    """Loss of one training step, equal to that of `e2kd_lab.methods`.

    Parameters
    ----------
    name : str
        ``baseline``, ``kd`` or ``e2kd``.
    student, teacher : PlainModel
        The student in training mode, the teacher in evaluation mode and without parameter gradients.
    lam, tau : float
        Weight of the explanation loss, and temperature.
    """

    def __init__(
        self, name: str, student: PlainModel, teacher: PlainModel, *, lam: float = 5.0, tau: float = 1.0
    ) -> None:
        self.name, self.student, self.teacher, self.lam, self.tau = name, student, teacher, lam, tau

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """The loss of images (N, 3, H, W) in [0, 1] with class numbers (N,)."""
        if self.name == "baseline":
            return self.student.label_loss(self.student.logits(images), labels)
        if self.name == "kd":
            with torch.no_grad():
                target = self.teacher.logits(images)
            return self._kd(self.student.logits(images), target)
        target, classes, target_maps = self.teacher.explained(images, train=False)
        logits, _, maps = self.student.explained(images, classes, train=True)
        cosine = F.cosine_similarity(maps.flatten(1), target_maps.detach().flatten(1))
        return self._kd(logits, target.detach()) + self.lam * (1 - cosine).mean()

    def _kd(self, logits: Tensor, target: Tensor) -> Tensor:
        student, teacher = F.log_softmax(logits / self.tau, dim=1), F.softmax(target / self.tau, dim=1)
        return self.tau**2 * F.kl_div(student, teacher, reduction="batchmean")


def epg_and_iou(maps: Tensor, boxes: list[Tensor], threshold: float = 0.05) -> tuple[Tensor, Tensor]:
    """EPG and IoU in a loop over images, as guided models were evaluated before.

    Parameters
    ----------
    maps : Tensor
        One map per image, (N, H, W).
    boxes : list of Tensor
        Boxes of each image, (n, 4) integers: left, top, right, bottom in pixels, the last two exclusive.
    threshold : float
        Normalised contribution above which a pixel counts for the IoU.

    Returns
    -------
    epg, iou : Tensor
        (N,) each.
    """
    shares, overlaps = [], []
    for one, its_boxes in zip(maps, boxes, strict=True):
        positive = one.clamp(min=0)
        mask = torch.zeros(one.shape, dtype=torch.int64, device=one.device)
        for left, top, right, bottom in its_boxes.tolist():
            mask[top:bottom, left:right] = 1
        shares.append((positive[torch.where(mask == 1)].sum() / positive.sum()).item())
        scaled = (positive - positive.min()) / (positive.max() - positive.min())
        found = scaled > threshold
        intersection = len(torch.where(found & (mask == 1))[0])
        union = len(torch.where(found | (mask == 1))[0])
        overlaps.append(intersection / union)
    return torch.tensor(shares), torch.tensor(overlaps)


def _in_plain_layers(model: ExplainableModel, explaining: Explaining) -> ExplainableModel:
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, BcosConv2d):
                assert layer.b == 2
                assert layer.max_out == layer.linear.groups == 1
                setattr(parent, name, PlainBcosConv2d(layer, explaining))
            elif isinstance(layer, BatchNormUncentered2d):
                setattr(parent, name, PlainBatchNormUncentered2d(layer, explaining))
    return model
