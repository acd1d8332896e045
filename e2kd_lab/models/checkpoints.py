"""Loading weights from files and from torchvision's published checkpoints, never executing what a file says."""

from __future__ import annotations

import hashlib
import math
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights

from e2kd_lab.errors import CheckpointError, shown
from e2kd_lab.models.interface import BcosModel
from e2kd_lab.paths import is_file, is_folder, readable

# Containers and wrappers that published checkpoints put around the state dict.
_CONTAINERS = ("model", "state_dict")
_PREFIXES = ("module.", "_forward_module.")
_SEQUENCE = "0."
# What guided teachers (Model-Guidance) are stored with, and their logit bias, which is no part of the state dict: it is
# ImageNet's whatever the number of classes.
_OF_GUIDED_TEACHERS = frozenset({"model", "F-Score"})
GUIDED_LOGIT_BIAS = math.log(0.001 / 0.999)
# The format is a program of stack operations. Where a damaged one meets an empty stack, a value of another type or an
# impossible size, torch lets the interpreter's own errors through.
_OF_DAMAGED_FILES = (
    RuntimeError, EOFError, ValueError, LookupError, OSError, TypeError, AttributeError, AssertionError,
    ArithmeticError, MemoryError, struct.error,
)  # fmt: skip
_CLASSIFIER = re.compile(r"(0\.)?(fc|classifier|linear_head\.linear)\.(linear\.)?(weight|bias)$")


def read_checkpoint(path: Path | str) -> Any:
    """Read a checkpoint file with ``weights_only=True``, on the CPU.

    Raises
    ------
    CheckpointError
        If the file is missing, is no checkpoint, or holds anything but tensors and plain values.
    """
    path = Path(path)
    if not is_file(path):
        where = "a folder" if is_folder(path) else "not there"
        raise CheckpointError(f"{path} is {where}; expected a checkpoint file.")
    _refuse_compressed(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged or holds Python objects, which are refused because loading them could run code; "
            "expected a file of tensors and plain values."
        ) from error
    except _OF_DAMAGED_FILES as error:
        # The text of a lookup's error is the key alone.
        reason = (
            type(error).__name__ if isinstance(error, LookupError) or not str(error) else str(error).splitlines()[0]
        )
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({reason}); expected a file of tensors as torch writes it."
        ) from error


def _refuse_compressed(path: Path) -> None:
    """Torch never compresses, and weights hardly can be: what unpacks to much more is meant to fill the memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):  # the other format, or damaged
        return
    if unpacked > 4 * path.stat().st_size:
        raise CheckpointError(
            f"{path} unpacks to {unpacked / 1e6:.1f} MB, more than four times its size; expected it as torch writes it."
        )


def state_dict_of(checkpoint: Any, source: str) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, without the containers and key prefixes that wrappers add."""
    for container in _CONTAINERS:
        if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(container), Mapping):
            checkpoint = checkpoint[container]
    named = isinstance(checkpoint, Mapping) and all(isinstance(name, str) for name in checkpoint)
    if not named or not all(isinstance(value, Tensor) for value in checkpoint.values()):
        raise CheckpointError(f"{source} holds no state dict; expected names with tensors, bare or under 'model'.")
    state = dict(checkpoint)
    for prefix in _PREFIXES:
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def load_state(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict whose keys and shapes must be the model's.

    Raises
    ------
    CheckpointError
        Lists the first keys that are missing, not known, or of another shape; the model is then unchanged.
    """
    expected = model.state_dict()
    state = _with_prefix_of(expected, state)
    problems = [f"'{key}' is missing" for key in expected if key not in state]
    problems += [f"'{shown(key)}' is not in the model" for key in state if key not in expected]
    problems += [
        f"'{key}' has shape {tuple(state[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    problems += [
        f"'{key}' is {state[key].layout} of {state[key].dtype}, expected plain real numbers"
        for key in expected
        if key in state and not _is_plain(state[key])
    ]
    if problems:
        more = f", and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise CheckpointError(
            f"{source} does not fit {type(model).__name__}: {'; '.join(problems[:5])}{more}; "
            "expected the same keys and shapes as the model's state dict."
        )
    model.load_state_dict(dict(state))


def load_weights(model: nn.Module, name: str, weights: str, *, any_classifier: bool = False) -> None:
    """Load weights into a model from a checkpoint file or from torchvision's published weights.

    Parameters
    ----------
    model : nn.Module
        The network, of any number of classes.
    name : str
        Its registry name, which for published weights is also torchvision's.
    weights : str
        A file, or the name of a torchvision weight enum such as ``"IMAGENET1K_V1"``. Published weights whose classifier
        has another number of classes initialise all layers but this classifier.
    any_classifier : bool
        Allow this for files, too: for networks that are going to be trained.

    Notes
    -----
    Files of guided B-cos teachers (Model-Guidance: ``model`` beside ``F-Score``) also set the network's logit bias to
    theirs, log(0.001 / 0.999), unless the network is going to be trained.
    """
    enum = published_weights(name, weights)
    if enum is None:
        checkpoint = read_checkpoint(weights)
        state = state_dict_of(checkpoint, weights)
        load_state(model, _with_own_classifier(model, state) if any_classifier else state, weights)
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
    load_state(model, _with_own_classifier(model, state), f"{name}'s weights {weights}")


def published_weights(name: str, weights: str) -> Any | None:
    """torchvision's weight enum of this name for this network, or None if there is none."""
    try:
        return get_model_weights(name.removeprefix("torchvision/"))[weights]
    except (KeyError, ValueError):
        return None


def weights_fingerprint(name: str, weights: str) -> str:
    """What identifies given weights in a run's configuration: the enum's name, or the file's content."""
    if published_weights(name, weights) is not None:
        return f"{name}:{weights}"
    path = Path(weights)
    if not is_file(path):
        raise CheckpointError(
            f"{weights} is neither a checkpoint file nor one of torchvision's weights for {name}; "
            "expected a path or a name such as IMAGENET1K_V1."
        )
    with readable(path, CheckpointError), path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _is_plain(tensor: Tensor) -> bool:
    """Whether it can be copied into a network's tensors: half precision can, complex and sparse numbers cannot."""
    return not (tensor.is_complex() or tensor.is_quantized or tensor.is_meta) and tensor.layout == torch.strided


def _with_prefix_of(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Add or take away the "0." of networks that were saved as the first element of a sequence."""
    wanted = all(key.startswith(_SEQUENCE) for key in expected)
    if wanted == all(key.startswith(_SEQUENCE) for key in state):
        return state
    if wanted:
        return {_SEQUENCE + key: value for key, value in state.items()}
    return {key.removeprefix(_SEQUENCE): value for key, value in state.items()}


def _with_own_classifier(model: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The state, but with the model's own classifier where the state's has another number of classes."""
    own = model.state_dict()
    state = _with_prefix_of(own, state)
    return {
        key: own[key] if _CLASSIFIER.match(key) and key in own and own[key].shape != value.shape else value
        for key, value in state.items()
    }


def _densenet_key(key: str) -> str:
    # The published DenseNet files were saved with "norm.1" where the modules are named "norm1".
    for layer in ("norm", "relu", "conv"):
        for number in ("1", "2"):
            if "denselayer" in key:
                key = key.replace(f".{layer}.{number}.", f".{layer}{number}.")
    return key
