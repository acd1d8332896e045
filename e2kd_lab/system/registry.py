"""Registries of what one may add: networks, explanations, methods."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from e2kd_lab.system.errors import ExperimentError, shown

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

    def add(self, name: str, entry: Entry, *, origin: Any) -> None:
        """Add an entry; code that runs again, as a notebook cell may, replaces its earlier entry.

        Parameters
        ----------
        name : str
            Letters, digits, ``_``, ``-`` and ``.``.
        entry
            The value of `registry[name]`.
        origin : class or function
            The registered class or function, whose code identifies the entry (see `identity`).

        Raises
        ------
        ExperimentError
            If the name is taken or not valid.
        """
        if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ExperimentError(
                f"'{shown(name)}' is no name for a {self.kind}; expected letters, digits, _, - and '.'."
            )
        before = self._origins.get(name)
        if before is not None and _place_of(before) != _place_of(origin):
            raise ExperimentError(
                f"There is a {self.kind} '{name}' already, from {_place_of(before)}; expected another name in "
                f"{self.door} of {_place_of(origin)}."
            )
        self._entries[name], self._origins[name] = entry, origin

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
        """Fingerprint of the code of a plug-in's entry; None for built-in ones.

        It covers the file that defines the entry, or all files of its package; in a notebook, the entry itself.
        """
        self[name]
        origin = self._origins[name]
        return None if origin.__module__.partition(".")[0] == _OWN else content_of(origin)

    def place(self, name: str) -> str:
        """The file that defines an entry, or the module in a notebook."""
        self[name]
        return _place_of(self._origins[name]).rpartition(":")[0]


def content_of(thing: Any) -> str:
    """Fingerprint of the code of a class or function: ``sha256:`` and 16 hexadecimal digits."""
    module = sys.modules.get(thing.__module__)
    files = files_of(module) if module is not None else []
    if files:
        parts = [file.read_bytes() for file in files]
    else:  # defined in a notebook or at the prompt
        functions = [thing] if inspect.isfunction(thing) else [*filter(inspect.isfunction, vars(thing).values())]
        parts = [_source(function).encode() for function in functions]
        fields = vars(thing) if inspect.isclass(thing) else {}
        parts += [repr((k, v)).encode() for k, v in sorted(fields.items()) if isinstance(v, int | float | str | tuple)
                  and not k.startswith("__")]  # fmt: skip
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return "sha256:" + digest.hexdigest()[:16]


def import_files(package: str, path: Iterable[str]) -> None:
    """Import every file of a folder, so that its entries are registered.

    Parameters
    ----------
    package, path
        ``__name__`` and ``__path__`` of the folder's package.
    """
    for file in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{file.name}")


def files_of(module: ModuleType) -> list[Path]:
    """A module's own Python file, or all files of the package that it belongs to."""
    package = sys.modules.get(module.__name__.partition(".")[0], module)
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    if folders:
        return sorted(file for folder in folders for file in folder.rglob("*.py"))
    file = getattr(module, "__file__", None)
    return [Path(file)] if file is not None and Path(file).is_file() else []


def _place_of(origin: Any) -> str:
    """``file:name``, or ``module:name`` without a file: a file may be both the program and a plug-in."""
    module = sys.modules.get(origin.__module__)
    file = getattr(module, "__file__", None)
    return f"{Path(file).resolve() if file else origin.__module__}:{origin.__qualname__}"


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed at the prompt: bytecode and constants stand for it
        code = function.__code__
        return f"{code.co_code!r}{code.co_names!r}{code.co_consts!r}"
