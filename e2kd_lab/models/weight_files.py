"""Read and write weight files, without executing code in them."""

from __future__ import annotations

import pickle
import re
import struct
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.models.safe_globals import SAFE_GLOBALS
from e2kd_lab.system.atomic_write import write_bytes
from e2kd_lab.system.errors import CheckpointError, shown
from e2kd_lab.system.json_files import read_json
from e2kd_lab.system.paths import is_file, is_folder, readable

# The format is a program of stack operations. Where a damaged one meets an empty stack, a value of another type or an
# impossible size, torch lets the interpreter's own errors through.
_OF_DAMAGED_FILES = (
    RuntimeError, EOFError, ValueError, LookupError, OSError, TypeError, AttributeError, AssertionError,
    ArithmeticError, MemoryError, struct.error,
)  # fmt: skip
# How torch names what a file asks for and does not get.
_REFUSED = re.compile(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL) (\S+)")
# The allow-list of `safe_globals` is shared by all threads, and the first to leave would empty it for the others.
_ALLOWING = threading.Lock()
# What a folder of Hugging Face may hold, the preferred first.
_IN_FOLDERS = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
_LONGEST_HEADER = 100_000_000  # of safetensors files, by the format's definition


def read_checkpoint(path: Path | str) -> Any:
    """Read a checkpoint on the CPU: a torch or safetensors file, or a Hugging Face folder.

    Parameters
    ----------
    path : Path or str
        A file that `torch.save` wrote, read with ``weights_only=True``; a file of safetensors, whatever its suffix; or
        a folder that holds ``model.safetensors`` or ``pytorch_model.bin``, in one piece or in shards.

    Returns
    -------
    object
        What the file holds; for safetensors and folders, a dictionary of names and tensors.

    Raises
    ------
    CheckpointError
        If nothing is there, if it is damaged, or if it holds anything but tensors, plain values and harmless classes.
    """
    path = Path(path)
    if is_folder(path):
        state: dict[str, Tensor] = {}
        for file in files_of(path):
            if file.suffix != ".json":
                state |= _entries(file)
        return state
    if not is_file(path):
        raise CheckpointError(f"{path} is not there; expected a checkpoint file.")
    return _read_safetensors(path) if _is_safetensors(path) else _read_pickled(path)


def files_of(path: Path) -> list[Path]:
    """Files that `read_checkpoint` reads for a path: the file, or those of a Hugging Face folder.

    Raises
    ------
    CheckpointError
        If a folder holds no weights, or names shards that are not there.
    """
    if not is_folder(path):
        return [path]
    with readable(path, CheckpointError):
        there = {file.name for file in path.iterdir()}
    for name in _IN_FOLDERS:
        if name in there:
            return [path / name, *(_shards(path / name) if name.endswith(".json") else ())]
    raise CheckpointError(
        f"{path} is a folder; expected a checkpoint file, or a folder of Hugging Face with one of "
        f"{', '.join(_IN_FOLDERS)} in it."
    )


