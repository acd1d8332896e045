"""How networks are arranged: whatever makes them fastest; results change in rounding only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models import AdaptedModel, ExplainableModel
from e2kd_lab.models.bcos_layers import BcosConv2d
from e2kd_lab.models.dummy_forward import dummy_forward
from e2kd_lab.models.fuse_batch_norms import fuse_batch_norms

# On CPUs, oneDNN is 10 to 15 % faster with channels last, but up to 30 % slower where maps have so few pixels, because
# bringing the weights into its own order then weighs most.
_SMALL_MAP = 16


def arrange(
    student: ExplainableModel, teacher: ExplainableModel | None, image_size: int | tuple[int, int], device: torch.device
) -> None:
    """Arrange two networks for training steps, in place: the teacher folded, both laid out (see `lay_out`).

    Parameters
    ----------
    student : ExplainableModel
        The network to train.
    teacher : ExplainableModel or None
        Frozen from now on, and no longer fit for its checkpoint (see `e2kd_lab.models.fuse_batch_norms`).
    image_size : int or tuple of int
        Side, or height and width, of the images that they are going to see, in pixels.
    device : torch.device
        Where they are going to compute.
    """
    if teacher is not None:
        arrange_frozen(teacher, image_size, device)
    lay_out(student, image_size, device)


def arrange_frozen(model: ExplainableModel, image_size: int | tuple[int, int], device: torch.device) -> None:
    """Arrange a network that is only asked from now on, in place: folded and laid out (see `arrange`)."""
    fuse_batch_norms(model, image_size)
    lay_out(model, image_size, device)


def lay_out(model: ExplainableModel, image_size: int | tuple[int, int], device: torch.device) -> None:
    """Arrange a network's weights, and later its feature maps, for a device; the network may still be on the CPU.

    Everything lies with channels last, on CPUs except convolutions of maps of at most 4 x 4 pixels; a network that
    cannot work so stays as it is.

    Parameters
    ----------
    model : ExplainableModel
        Changed in place; parameters stay the same objects.
    image_size : int or tuple of int
        Side, or height and width, of the images that it is going to see, in pixels.
    device : torch.device
        Where it is going to compute.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        small = _convolutions_of_small_maps(model, image_size)
    except RuntimeError:  # a network that views its maps as if they lay in torch's usual order
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        network = model.wrapped if isinstance(model, AdaptedModel) else model
        network.register_forward_pre_hook(_with_contiguous_input)
        return
    if device.type == "cpu":
        for layer in small:
            layer.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
            layer.register_forward_pre_hook(_with_contiguous_input)


def _convolutions_of_small_maps(model: ExplainableModel, image_size: int | tuple[int, int]) -> list[nn.Module]:
    found = []

    def look(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        if inputs[0].shape[2:].numel() <= _SMALL_MAP:
            found.append(layer)

    handles = [
        layer.register_forward_pre_hook(look) for layer in model.modules() if isinstance(layer, BcosConv2d | nn.Conv2d)
    ]
    try:
        dummy_forward(model, image_size, lambda x: model(x.contiguous(memory_format=torch.channels_last)))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _with_contiguous_input(_: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    return (inputs[0].contiguous(), *inputs[1:])
