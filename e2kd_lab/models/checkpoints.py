"""Load weights from files and from torchvision's published checkpoints, without executing code in files."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.models import get_model_weights

from e2kd_lab.models.interface import BcosModel
from e2kd_lab.models.state_dict_search import find_state_dict
from e2kd_lab.models.state_dicts import load_state, state_dict_of, with_own_classifier
from e2kd_lab.models.weight_files import files_of, read_checkpoint, save_weights
from e2kd_lab.system.errors import CheckpointError
from e2kd_lab.system.paths import is_file, is_folder, readable

__all__ = [
    "GUIDED_LOGIT_BIAS",
    "load_state",
    "load_weights",
    "published_weights",
    "read_checkpoint",
    "save_weights",
    "state_dict_of",
    "weights_fingerprint",
]

# What guided teachers (Model-Guidance) are stored with, and their logit bias, which is no part of the state dict: it is
# ImageNet's whatever the number of classes.
_OF_GUIDED_TEACHERS = frozenset({"model", "F-Score"})
GUIDED_LOGIT_BIAS = math.log(0.001 / 0.999)
_CHOICE = "::"


def load_weights(model: nn.Module, name: str, weights: str, *, any_classifier: bool = False) -> None:
    """Load weights into a model from a checkpoint or from torchvision's published weights.

    Parameters
    ----------
    model : nn.Module
        The network, of any number of classes.
    name : str
        Its registry name, which for published weights is also torchvision's.
    weights : str
        A file or folder (see `read_checkpoint`), or the name of a torchvision weight enum such as ``"IMAGENET1K_V1"``.
        Where a file holds several state dicts that fit, ``"file.pt::ema_state_dict"`` chooses one: after the colons
        come the names of what it lies in and the prefix of its keys, with dots between them. Published weights whose
        classifier has another number of classes initialise all layers but this classifier.
    any_classifier : bool
        Allow this for files, too: for networks that are going to be trained.

    Raises
    ------
    CheckpointError
        If the weights cannot be read, do not fit, or leave a choice open; the model is then unchanged.

    Warns
    -----
    LabNote
        If the file holds more than this network under one prefix, and the rest was left aside.

    Notes
    -----
    Files of guided B-cos teachers (Model-Guidance: ``model`` beside ``F-Score``) also set the network's logit bias to
    theirs, log(0.001 / 0.999), unless the network is going to be trained.
    """
    enum = published_weights(name, weights)
    if enum is None:
        file, choice = _file_and_choice(weights)
        checkpoint = read_checkpoint(file)
        state = find_state_dict(model, checkpoint, file, choice)
        load_state(model, with_own_classifier(model, state) if any_classifier else state, weights)
        if not any_classifier and isinstance(model, BcosModel) and checkpoint.keys() >= _OF_GUIDED_TEACHERS:
            model.logit_bias = GUIDED_LOGIT_BIAS
        return
    try:
        state = dict(enum.get_state_dict(progress=False, check_hash=True))
    except OSError as error:
        raise CheckpointError(
            f"{name}'s weights {weights} could not be fetched from {enum.url}: {error}; "
            f"expected network access, or the file in {torch.hub.get_dir()}/checkpoints."
        ) from error
    state = {_densenet_key(key): value for key, value in state.items()} if "densenet" in name else state
    load_state(model, with_own_classifier(model, state), f"{name}'s weights {weights}")


def published_weights(name: str, weights: str) -> Any | None:
    """torchvision's weight enum of this name for a network; None if there is none."""
    try:
        return get_model_weights(name.removeprefix("torchvision/"))[weights]
    except (KeyError, ValueError):
        return None


def weights_fingerprint(name: str, weights: str) -> str:
    """Identify weights in a run's configuration: by the enum's name, or by the files' content and the choice.

    Parameters
    ----------
    name : str
        The network's registry name.
    weights : str
        As for `load_weights`.

    Raises
    ------
    CheckpointError
        If they are neither a file, a folder with weights nor published, or cannot be read.
    """
    if published_weights(name, weights) is not None:
        return f"{name}:{weights}"
    file, choice = _file_and_choice(weights)
    path, content = Path(file), hashlib.sha256()
    if not is_file(path) and not is_folder(path):
        raise CheckpointError(
            f"{file} is neither a checkpoint file nor one of torchvision's weights for {name}; "
            "expected a path or a name such as IMAGENET1K_V1."
        )
    for part in files_of(path):
        with readable(part, CheckpointError), part.open("rb") as opened:
            hashlib.file_digest(opened, lambda: content)
    return f"sha256:{content.hexdigest()}" + (f"{_CHOICE}{choice}" if choice else "")


def _file_and_choice(weights: str) -> tuple[str, str]:
    """Split ``file::choice``; a text that is a path as a whole has no choice."""
    if _CHOICE not in weights or is_file(Path(weights)) or is_folder(Path(weights)):
        return weights, ""
    file, _, choice = weights.rpartition(_CHOICE)
    return file, choice.strip(".")


def _densenet_key(key: str) -> str:
    # The published DenseNet files were saved with "norm.1" where the modules are named "norm1".
    for layer in ("norm", "relu", "conv"):
        for number in ("1", "2"):
            if "denselayer" in key:
                key = key.replace(f".{layer}.{number}.", f".{layer}{number}.")
    return key
