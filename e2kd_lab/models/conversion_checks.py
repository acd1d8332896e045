"""Checks of a network that becomes a B-cos network: what lies in a gate, and what is not dynamic linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models.bcos_layers import BatchNormUncentered2d
from e2kd_lab.models.bcosified import BcosifiedModel
from e2kd_lab.models.dry_run import hooked
from e2kd_lab.models.dynamic_scales import constant_scales
from e2kd_lab.models.preserved_state import preserved_state
from e2kd_lab.system.errors import ExperimentError

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Findings:
    """What a dry run found about a network whose scales are constant.

    Attributes
    ----------
    first : frozenset of str
        Paths of the convolutions that read the network's input.
    gated : frozenset of str
        Paths of the layers whose outputs reach the logits through scales only, or not at all.
    """

    first: frozenset[str]
    gated: frozenset[str]


def look_at(model: BcosifiedModel, x: Tensor) -> Findings:
    """Find the first layers of a network and those inside of gates.

    Parameters
    ----------
    model : BcosifiedModel
        Holds the network, and marks its scales.
    x : Tensor
        Its input, (N, C, H, W).
    """
    first: set[str] = set()
    outputs: list[tuple[str, Tensor]] = []
    x = x.detach().requires_grad_()

    def look(path: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(layer, nn.Conv2d) and any(one is x for one in inputs):
                first.add(path)
            outputs.extend((path, one) for one in _tensors(output))

        return hook

    with preserved_state(model), hooked({layer: look(path) for path, layer in model.network.named_modules() if path}):
        logits = _logits(model, x)
    inside = [(path, output) for path, output in outputs if output.requires_grad]
    gradients = torch.autograd.grad(logits.sum(), [output for _, output in inside], allow_unused=True)
    reached = {path for (path, _), gradient in zip(inside, gradients, strict=True) if gradient is not None}
    return Findings(frozenset(first), frozenset(path for path, _ in outputs) - reached)


def require_dynamic_linear(model: BcosifiedModel, x: Tensor) -> None:
    """Refuse a network whose logits are not W(x) x plus the constant logit bias, and name the layer.

    Parameters
    ----------
    model : BcosifiedModel
        In double precision.
    x : Tensor
        Its input, (N, C, H, W).

    Raises
    ------
    ExperimentError
        It names the innermost layer whose output is not linear in its input while scales are constant.
    """
    x = x.detach().requires_grad_()
    with preserved_state(model):
        for layer in model.modules():  # statistics of the ordinary network would let signals fade
            if isinstance(layer, BatchNormUncentered2d):
                layer.train()
        logits = _logits(model, x)
        if _is_linear([x], logits - model.logit_bias):
            return
        paths = _not_linear(model, x)
    path, kind = paths[0] if paths else ("", type(model.network).__name__)
    raise ExperimentError(
        f"Layer '{path}' ({kind}) cannot be converted: its output is not a matrix times its input, however its scales "
        "are chosen; expected convolutions, linear layers, batch normalisation, activations f with f(0) = 0, gates "
        "that multiply, pooling and sums."
    )


def _not_linear(model: BcosifiedModel, x: Tensor) -> list[tuple[str, str]]:
    """Paths and kinds of the layers that are not linear, inner ones first."""
    found: list[tuple[str, str, list[Tensor]]] = []

    def look(path: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            given = [one for one in _tensors(inputs) if one.requires_grad]
            put_out = [one for one in _tensors(output) if one.requires_grad]
            if given and not all(_is_linear(given, one) for one in put_out):
                found.append((path, type(layer).__name__, put_out))

        return hook

    with hooked({layer: look(path) for path, layer in model.network.named_modules() if path}):
        logits = _logits(model, x)
    outputs = [one for _, _, several in found for one in several]
    gradients = torch.autograd.grad(logits.sum(), outputs, allow_unused=True) if outputs else ()
    reached = {id(one) for one, gradient in zip(outputs, gradients, strict=True) if gradient is not None}
    return [(path, kind) for path, kind, several in found if reached & {id(one) for one in several}]


def _logits(model: BcosifiedModel, x: Tensor) -> Tensor:
    with torch.enable_grad(), constant_scales():
        return model(x)


def _is_linear(inputs: list[Tensor], output: Tensor) -> bool:
    """Whether an output is its Jacobian times its inputs, seen along one random direction."""
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(output.shape, generator=generator, dtype=torch.float64).to(output)
    gradients = torch.autograd.grad(output, inputs, direction, retain_graph=True, allow_unused=True)
    products = [
        (one.detach() * gradient).sum() for one, gradient in zip(inputs, gradients, strict=True) if gradient is not None
    ]
    size = (output.detach() * direction).abs().sum() + sum(product.abs() for product in products)
    return bool(((output.detach() * direction).sum() - sum(products)).abs() <= _TOLERANCE * size)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    return [one for part in value for one in _tensors(part)] if isinstance(value, tuple | list) else []
