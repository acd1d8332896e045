"""Batch normalisation over the images of all processes.

Data-parallel processes each see a share of the batch. With the statistics of its share alone, a network computes
something else than with the whole batch, so that a result would depend on the number of GPUs. torch's own synchronised
layer knows GPUs only and no second derivative, which B-cos explanations need where they are trained.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

from e2kd_lab.models.bcos_layers import BatchNormUncentered2d
from e2kd_lab.models.dynamic_scales import scaled


def share_batch_norms(module: nn.Module) -> None:
    """Let all batch normalisations inside a module use the statistics of all processes, in place.

    Parameters, buffers and their names stay. The processes must have equally many images each.

    Parameters
    ----------
    module : nn.Module
        Holds the layers; itself none of them.
    """
    for parent in module.modules():
        for name, layer in parent.named_children():
            if type(layer) in _SHARED:
                parent.register_module(name, _SHARED[type(layer)](layer))


def shared_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of each channel over the images of all processes, at least in float32.

    They can be differentiated any number of times. The variance is the mean of the processes' variances plus the
    variance of their means.

    Parameters
    ----------
    x : Tensor
        This process's share of the batch, (N, C, H, W).
    """
    wide = x if x.dtype == torch.float64 else x.float()
    own_variance, own_mean = torch.var_mean(wide, dim=(0, 2, 3), correction=0)
    mean = _MeanOverProcesses.apply(own_mean)
    return mean, _MeanOverProcesses.apply(own_variance + (own_mean - mean).square())


class SharedBatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` with the statistics of all processes; takes over the tensors of ``layer``."""

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        _take_over(self, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) per channel."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        mean, variance = shared_moments(x)
        with torch.no_grad():
            count = distributed.get_world_size() * x.numel() // x.shape[1]
            self.num_batches_tracked.add_(1)
            momentum = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
            unbiased = variance * (count / max(1, count - 1))
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return torch.addcmul(shift.view(-1, 1, 1), x, scale.view(-1, 1, 1)).to(x.dtype)


class SharedBatchNormUncentered2d(BatchNormUncentered2d):
    """`BatchNormUncentered2d` with the statistics of all processes; takes over the tensors of ``layer``."""

    def __init__(self, layer: BatchNormUncentered2d) -> None:
        super().__init__(layer.num_features)
        _take_over(self, layer)

    def normalized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `BatchNormUncentered2d.normalized`."""
        variance = shared_moments(x)[1]
        return scaled(x, (self.weight * (variance + self.eps).rsqrt()).view(-1, 1, 1)), variance


# Only these very classes, so that a layer is not replaced twice.
_SHARED: dict[type, Any] = {
    nn.BatchNorm2d: SharedBatchNorm2d,
    BatchNormUncentered2d: SharedBatchNormUncentered2d,
}


def _take_over(layer: nn.BatchNorm2d, other: nn.BatchNorm2d) -> None:
    for name, parameter in other.named_parameters():
        layer.register_parameter(name, parameter)
    for name, buffer in other.named_buffers():
        layer.register_buffer(name, buffer)
    layer.train(other.training)


class _MeanOverProcesses(torch.autograd.Function):
    """The mean of a tensor over all processes; its derivative is that mean of the gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total / distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _MeanOverProcesses.apply(gradient)
