"""A network on its way from an ordinary to a B-cos network; `e2kd_lab.models.bcosify` says what each step does."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models.adapt import adapt
from e2kd_lab.models.bcosified import BcosifiedModel
from e2kd_lab.models.bcosified_layers import BcosifiedUnit, UncentredWithBias
from e2kd_lab.models.conversion_checks import look_at, require_dynamic_linear
from e2kd_lab.models.interface import BcosModel, ExplainableModel
from e2kd_lab.models.network_inputs import height_and_width
from e2kd_lab.models.preserved_state import preserved_state
from e2kd_lab.models.smooth_strides import smooth_kernel
from e2kd_lab.system.errors import ExperimentError, shown

_SIZE = 64  # pixels of the dry run's images, of networks that take any size
_TOLERANCE = 1e-8
_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


class Conversion:
    """A network on its way; computed in double precision, so that steps can be checked.

    Parameters
    ----------
    model : nn.Module
        The ordinary network, which is copied.

    Raises
    ------
    ExperimentError
        If it is a B-cos network, or has layers of no kind that is known.
    """

    def __init__(self, model: nn.Module) -> None:
        ordinary = _ordinary(model)
        weight = next(parameter for parameter in ordinary.parameters() if parameter.is_floating_point())
        self.dtype, self.training = weight.dtype, ordinary.training
        network = copy.deepcopy(ordinary).double().eval()
        size = height_and_width(getattr(network, "image_size", None) or _SIZE)
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(2, 3, *size, generator=generator, dtype=torch.float64).to(weight.device)
        inputs = network.preprocess(self.images)
        with preserved_state(network), torch.no_grad():
            self.logits = network(inputs)
        self.model = BcosifiedModel(network, self.logits.shape[1], logit_bias=0.0).eval()
        self.found = look_at(self.model, inputs)
        self.is_done = False
        self.scale, self.shift = _affine(network.preprocess, self.images)
        self._refuse()

    @property
    def network(self) -> ExplainableModel:
        return self.model.network

    def steps(self, b: float, *, smooth: bool) -> Iterator[tuple[str, bool, Callable[[], None]]]:
        """Title, whether it keeps the function, and what it does, of the steps that this network needs."""
        yield "six channels", True, self.add_channels
        if any(isinstance(layer, _NORMS) for _, layer in self._layers()):
            yield "uncentred normalisation", True, self.keep_means
        if self.network.pooled_linear_head() is not None:
            yield "classifier before pooling", True, self.classify_before_pooling
        if smooth and self._strided():
            yield "smooth strides", False, self.smooth
        if self._max_pools():
            yield "average pooling", False, self.average
        yield "no biases", False, self.drop_biases
        yield f"B = {b:g}", False, lambda: self.add_cosines(b)

    def add_channels(self) -> None:
        """Step 1."""
        for path in self.found.first:
            layer: Any = self.network.get_submodule(path)
            weight = layer.weight.data
            scale, shift = (one.view(1, -1, 1, 1) for one in (self.scale, self.shift))
            layer.weight = nn.Parameter(torch.cat([weight * (scale + shift), weight * shift], dim=1))
            layer.in_channels = 2 * layer.in_channels

    def keep_means(self) -> None:
        """Step 2."""
        for path, layer in self._layers():
            if isinstance(layer, _NORMS):
                try:
                    norm = UncentredWithBias(layer)
                except ExperimentError as error:
                    raise _cannot(path, layer, str(error)) from error
                # Normalisations of timm have dropout and activation inside.
                rest = list(layer.children())
                self.network.set_submodule(path, nn.Sequential(norm, *rest) if rest else norm)

    def classify_before_pooling(self) -> None:
        """Step 3."""
        head = self.network.pooled_linear_head()
        assert head is not None
        path = next(path for path, layer in self.network.named_modules() if layer is head)
        classifier = nn.Conv2d(head.in_features, head.out_features, 1, bias=head.bias is not None).to(head.weight)
        classifier.weight = nn.Parameter(head.weight.data[:, :, None, None].clone())
        if head.bias is not None:
            classifier.bias = nn.Parameter(head.bias.data.clone())
        self.model.classifier = classifier.eval()
        self.network.set_submodule(path, nn.Identity())

    def smooth(self) -> None:
        """Step 4."""
        for layer in self._strided():
            smooth_kernel(layer)
        self.model.smooth = True

    def average(self) -> None:
        """Step 5."""
        for path, layer in self._layers():
            if isinstance(layer, nn.MaxPool2d) and (layer.return_indices or layer.dilation not in (1, (1, 1))):
                raise _cannot(path, layer, "no average pooling is like it, with its dilation or indices")
        self.model.averages = True

    def drop_biases(self) -> None:
        """Step 6."""
        for path, layer in self._layers():
            if isinstance(layer, UncentredWithBias):
                self.network.set_submodule(path, layer.without_bias())
            elif isinstance(getattr(layer, "bias", None), nn.Parameter):
                layer.register_parameter("bias", None)
        if self.model.classifier is not None:
            self.model.classifier.register_parameter("bias", None)
        self.model.logit_bias = -math.log(self.logits.shape[1] - 1)

    def add_cosines(self, b: float) -> None:
        """Step 7."""
        for path, layer in self._layers():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                self.network.set_submodule(path, BcosifiedUnit(layer, b).eval())
        if self.model.classifier is not None:
            self.model.classifier = BcosifiedUnit(self.model.classifier, b).eval()
        self.model.b = b
        self.is_done = True

    def require_same_logits(self, title: str) -> None:
        """Refuse a network whose function a step changes that must not."""
        try:
            with torch.no_grad():
                logits = self.model(self.model.preprocess(self.images))
        except (RuntimeError, ValueError) as error:
            raise ExperimentError(
                f"{name_of(self.network)} cannot be converted: after the step '{title}' it fails ({shown(error)}); "
                "expected nothing but convolutions to read its input."
            ) from error
        change = (logits - self.logits).abs().max() / self.logits.abs().max()
        if not change <= _TOLERANCE:
            raise ExperimentError(
                f"{name_of(self.network)} cannot be converted: step '{title}' changes its logits by {change:.1e} of "
                "the largest; expected the same logits."
            )

    def require_dynamic_linear(self) -> None:
        """Refuse a network that is no B-cos network in the end."""
        require_dynamic_linear(self.model, self.model.preprocess(self.images))

    def result(self) -> BcosifiedModel:
        """A copy in the given network's precision and mode."""
        return copy.deepcopy(self.model).to(self.dtype).train(self.training)

    def _layers(self) -> list[tuple[str, nn.Module]]:
        """Layers that are no part of a gate; those of `BcosifiedUnit` once."""
        return [(path, layer) for path, layer in self.network.named_modules() if path and not self._is_gated(path)]

    def _strided(self) -> list[nn.Conv2d]:
        """Convolutions of stride 2 that keep their size when their kernels are averaged: those with a centre."""
        convolutions = [layer for _, layer in self._layers() if isinstance(layer, nn.Conv2d)]
        return [
            layer
            for layer in convolutions
            if layer.stride == (2, 2) and layer.dilation == (1, 1) and all(side % 2 for side in layer.kernel_size)
        ]

    def _is_gated(self, path: str) -> bool:
        return path in self.found.gated or any(path.startswith(f"{gate}.") for gate in self.found.gated)

    def _max_pools(self) -> int:
        functions = self.model._functions()
        with torch.no_grad(), functions:
            self.network(self.model.preprocess(self.images))
        return functions.max_pools

    def _refuse(self) -> None:
        for path, layer in self._layers():
            if isinstance(layer, nn.Conv2d | nn.Linear | nn.modules.batchnorm._BatchNorm):
                continue
            matrices = [name for name, one in layer.named_parameters(recurse=False) if one.squeeze().ndim > 1]
            if matrices:
                raise _cannot(path, layer, f"it holds weights '{matrices[0]}' of no kind that is known")
        if not self.found.first:
            raise ExperimentError(
                f"{name_of(self.network)} cannot be converted: no convolution reads its input; expected a "
                "convolutional network."
            )
        for path in self.found.first:
            layer = self.network.get_submodule(path)
            if layer.groups != 1 or layer.in_channels != len(self.scale):
                raise _cannot(path, layer, "its channels are grouped")


