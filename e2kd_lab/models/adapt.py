"""`adapt`: makes any classifier explainable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models.adapted import AdaptedModel
from e2kd_lab.models.dry_run import DryRunner, prepared
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.layer_search import Findings, find_explained_layer
from e2kd_lab.models.network_inputs import Size, preprocessing_of, sizes_to_try
from e2kd_lab.models.network_outputs import logits_of, require_logits
from e2kd_lab.system.errors import ExperimentError, shown

_BCOS_CHANNELS = 6


def adapt(
    module: nn.Module,
    *,
    layer: str | nn.Module | None = None,
    reshape: Callable[[Tensor], Tensor] | None = None,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    logits: Callable[[Any], Tensor] | None = None,
    image_size: Size | None = None,
) -> ExplainableModel:
    """Make a classifier of torch, torchvision, timm or transformers explainable, without changing or copying it.

    A dry run of random images finds the layer to explain: the last one whose output is a spatial map that determines
    the logits and gets their gradient. That is ``layer4`` of a ResNet, and the last block but one of a vision
    transformer with a class token. Parameters, statistics, modes and random numbers do not change.

    Parameters
    ----------
    module : nn.Module
        Takes images (N, C, H, W), puts out logits (N, K), or an object, mapping or tuple that holds them.
    layer : str or nn.Module, optional
        The layer to explain it by, as a path in ``module.named_modules()`` or the layer itself.
    reshape : callable, optional
        From that layer's output to a map (N, C', H', W'), linear, where its form is none that is known.
    preprocess : callable, optional
        From RGB images (N, 3, H, W) in [0, 1] to the network's input; or an image processor, of which mean and std are
        taken.
    mean, std : sequence of float, optional
        In place of ``preprocess``. Without any of them the network's own library is asked.
    logits : callable, optional
        Takes the logits (N, K) out of what the network puts out.
    image_size : int or (int, int), optional
        Pixels of the dry run's images; by default what the network's library says, or 224, 64 or 32.

    Returns
    -------
    ExplainableModel
        An `AdaptedModel`, whose ``repr`` says what was found; a network of the lab is given back as it is.

    Raises
    ------
    ExperimentError
        If the network is no image classifier, no such layer is found, or the named one cannot be explained.

    Examples
    --------
    >>> import torch, torchvision, e2kd_lab as lab
    >>> network = torchvision.models.resnet18(num_classes=3)
    >>> model = lab.adapt(network)
    >>> model.findings.layer
    'layer4'
    >>> lab.explain(model, torch.rand(2, 3, 64, 64)).maps.shape
    torch.Size([2, 1, 64, 64])
    """
    changes = (layer, reshape, preprocess, mean, std, logits, image_size)
    if not isinstance(module, nn.Module):
        raise ExperimentError(f"lab.adapt got a {type(module).__name__}; expected a torch.nn.Module that classifies.")
    if isinstance(module, ExplainableModel):
        if all(change is None for change in changes):
            return module
        if not isinstance(module, AdaptedModel):
            raise ExperimentError(
                f"{type(module).__name__} is a network of the lab, which knows its feature map and preprocessing; "
                "expected lab.adapt(model) without further arguments, or a network of another library."
            )
        module = module.wrapped
    _refuse_others(module)
    prepared, source = preprocessing_of(module, preprocess, mean, std)
    if isinstance(prepared, nn.Module):
        weight = next((p for p in module.parameters() if p.is_floating_point()), None)
        if weight is not None:
            prepared.to(weight.device, weight.dtype)
    chosen = logits_of if logits is None else logits
    findings = _examined(module, prepared, chosen, _path(module, layer), reshape, image_size)
    return AdaptedModel(module, findings, prepared, source, chosen)


def _examined(
    module: nn.Module,
    preprocess: Callable[[Tensor], Tensor],
    take: Callable[[Any], Tensor],
    layer: str | None,
    reshape: Callable[[Tensor], Tensor] | None,
    image_size: Size | None,
) -> Findings:
    runner = DryRunner(module, preprocess, take)
    with prepared(runner):
        return find_explained_layer(runner, _accepted_size(runner, sizes_to_try(module, image_size)), layer, reshape)


@torch.no_grad()
def _accepted_size(runner: DryRunner, sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """First image size that a network accepts."""
    refusal: Exception | None = None
    name = type(runner.module).__name__
    for size in sizes:
        try:
            images = runner.images(size)
            logits = runner.logits_of(runner.module(images))
        except ExperimentError:
            raise
        except Exception as error:  # whatever a stranger's network raises
            refusal = refusal or error
            _refuse_channels(runner)
            continue
        require_logits(name, logits, len(images))
        return size
    tried = ", ".join(f"{rows} x {columns}" for rows, columns in sizes)
    raise ExperimentError(
        f"{name} takes no RGB images of {tried} px ({type(refusal).__name__}: {shown(refusal)}); expected "
        "lab.adapt(model, image_size=...) with a size that it takes, or preprocess=... that makes its input."
    ) from refusal


def _refuse_others(module: nn.Module) -> None:
    """Refuse modules that hide a network, and B-cos networks of other packages."""
    name = type(module).__name__
    inside = "module" if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel) else "_orig_mod"
    if inside == "module" or hasattr(module, inside):
        raise ExperimentError(f"lab.adapt got a {name}; expected the network inside: lab.adapt(model.{inside}).")
    if any(tensor.is_meta or tensor.is_inference() for tensor in module.parameters()):
        raise ExperimentError(
            f"{name} has weights on the device 'meta' or from torch.inference_mode, which have no gradient; expected a "
            "network that was built without either."
        )
    packages = {kind.__module__.partition(".")[0] for layer in module.modules() for kind in type(layer).__mro__}
    if "bcos" in packages or _first_channels(module) == _BCOS_CHANNELS:
        raise ExperimentError(
            f"{name} is a B-cos network of another package, whose dynamic scales are not known here, so that W(x) "
            "would be wrong; expected its weights in the lab's own network: "
            'lab.build_model("bcos_resnet18", K, weights=FILE).'
        )


def _refuse_channels(runner: DryRunner) -> None:
    channels = _first_channels(runner.module)
    given = runner.images((32, 32)).shape[1]
    if channels is not None and channels != given:
        raise ExperimentError(
            f"{type(runner.module).__name__} takes images of {channels} channels and is given {given}; expected a "
            "network of RGB images, or lab.adapt(model, preprocess=...) from RGB in [0, 1] to its input."
        )


def _first_channels(module: nn.Module) -> int | None:
    return next((layer.in_channels for layer in module.modules() if isinstance(layer, nn.Conv2d)), None)


def _path(module: nn.Module, layer: str | nn.Module | None) -> str | None:
    if not isinstance(layer, nn.Module):
        return layer
    path = next((path for path, other in module.named_modules() if other is layer), None)
    if not path:
        raise ExperimentError(
            f"The {type(layer).__name__} given as 'layer' is none of {type(module).__name__}'s layers; expected one of "
            "them, or its path in model.named_modules()."
        )
    return path
