r"""Fuse batch normalisation into convolutions, for frozen networks: one pass less over each feature map.

In evaluation mode a normalisation multiplies each channel by a constant s, which the weights of a convolution before it
can absorb. So can those of a B-cos unit with B = 2, which is quadratic in its weights,

.. math:: s \, \frac{|w^\top x| \, w^\top x}{\lVert x\rVert}
          = \frac{|v^\top x| \, v^\top x}{\lVert x\rVert}, \qquad v = \mathrm{sign}(s) \sqrt{|s|} \, w,

The explanation, in which :math:`|w^\top x| / \lVert x\rVert` is constant, scales in the same way.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from e2kd_lab.models.bcos_layers import BatchNormUncentered2d, BcosConv2d, BcosUnit
from e2kd_lab.models.dummy_forward import dummy_forward
from e2kd_lab.models.interface import ExplainableModel


@torch.no_grad()
def fuse_batch_norms(model: ExplainableModel, image_size: int | tuple[int, int]) -> None:
    """Fuse normalisations, and the norms of B-cos weights, into the weights of a frozen network.

    Logits, stages and explanations stay the same up to rounding. Parameters and their names change, so that checkpoints
    no longer fit.

    Parameters
    ----------
    model : ExplainableModel
        Changed in place, to evaluation mode and without parameter gradients.
    image_size : int or tuple of int
        Side, or height and width, of images that it takes, in pixels.
    """
    model.eval().requires_grad_(False)
    convolution_before = _convolutions_before_norms(model, image_size)
    names = {module: name for name, module in model.named_modules()}
    for norm, convolution in convolution_before.items():
        if isinstance(convolution, BcosConv2d):
            if not (isinstance(norm, BatchNormUncentered2d) and convolution.b == 2 and convolution.max_out == 1):
                continue
            assert norm.running_var is not None
            scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
            convolution.freeze_weight(scale.sign() * scale.abs().sqrt())
        else:
            model.set_submodule(names[convolution], fuse_conv_bn_eval(convolution, norm))
        model.set_submodule(names[norm], nn.Identity())
    for layer in model.modules():
        if isinstance(layer, BcosUnit):
            layer.freeze_weight()
    model.requires_grad_(False)


def _convolutions_before_norms(
    model: ExplainableModel, image_size: int | tuple[int, int]
) -> dict[nn.BatchNorm2d, BcosConv2d | nn.Conv2d]:
    """Normalisations that alone read a convolution's output, each with that convolution."""
    outputs: list[tuple[Tensor, BcosConv2d | nn.Conv2d]] = []
    found: dict[nn.BatchNorm2d, BcosConv2d | nn.Conv2d] = {}
    calls: Counter[nn.Module] = Counter()

    def remember(layer: BcosConv2d | nn.Conv2d, _: tuple[Tensor], output: Tensor) -> None:
        calls[layer] += 1
        outputs.append((output, layer))

    def look(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        calls[norm] += 1
        found.update((norm, layer) for output, layer in outputs if output is inputs[0])

    handles = []
    paths = Counter(layer for _, layer in model.named_modules(remove_duplicate=False))
    for layer in model.modules():
        if paths[layer] > 1 or layer is model.explained_layer or layer._forward_pre_hooks:
            continue
        # Layers derived from these may compute something else.
        if type(layer) in (BcosConv2d, nn.Conv2d):
            handles.append(layer.register_forward_hook(remember))
        elif type(layer) in (nn.BatchNorm2d, BatchNormUncentered2d) and layer.running_var is not None:
            handles.append(layer.register_forward_pre_hook(look))
    with _Readers() as readers:
        dummy_forward(model, image_size)
    for handle in handles:
        handle.remove()
    places = {layer: output for output, layer in outputs}
    return {
        norm: layer
        for norm, layer in found.items()
        if calls[norm] == calls[layer] == 1 and readers.count(places[layer]) == 1
    }


class _Readers(TorchFunctionMode):
    """Counts for each tensor the functions that read it."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[int] = Counter()
        self._alive: list[Any] = []  # so that no other tensor gets the same identity

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        if isinstance(result, Tensor | tuple | list) and not isinstance(result, torch.Size):
            read = [value for value in tree_leaves((arguments, options)) if isinstance(value, Tensor)]
            self._alive += read
            self._counts.update({id(value) for value in read})
        return result

    def count(self, tensor: Tensor) -> int:
        """Number of functions that have read a tensor."""
        return self._counts[id(tensor)]
