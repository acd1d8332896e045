"""The parameter randomisation test (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from e2kd_lab.explanations.evidence import evidence_maps
from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.metrics import explanation_cosine, rank_correlation
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import note


def randomisation_cascade(model: ExplainableModel, images: Tensor, *, seed: int = 0) -> pd.DataFrame:
    """Similarity of explanations before and after layers are re-initialised, cumulatively, from the head down.

    A map that survives says nothing about what the network has learned. The network itself does not change.

    Parameters
    ----------
    model : ExplainableModel
        In evaluation mode.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), on the model's device; each is explained for the class predicted before.
    seed : int
        Of the new parameters.

    Returns
    -------
    DataFrame
        A row per image and layer, in the order of randomisation: ``layer``, ``image``, ``cosine``,
        ``rank_correlation`` (Spearman), both in [-1, 1] and of the evidence. Layers that cannot be re-initialised are
        left out, with a note.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=3).eval()
    >>> randomisation_cascade(model, torch.rand(2, 3, 16, 16))["layer"].iloc[0]
    'fc'
    """
    maps = _cascade(model, images, seed)
    _, before = next(maps)
    parts = []
    for name, after in maps:
        columns = {"cosine": explanation_cosine(after, before), "rank_correlation": rank_correlation(after, before)}
        rows: dict[str, Any] = {key: value.double().cpu().numpy() for key, value in columns.items()}
        parts.append(pd.DataFrame({"layer": name, "image": range(len(images)), **rows}))
    return pd.concat(parts, ignore_index=True)


def randomised_maps(model: ExplainableModel, images: Tensor, *, count: int = 5, seed: int = 0) -> dict[str, Tensor]:
    """Evidence before and after some steps of the `randomisation_cascade`, to look at.

    Parameters
    ----------
    model, images, seed
        See `randomisation_cascade`.
    count : int
        Number of steps, evenly spaced from the first layer that is re-initialised, the head, to the last.

    Returns
    -------
    dict
        Maps (N, H, W): ``trained``, then by the name of the layer down to which the network is re-initialised.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=3).eval()
    >>> list(randomised_maps(model, torch.rand(1, 3, 16, 16), count=2))
    ['trained', 'fc', 'conv1']
    """
    (_, before), *steps = _cascade(model, images, seed)
    chosen = torch.linspace(0, len(steps) - 1, min(count, len(steps))).round().int().tolist()
    return {"trained": before, **dict(steps[place] for place in chosen)}


def _cascade(model: ExplainableModel, images: Tensor, seed: int) -> Iterator[tuple[str, Tensor]]:
    """Evidence (N, H, W) of the network itself, and after each layer that is re-initialised, with its name."""
    _, classes, maps = explain_in_parts(model, images)
    yield "trained", evidence_maps(model, images, maps)
    randomised = copy.deepcopy(model).eval()
    layers = [(name, layer) for name, layer in randomised.named_modules() if _has_weights(layer)]
    if kept := [type(getattr(layer, "wrapped", layer)).__name__ for _, layer in layers if not _can_be_reset(layer)]:
        kinds = ", ".join(sorted(set(kept)))
        note(f"The randomisation test keeps layers without reset_parameters(): {len(kept)} of {kinds}.")
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(seed)
        for name, layer in reversed(layers):
            if _can_be_reset(layer):
                _reset(layer)
                yield name, evidence_maps(randomised, images, explain_in_parts(randomised, images, classes).maps)


def _has_weights(layer: nn.Module) -> bool:
    """Whether a layer has weights of its own, also behind a parametrization, which then is no layer."""
    own = bool(list(layer.parameters(recurse=False))) and not isinstance(layer, parametrize.ParametrizationList)
    return own or parametrize.is_parametrized(layer)


def _reset(layer: Any) -> None:
    layer.reset_parameters()
    if parametrize.is_parametrized(layer):  # that has changed what is computed of the weights, and not these
        for one in layer.parametrizations.values():
            nn.init.kaiming_uniform_(one.original, a=math.sqrt(5))  # as convolutions and linear layers do


def _can_be_reset(layer: nn.Module) -> bool:
    return callable(getattr(layer, "reset_parameters", None))
