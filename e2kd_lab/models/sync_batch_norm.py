"""Batch normalisation with statistics over all processes.

Data-parallel processes each see a share of the batch. Statistics of the share alone would make results depend on the
number of GPUs. `torch.nn.SyncBatchNorm` works on GPUs only and has no second derivative, which training B-cos
explanations needs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

from e2kd_lab.models.bcos_layers import BatchNormUncentered2d
from e2kd_lab.models.dynamic_scales import scaled
from e2kd_lab.system.errors import ExperimentError


def sync_batch_norms(module: nn.Module) -> None:
    """Synchronise the statistics of all batch normalisations in a module across processes, in place.

    Parameters, buffers and their names stay. The processes must have equally many images each.

    Parameters
    ----------
    module : nn.Module
        Contains the layers; not itself a batch normalisation.
    """
    for parent in module.modules():
        for name, layer in parent.named_children():
            if type(layer) in _SYNCED:
                parent.register_module(name, _SYNCED[type(layer)](layer))
            elif isinstance(layer, nn.modules.batchnorm._BatchNorm) and not isinstance(layer, _KNOWN):
                parent.register_module(name, _synced_of_another_library(layer))


def synced_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of each channel over the images of all processes, at least in float32.

    They can be differentiated any number of times. The variance is the mean of the processes' variances plus the
    variance of their means.

    Parameters
    ----------
    x : Tensor
        This process's share of the batch, (N, C) or (N, C, ...).
    """
    wide = x if x.dtype == torch.float64 else x.float()
    own_variance, own_mean = torch.var_mean(wide, dim=(0, *range(2, x.ndim)), correction=0)
    mean = _MeanOverProcesses.apply(own_mean)
    return mean, _MeanOverProcesses.apply(own_variance + (own_mean - mean).square())


class _Synced(nn.modules.batchnorm._BatchNorm):
    """`torch.nn` batch normalisation with the statistics of all processes; takes over the tensors of ``layer``."""

    def __init__(self, layer: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__(
            layer.num_features, layer.eps, layer.momentum, layer.affine, track_running_stats=layer.track_running_stats
        )
        _take_over(self, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C) or (N, C, ...) per channel."""
        if not self.training:
            return super().forward(x)
        mean, variance = synced_moments(x)
        if self.running_mean is not None:
            self._remember(mean, variance, x.numel() // x.shape[1])
        scale = (variance + self.eps).rsqrt()
        scale = scale if self.weight is None else self.weight * scale
        shift = -mean * scale if self.bias is None else self.bias - mean * scale
        places = (-1, *(1,) * (x.ndim - 2))
        return torch.addcmul(shift.view(places), x, scale.view(places)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, own_count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        count = distributed.get_world_size() * own_count
        self.num_batches_tracked.add_(1)
        momentum = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        unbiased = variance * (count / max(1, count - 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)


class SyncBatchNorm1d(_Synced, nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` with the statistics of all processes."""


class SyncBatchNorm2d(_Synced, nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` with the statistics of all processes."""


class SyncBatchNormAct2d(SyncBatchNorm2d):
    """timm's batch normalisation, which drops out and activates, with the statistics of all processes."""

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        super().__init__(layer)
        self.drop, self.act = layer.get_submodule("drop"), layer.get_submodule("act")

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) per channel, and activate."""
        return self.act(self.drop(super().forward(x)))


class SyncBatchNormUncentered2d(BatchNormUncentered2d):
    """`BatchNormUncentered2d` with the statistics of all processes; takes over the tensors of ``layer``."""

    def __init__(self, layer: BatchNormUncentered2d) -> None:
        super().__init__(layer.num_features)
        _take_over(self, layer)

    def normalized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `BatchNormUncentered2d.normalized`."""
        variance = synced_moments(x)[1]
        return scaled(x, (self.weight * (variance + self.eps).rsqrt()).view(-1, 1, 1)), variance


# Only these very classes, so that a layer is not replaced twice.
_SYNCED: dict[type, Any] = {
    nn.BatchNorm1d: SyncBatchNorm1d,
    nn.BatchNorm2d: SyncBatchNorm2d,
    BatchNormUncentered2d: SyncBatchNormUncentered2d,
}
_KNOWN = (_Synced, BatchNormUncentered2d, nn.SyncBatchNorm)


def _synced_of_another_library(layer: nn.Module) -> nn.Module:
    """Synchronised form of a layer derived from torch's; timm's is known.

    Raises
    ------
    ExperimentError
        If it is another one, which may compute anything.
    """
    kind = type(layer)
    if kind.__name__ == "BatchNormAct2d" and kind.__module__.startswith("timm."):
        return SyncBatchNormAct2d(layer)  # type: ignore[arg-type]
    raise ExperimentError(
        f"Batch normalisation by {kind.__module__}.{kind.__name__} cannot use the statistics of all processes; "
        "expected a network with torch's nn.BatchNorm2d, or training in one process."
    )


def _take_over(layer: nn.Module, other: nn.Module) -> None:
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
