"""Memory format and fused batch norms: faster networks, the same results up to rounding."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models.adapted import AdaptedModel
from e2kd_lab.models.bcos_layers import BcosConv2d
from e2kd_lab.models.dummy_forward import dummy_forward
from e2kd_lab.models.fuse_batch_norms import fuse_batch_norms
from e2kd_lab.models.interface import ExplainableModel

# Pixels. On CPUs, oneDNN is 10 to 15 % faster with channels last, but up to 30 % slower on maps of at most this size,
# where reordering the weights dominates.
_SMALL_MAP = 16


def prepare_networks(
    student: ExplainableModel, teacher: ExplainableModel | None, image_size: int | tuple[int, int], device: torch.device
) -> None:
    """Prepare student and teacher for training, in place: fold the teacher's batch norms, set both memory formats.

    Parameters
    ----------
    student : ExplainableModel
        The network to train.
    teacher : ExplainableModel or None
        Must stay frozen; its weights no longer match its checkpoint (see `e2kd_lab.models.fuse_batch_norms`).
    image_size : int or tuple of int
        Side, or height and width, of the images in pixels.
    device : torch.device
        The device to compute on; the networks may still be on another.
    """
    if teacher is not None:
        prepare_frozen(teacher, image_size, device)
    set_memory_format(student, image_size, device)


def prepare_frozen(model: ExplainableModel, image_size: int | tuple[int, int], device: torch.device) -> None:
    """Prepare a network for inference only, in place, as the teacher in `prepare_networks`."""
    fuse_batch_norms(model, image_size)
    set_memory_format(model, image_size, device)


def frozen_copy(model: ExplainableModel, image_size: int | tuple[int, int]) -> ExplainableModel:
    """A copy for inference only, as `prepare_frozen` makes it, on the model's device; it takes images of any format.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> frozen_copy(lab.build_model("resnet_mini", num_classes=3), image_size=32).training
    False
    """
    frozen = copy.deepcopy(model)
    prepare_frozen(frozen, image_size, next(model.parameters()).device)
    # Before the hook of a network that needs contiguous input.
    _network_of(frozen).register_forward_pre_hook(_with_channels_last_input, prepend=True)
    return frozen


def set_memory_format(model: ExplainableModel, image_size: int | tuple[int, int], device: torch.device) -> None:
    """Choose the memory format of a network's weights, and so of its feature maps, for a device.

    All is channels last, but on CPUs convolutions of maps of at most 4 x 4 pixels are contiguous. A network that cannot
    run in channels last stays contiguous.

    Parameters
    ----------
    model : ExplainableModel
        Changed in place; parameters stay the same objects.
    image_size : int or tuple of int
        Side, or height and width, of the images in pixels.
    device : torch.device
        The device to compute on; the network may still be on another.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        small = _convolutions_of_small_maps(model, image_size)
    except RuntimeError:  # for instance a network that calls .view() on its feature maps
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        _network_of(model).register_forward_pre_hook(_with_contiguous_input)
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


def _network_of(model: ExplainableModel) -> nn.Module:
    return model.wrapped if isinstance(model, AdaptedModel) else model


def _with_channels_last_input(_: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    return (inputs[0].contiguous(memory_format=torch.channels_last), *inputs[1:])


def _with_contiguous_input(_: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    return (inputs[0].contiguous(), *inputs[1:])
