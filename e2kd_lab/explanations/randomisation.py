"""The parameter randomisation test (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

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
    _, classes, maps = explain_in_parts(model, images)
    before = evidence_maps(model, images, maps)
    randomised = copy.deepcopy(model).eval()
    layers = [(name, layer) for name, layer in randomised.named_modules() if list(layer.parameters(recurse=False))]
    if kept := [type(getattr(layer, "wrapped", layer)).__name__ for _, layer in layers if not _can_be_reset(layer)]:
        kinds = ", ".join(sorted(set(kept)))
        note(f"The randomisation test keeps layers without reset_parameters(): {len(kept)} of {kinds}.")
    parts = []
    devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(seed)
        for name, layer in reversed(layers):
            if not _can_be_reset(layer):
                continue
            layer.reset_parameters()
            after = evidence_maps(randomised, images, explain_in_parts(randomised, images, classes).maps)
            columns = {"cosine": explanation_cosine(after, before), "rank_correlation": rank_correlation(after, before)}
            rows: dict[str, Any] = {key: value.double().cpu().numpy() for key, value in columns.items()}
            parts.append(pd.DataFrame({"layer": name, "image": range(len(images)), **rows}))
    return pd.concat(parts, ignore_index=True)


def _can_be_reset(layer: nn.Module) -> bool:
    return callable(getattr(layer, "reset_parameters", None))