def _ordinary(model: nn.Module) -> ExplainableModel:
    if isinstance(model, BcosModel):
        raise ExperimentError(f"{type(model).__name__} is a B-cos network already; expected an ordinary network.")
    return adapt(model)


def name_of(network: ExplainableModel) -> str:
    """The kind of a network, also of an adapted one."""
    return type(getattr(network, "wrapped", network)).__name__


def _cannot(path: str, layer: nn.Module, why: str) -> ExperimentError:
    return ExperimentError(
        f"Layer '{path}' ({type(layer).__name__}) cannot be converted: {why}; expected convolutions, linear layers and "
        "batch normalisation."
    )


def _affine(preprocess: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of each channel, (C,), by which images in [0, 1] are preprocessed."""
    black, white = preprocess(torch.zeros_like(images)), preprocess(torch.ones_like(images))
    shift = black[0, :, 0, 0]
    scale = white[0, :, 0, 0] - shift
    expected = images * scale.view(-1, 1, 1) + shift.view(-1, 1, 1) if black.shape == images.shape else None
    if expected is None or not torch.allclose(preprocess(images), expected):
        raise ExperimentError(
            "The network's preprocessing cannot be converted; expected one mean and one standard deviation for each "
            "colour, as lab.adapt(model, mean=..., std=...) sets them."
        )
    return scale, shift
