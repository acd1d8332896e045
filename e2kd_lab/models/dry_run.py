"""Dry runs: forward passes of random images that record each layer's output and leave no traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models.autograd_graph import Edge, dominators, edge_of
from e2kd_lab.models.feature_layout import first_tensor
from e2kd_lab.models.preserved_state import preserved_state

_IMAGES = 2
_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_PASSING = (nn.Identity, nn.modules.dropout._DropoutNd)


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes
    ----------
    path : str
        The layer's name in `named_modules`.
    layer : nn.Module
        The layer.
    tensor : Tensor
        What it put out, as the rest of the network sees it: changes in place count in.
    is_tensor : bool
        Whether this is the whole output, not a part of a tuple.
    version : int
        How many times the tensor had been changed in place before the layer returned it.
    """

    path: str
    layer: nn.Module
    tensor: Tensor
    is_tensor: bool
    version: int


@dataclass(frozen=True)
class DryRun:
    """Record of one forward pass.

    Attributes
    ----------
    size : tuple of int
        Height and width of the images in pixels.
    inputs : Tensor
        The preprocessed images, a leaf of the graph.
    logits : Tensor
        (N, K).
    calls : tuple of Call
        Of all layers that are called once, in the order in which they returned.
    repeated : frozenset of str
        Paths of layers that are called more than once.
    """

    size: tuple[int, int]
    inputs: Tensor
    logits: Tensor
    calls: tuple[Call, ...]
    repeated: frozenset[str]

    def dominators(self) -> list[Call]:
        """Layers that every path from image to logits crosses, the last first, one for each tensor.

        Adaptive pooling is left out, which belongs to the head.
        """
        at: dict[Edge, list[Call]] = {}
        for call in self.calls:
            if call.tensor.grad_fn is not None:
                at.setdefault(edge_of(call.tensor), []).append(call)
        found = [outermost(at[place]) for place in dominators(self.logits, self.inputs) if place in at]
        return [call for call in found if not isinstance(call.layer, _POOLS)]

    def gradients(self, calls: list[Call]) -> list[Tensor | None]:
        """Gradients of the largest logits with respect to outputs; None where the logits do not depend on one."""
        inside = [call.tensor for call in calls if call.tensor.requires_grad]
        found = iter(
            torch.autograd.grad(explained(self.logits), inside, retain_graph=True, allow_unused=True) if inside else ()
        )
        return [next(found) if call.tensor.requires_grad else None for call in calls]


def explained(logits: Tensor) -> Tensor:
    """Scalar that a dry run explains: the sum of each image's largest logit."""
    return logits.max(1).values.sum()


def outermost(calls: list[Call]) -> Call:
    """Outermost layer that returned each tensor, in the order of the calls.

    What only passes a tensor on, such as dropout, did not make it.
    """
    whole = [call for call in calls if call.is_tensor] or calls
    last = [call for call in whole if call.version == max(other.version for other in whole)]
    made = next((call for call in last if not isinstance(call.layer, _PASSING)), last[0])
    around = [call for call in whole if made.path == call.path or made.path.startswith(f"{call.path}.")]
    return min(around, key=lambda call: len(call.path))


class DryRunner:
    """A network during dry runs: evaluation mode, no autocast, no weight matrix entirely zero (see `prepared`)."""

    def __init__(
        self,
        module: nn.Module,
        preprocess: Callable[[Tensor], Tensor],
        logits_of: Callable[[Any], Tensor],
    ) -> None:
        self.module, self.preprocess, self.logits_of = module, preprocess, logits_of
        self.generator = torch.Generator().manual_seed(0)
        self.like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))

    def images(self, size: tuple[int, int]) -> Tensor:
        """Preprocessed random images."""
        images = torch.rand(_IMAGES, 3, *size, generator=self.generator).to(self.like.device, self.like.dtype)
        return self.preprocess(images).detach()

    def run(self, size: tuple[int, int]) -> DryRun:
        """Run the network on random images, with a graph."""
        inputs = self.images(size).requires_grad_()
        calls: list[Call] = []
        counts: Counter[str] = Counter()

        def remember(path: str) -> Callable[[nn.Module, Any, Any], None]:
            def hook(layer: nn.Module, _: Any, output: Any) -> None:
                counts[path] += 1
                tensor = first_tensor(output)
                if tensor is not None:
                    calls.append(Call(path, layer, tensor, isinstance(output, Tensor), tensor._version))

            return hook

        with (
            hooked({layer: remember(path) for path, layer in self.module.named_modules() if path}),
            torch.enable_grad(),
        ):
            logits = self.logits_of(self.module(inputs.clone()))
        once = tuple(call for call in calls if counts[call.path] == 1)
        return DryRun(size, inputs, logits, once, frozenset(path for path, number in counts.items() if number > 1))

    @torch.no_grad()
    def decides(self, call: Call, size: tuple[int, int]) -> bool:
        """Whether a layer's output decides the logits: put into another image's pass, it brings its logits along."""
        one, other = self.images(size), self.images(size)
        kept: list[Tensor] = []

        def keep(_: nn.Module, __: Any, output: Any) -> None:
            kept.append(_tensor(output).clone())

        def put(_: nn.Module, __: Any, output: Any) -> None:
            _tensor(output).copy_(kept[0])

        with hooked({call.layer: keep}):
            expected = self.logits_of(self.module(one))
        with hooked({call.layer: put}):
            found = self.logits_of(self.module(other))
        tolerance = max(1e-4, 50 * torch.finfo(expected.dtype).eps) * expected.abs().max()
        return bool((found - expected).abs().max() <= tolerance)


@contextmanager
def prepared(runner: DryRunner) -> Iterator[None]:
    """Prepare a network for dry runs, and restore it on exit.

    Zero weights, with which some libraries initialise classifiers, are replaced by noise: they would hide dependencies.
    """
    zeros = [p for p in runner.module.parameters() if p.ndim > 1 and p.is_floating_point() and not p.any()]
    kept = [parameter.data for parameter in zeros]
    device = runner.like.device.type
    with torch.inference_mode(False), preserved_state(runner.module), torch.autocast(device, enabled=False):
        try:
            for parameter in zeros:
                noise = torch.randn(parameter.shape, generator=runner.generator) / parameter[0].numel() ** 0.5
                parameter.data = noise.to(parameter)
            yield
        finally:
            for parameter, data in zip(zeros, kept, strict=True):
                parameter.data = data


@contextmanager
def hooked(hooks: dict[nn.Module, Callable[[nn.Module, Any, Any], Any]]) -> Iterator[None]:
    """Register forward hooks; they are removed on exit."""
    handles = [layer.register_forward_hook(hook) for layer, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensor(output: Any) -> Tensor:
    tensor = first_tensor(output)
    assert tensor is not None
    return tensor