def save_weights(
    weights: nn.Module | Mapping[str, Tensor], path: Path | str, metadata: Mapping[str, str] | None = None
) -> None:
    """Write weights to a safetensors file, atomically.

    Parameters
    ----------
    weights : nn.Module or mapping
        A network or its state dict. Tensors that share memory are written as often as they have names.
    path : Path or str
        The file; its folder is made if it is missing.
    metadata : mapping of str to str, optional
        Kept in the file's header. ``format`` is ``"pt"``, which Hugging Face's readers ask for.

    Raises
    ------
    CheckpointError
        If safetensors is not installed, or if a tensor is sparse, quantised, complex or without values.
    RunError
        If the file cannot be written; it then keeps its former content.
    """
    path = Path(path)
    safetensors = _safetensors(path)
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    for key, tensor in state.items():
        if not is_plain(tensor):
            raise CheckpointError(
                f"{path} cannot hold '{shown(key)}', which is {tensor.layout} of {tensor.dtype}; "
                "expected plain real numbers."
            )
    # A clone shares its memory with no other tensor and holds no more than its own values.
    own = {key: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for key, tensor in state.items()}
    texts = {str(key): str(value) for key, value in (metadata or {}).items()}
    write_bytes(path, safetensors.save(own, {"format": "pt", **texts}))


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor can be copied into a network: half precision can, complex and sparse ones cannot."""
    return not (tensor.is_complex() or tensor.is_quantized or tensor.is_meta) and tensor.layout == torch.strided


def _entries(file: Path) -> dict[str, Tensor]:
    content = read_checkpoint(file)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{file} holds no state dict; expected names with tensors, as Hugging Face writes them.")
    return dict(content)


def _shards(index: Path) -> list[Path]:
    content = read_json(index, CheckpointError, missing="it beside the shards")
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise CheckpointError(f"{index} names no shards; expected a table weight_map from tensors to files beside it.")
    for name in sorted(set(names.values())):
        if Path(name).name != name or "\\" in name or not is_file(index.parent / name):
            raise CheckpointError(
                f"{index} names the shard '{shown(name)}', which is not there; expected a file beside it."
            )
    return [index.parent / name for name in sorted(set(names.values()))]


def _is_safetensors(path: Path) -> bool:
    """Recognise safetensors by its header, and by name only where the content is not torch's."""
    with readable(path, CheckpointError), path.open("rb") as file:
        start = file.read(9)
    if len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= _LONGEST_HEADER:
        return True
    return path.suffix == ".safetensors" and not start.startswith((b"PK\x03\x04", b"\x80\x02"))


def _safetensors(path: Path) -> ModuleType:
    try:
        import safetensors.torch
    except ImportError as error:
        raise CheckpointError(
            f"{path} is a safetensors file, and safetensors is not installed; "
            'install it with: pip install "e2kd-lab[zoo]".'
        ) from error
    return safetensors.torch


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    safetensors = _safetensors(path)
    from safetensors import SafetensorError

    try:
        return dict(safetensors.load_file(path))
    except (SafetensorError, *_OF_DAMAGED_FILES) as error:
        raise CheckpointError(
            f"{path} is damaged ({_reason(error)}); expected a whole safetensors file: fetch or copy it again."
        ) from error


def _read_pickled(path: Path) -> Any:
    _refuse_compressed(path)
    try:
        # Opened here, since torch takes files of safetensors by their suffix.
        with path.open("rb") as file, _ALLOWING, torch.serialization.safe_globals(SAFE_GLOBALS):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_why_refused(path, str(error))) from error
    except _OF_DAMAGED_FILES as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({_reason(error)}); expected a whole file as torch.save writes it."
        ) from error


def _why_refused(path: Path, message: str) -> str:
    """Tell damage from danger: a class or function that torch names could have run code."""
    refused = _REFUSED.search(message)
    if refused is None:
        return (
            f"{path} is damaged, or was pickled in a way that cannot be read without running it; expected tensors and "
            "plain values: copy it again, or save the state dict anew with torch.save."
        )
    name = refused[1][:200]
    if name.rpartition(".")[2].lstrip("_")[:1].isupper():
        what, or_else = "objects of the class", ", or allow a class you trust by torch.serialization.add_safe_globals"
    else:
        what, or_else = "calls of the function", ""
    return (
        f"{path} holds {what} {name}, and loading them could run code, so it is refused; expected tensors and plain "
        f"values: save the state dict alone{or_else}."
    )


def _reason(error: Exception) -> str:
    # The text of a lookup's error is the key alone.
    return type(error).__name__ if isinstance(error, LookupError) or not str(error) else str(error).splitlines()[0]


def _refuse_compressed(path: Path) -> None:
    """Refuse compressed archives: torch writes none, and one that unpacks to much more is meant to fill the memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):  # the other format, or damaged
        return
    if unpacked > 4 * path.stat().st_size:
        raise CheckpointError(
            f"{path} unpacks to {unpacked / 1e6:.1f} MB, more than four times its size; expected it as torch writes it."
        )
