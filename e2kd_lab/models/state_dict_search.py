"""Find a network's weights in a checkpoint: the state dict, and the prefix of its keys."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from e2kd_lab.models.state_dicts import MAY_BE_BESIDE, MAY_BE_MISSING, last, listed, state_dicts_in
from e2kd_lab.models.transformers_keys import saved_keys
from e2kd_lab.models.weight_files import is_plain
from e2kd_lab.system.errors import CheckpointError, LabNote, shown


@dataclass(frozen=True)
class _Part:
    """Keys of one state dict that begin with a prefix, as candidates for a network's weights.

    Parameters
    ----------
    where : str
        Path of the state dict inside the checkpoint, with dots.
    prefix : str
        What the keys begin with: components that end in dots, or nothing.
    entries : mapping
        The state dict, whole.
    added : str
        What the network's own keys begin with, and the file's do not.
    """

    where: str
    prefix: str
    entries: Mapping[str, Any]
    added: str

    @property
    def label(self) -> str:
        """The text after ``::`` that chooses this part."""
        return ".".join(name for name in (self.where, self.prefix.rstrip(".")) if name)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors under the network's names."""
        start = len(self.prefix)
        return {
            self.added + key[start:]: value
            for key, value in self.entries.items()
            if key.startswith(self.prefix) and isinstance(value, Tensor)
        }

    def left_aside(self) -> Counter[str]:
        """Number of tensors outside the prefix, by the first component of their names."""
        return Counter(
            key.partition(".")[0]
            for key, value in self.entries.items()
            if isinstance(value, Tensor) and not key.startswith(self.prefix) and last(key) not in MAY_BE_BESIDE
        )


def find_state_dict(model: nn.Module, checkpoint: Any, file: str, choice: str = "") -> dict[str, Tensor]:
    """Find a network's state dict in a checkpoint, and return it under the network's names.

    Parameters
    ----------
    model : nn.Module
        The network.
    checkpoint : object
        What `read_checkpoint` returns: a state dict, or mappings with state dicts in them, up to three deep. Keys may
        have any prefix of dotted components that all wanted keys share; a `LabNote` counts the keys without it.
    file : str
        Where it comes from, for messages.
    choice : str
        Where to look: names of mappings and the prefix of keys, with dots between them. Everywhere if empty.

    Returns
    -------
    dict of str to Tensor
        Where no part has all of the network's keys, the one that has most of them.

    Raises
    ------
    CheckpointError
        If there is no state dict, no such choice, or more than one part that fits.
    """
    wanted = model.state_dict()
    inside = list(state_dicts_in(_chosen(checkpoint, file, choice) if choice else checkpoint, choice))
    if not inside:
        raise CheckpointError(f"{file} holds no state dict; expected names with tensors, bare or under 'model'.")
    fits, nearest = _parts_that_fit(wanted, inside)
    renamed = {} if fits else saved_keys(model)
    if renamed:
        wanted = {renamed.get(key, key): value for key, value in wanted.items()}
        fits, _ = _parts_that_fit(wanted, inside)
        renamed = {name: key for key, name in renamed.items()} if fits else {}
    if not fits:
        return nearest.tensors()
    fits = _different([part for part in fits if part.label == choice] or fits, wanted)
    if len(fits) > 1:
        raise CheckpointError(_several(file, type(model).__name__, [part.label for part in fits]))
    _say_what_is_left_aside(file, fits[0])
    return {renamed.get(key, key): value for key, value in fits[0].tensors().items()}


def _parts_that_fit(
    wanted: Mapping[str, Tensor], inside: list[tuple[str, Mapping[str, Any]]]
) -> tuple[list[_Part], _Part]:
    """Parts that have all wanted keys, and the part that has most of them."""
    required = [key for key in wanted if last(key) != MAY_BE_MISSING] or list(wanted)
    (first, content), most = inside[0], 0
    nearest = _Part(first, "", content, "")
    for added in _own_prefixes(required):
        bare, fits = {key.removeprefix(added) for key in required}, []
        for where, entries in inside:
            for prefix, number in _prefixes(bare, entries).items():
                part = _Part(where, prefix, entries, added)
                if number > most:
                    nearest, most = part, number
                if number == len(bare):
                    fits.append(part)
        if fits:
            return fits, nearest
    return [], nearest


def _own_prefixes(keys: list[str]) -> list[str]:
    """The empty prefix, and those that all of the network's keys share, which a file may lack."""
    prefixes = [""]
    for components in zip(*(key.split(".")[:-1] for key in keys), strict=False):
        if len(set(components)) > 1:
            break
        prefixes.append(f"{prefixes[-1]}{components[0]}.")
    return prefixes


def _prefixes(wanted: set[str], entries: Mapping[str, Any]) -> Counter[str]:
    """Number of wanted names after each prefix."""
    longest = max((key.count(".") + 1 for key in wanted), default=0)
    found: Counter[str] = Counter()
    for key, value in entries.items():
        if isinstance(value, Tensor):
            components = key.rsplit(".", longest)
            for start in range(len(components)):
                if ".".join(components[start:]) in wanted:
                    found["".join(f"{name}." for name in components[:start])] += 1
    return found


def _different(parts: list[_Part], wanted: Mapping[str, Tensor]) -> list[_Part]:
    """Parts with the fewest mismatched shapes; of parts with the same tensors, the first."""
    numbers: list[int] = []
    different: dict[tuple[Any, ...], tuple[int, _Part]] = {}
    for part in parts:
        tensors = part.tensors()
        shared = [key for key in wanted if key in tensors]
        numbers.append(sum(tensors[key].shape != wanted[key].shape for key in shared))
        different.setdefault(tuple(_identity(tensors[key]) for key in shared), (numbers[-1], part))
    return [part for number, part in different.values() if number == min(numbers)]


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    place = tensor.data_ptr() if is_plain(tensor) and tensor.numel() else id(tensor)
    return place, tensor.dtype, tensor.shape


def _chosen(content: Any, file: str, choice: str) -> Mapping[str, Any]:
    """The mapping at a path, or the entries whose names begin with the rest of the path."""
    rest, inside = choice, content
    while rest and isinstance(inside, Mapping):
        names = [key for key in inside if isinstance(key, str)]
        deeper = [key for key in names if f"{rest}.".startswith(f"{key}.") and isinstance(inside[key], Mapping)]
        if not deeper:
            part = {key.removeprefix(f"{rest}."): inside[key] for key in names if key.startswith(f"{rest}.")}
            if not part:
                break
            return part
        inside, rest = inside[max(deeper, key=len)], rest[len(max(deeper, key=len)) + 1 :]
    if rest or not isinstance(inside, Mapping):
        there = [where or "names with tensors" for where, _ in state_dicts_in(content, "")]
        raise CheckpointError(
            f"{file} holds nothing under '{shown(choice)}'; it holds {listed(there) if there else 'no state dict'}."
        )
    return inside


def _several(file: str, network: str, labels: list[str]) -> str:
    names = [label for label in labels if label]
    top = " and one at its top" if len(names) < len(labels) else ""
    mend = f'choose one, for instance weights="{file}::{names[-1][:200]}"' if names else "expected one"
    return f"{file} holds several state dicts that fit {network}: {listed(names)}{top}; {mend}."


def _say_what_is_left_aside(file: str, part: _Part) -> None:
    others = part.left_aside()
    if others:
        warnings.warn(
            f"{file}: the weights under '{shown(part.prefix)}' were loaded; {others.total()} other tensors, under "
            f"{listed([f'{name}.' for name in others])}, were left aside.",
            LabNote,
            stacklevel=4,
        )
