"""Registries of what one may add: networks, explanations, methods."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from e2kd_lab.system.code_identity import content_of, files_of
from e2kd_lab.system.errors import ExperimentError, note, shown

Entry = TypeVar("Entry")
_OWN = __name__.partition(".")[0]


class Registry(Mapping[str, Entry]):
    """Entries of one kind by name, built in or added by plug-ins.

    Parameters
    ----------
    kind : str
        Name of the kind in messages, such as ``model``.
    door : str
        Name of the decorator that adds an entry, such as ``register_model``.

    Examples
    --------
    >>> shapes = Registry("shape", "register_shape")
    >>> shapes.add("square", 4, origin=Registry)
    >>> shapes["square"]
    4
    """

    def __init__(self, kind: str, door: str) -> None:
        self.kind, self.door = kind, door
        self._entries: dict[str, Entry] = {}
        self._origins: dict[str, Any] = {}
        self._identities: dict[str, str] = {}
        self._versions: dict[str, int] = {}

    def add(self, name: str, entry: Entry, *, origin: Any, version: int = 0) -> None:
        """Add an entry; code that runs again, as a notebook cell may, replaces its earlier entry.

        A plug-in's entry replaces a built-in one of the same name, which is noted; runs by it have other names.

        Parameters
        ----------
        name : str
            Letters, digits, ``_``, ``-`` and ``.``.
        entry
            The value of `registry[name]`.
        origin : class or function
            The registered class or function, whose code identifies the entry (see `identity`).
        version : int
            See `version`.

        Raises
        ------
        ExperimentError
            If the name is taken by another plug-in, or not valid.
        """
        if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ExperimentError(
                f"'{shown(name)}' is no name for a {self.kind}; expected letters, digits, _, - and '.'."
            )
        before = self._origins.get(name)
        if before is not None and _place_of(before) != _place_of(origin):
            if not _is_ours(before) or _is_ours(origin):
                raise ExperimentError(
                    f"There is a {self.kind} '{name}' already, from {_place_of(before)}; expected another name in "
                    f"{self.door} of {_place_of(origin)}."
                )
            note(f"The {self.kind} '{name}' is now that of {_place_of(origin)}, in place of the lab's own.")
        self._entries[name], self._origins[name], self._versions[name] = entry, origin, version
        # Of a file, what was imported counts, whatever the file says now; a notebook's names may change their meaning.
        self._identities.pop(name, None)
        module = sys.modules.get(origin.__module__)
        if not _is_ours(origin) and module is not None and files_of(module):
            self._identities[name] = content_of(origin)

    def __getitem__(self, name: str) -> Entry:
        if name not in self:
            raise ExperimentError(
                f"There is no {self.kind} '{shown(name)}'; expected one of {', '.join(self._entries)}, or a "
                f"plug-in that adds it by {self.door} (lab.use(FILE), on the command line --plugin FILE)."
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def identity(self, name: str) -> str | None:
        """Fingerprint of the code of a plug-in's entry (see `content_of`); None for built-in ones."""
        self[name]
        origin = self._origins[name]
        return None if _is_ours(origin) else self._identities.get(name) or content_of(origin)

    def version(self, name: str) -> int:
        """How often a built-in entry has changed the results of runs; 0 for names of other libraries."""
        return self._versions.get(name, 0)

    def place(self, name: str) -> str:
        """The file that defines an entry, or the module in a notebook."""
        self[name]
        return _place_of(self._origins[name]).rpartition(":")[0]


def import_files(package: str, path: Iterable[str]) -> None:
    """Import every file of a folder, so that its entries are registered.

    Parameters
    ----------
    package, path
        ``__name__`` and ``__path__`` of the folder's package.
    """
    for file in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{file.name}")


def _is_ours(origin: Any) -> bool:
    return str(origin.__module__).partition(".")[0] == _OWN


def _place_of(origin: Any) -> str:
    """``file:name``, or ``module:name`` without a file: a file may be both the program and a plug-in."""
    module = sys.modules.get(origin.__module__)
    file = getattr(module, "__file__", None)
    return f"{Path(file).resolve() if file else origin.__module__}:{origin.__qualname__}"
