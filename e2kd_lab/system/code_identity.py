"""The identity of a researcher's code: a fingerprint of all that a class or function is made of."""

from __future__ import annotations

import dis
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

_LAB = __name__.partition(".")[0]
_PLAIN = (int, float, str, bytes, type(None))


def content_of(thing: Any) -> str:
    """Fingerprint of the code of a class or function: ``sha256:`` and 16 hexadecimal digits.

    It covers the file that defines it, or all files of its package, and files of one's own that these import. In a
    notebook, it covers the code itself, and the functions, classes and plain values that the code uses.
    """
    module = sys.modules.get(thing.__module__)
    files = files_of(module) if module is not None else []
    if module is not None and files:
        others = [file for one in own_imports(module) for file in files_of(one)]
        parts = [file.read_bytes() for file in dict.fromkeys([*files, *others])]
    else:
        parts = [*_definition(thing), *_used(thing, {id(thing)})]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return "sha256:" + digest.hexdigest()[:16]


def files_of(module: ModuleType) -> list[Path]:
    """A module's own Python file, or all files of the package that it belongs to."""
    package = sys.modules.get(module.__name__.partition(".")[0], module)
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    if folders:
        return sorted(file for folder in folders for file in folder.rglob("*.py"))
    file = getattr(module, "__file__", None)
    return [Path(file)] if file is not None and Path(file).is_file() else []


def own_imports(module: ModuleType) -> list[ModuleType]:
    """Modules of one's own, as opposed to installed ones, that a module imports; each after those that it imports."""
    found: dict[str, ModuleType] = {}
    _collect(module, {module.__name__}, found)
    return list(found.values())


def _collect(module: ModuleType, seen: set[str], found: dict[str, ModuleType]) -> None:
    for value in list(vars(module).values()):
        other = value if isinstance(value, ModuleType) else _module_of(value)
        if other is not None and other.__name__ not in seen and _is_own(other):
            seen.add(other.__name__)
            _collect(other, seen, found)
            found[other.__name__] = other


def _module_of(value: Any) -> ModuleType | None:
    return sys.modules.get(value.__module__) if inspect.isfunction(value) or inspect.isclass(value) else None


def _is_own(module: ModuleType) -> bool:
    place, installed = _place(module), {"site-packages", "dist-packages"}
    if place is None or module.__name__.partition(".")[0] == _LAB or installed.intersection(place.parts):
        return False
    return Path(sysconfig.get_path("stdlib")).resolve() not in place.parents


def _place(module: ModuleType | None) -> Path | None:
    """The file or folder of a module; None for a notebook, or for a module that is compiled into Python."""
    found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    return None if found is None or not Path(found).exists() else Path(found).resolve()


def _definition(thing: Any) -> list[bytes]:
    """Source of a function, or of a class's functions, and a class's plain fields."""
    functions = [thing] if inspect.isfunction(thing) else [*filter(inspect.isfunction, vars(thing).values())]
    fields = vars(thing) if inspect.isclass(thing) else {}
    values = [(k, v) for k, v in sorted(fields.items()) if isinstance(v, int | float | str | tuple)]
    return [
        *(_source(function).encode() for function in functions),
        *(repr(field).encode() for field in values if not field[0].startswith("__")),
    ]


def _used(thing: Any, seen: set[int]) -> Iterator[bytes]:
    """What the code of a class or function uses: plain values, one's own code, and that of which it is made."""
    functions, uses = [thing], dict[str, Any]()
    if inspect.isclass(thing):
        members = list(vars(thing).values())
        functions = [member for member in members if inspect.isfunction(member)]
        # Class methods, static methods, properties; the others are the definition itself.
        wrapped = [getattr(member, "__func__", getattr(member, "fget", None)) for member in members]
        made_of: list[Any] = [*thing.__bases__, *filter(inspect.isfunction, wrapped)]
        uses = {f"{number} {one.__qualname__}": one for number, one in enumerate(made_of)}
    for function in functions:
        uses |= _variables(function)
    for name, value in sorted(uses.items()):
        if _is_plain(value):
            yield repr((name, value)).encode()
        elif (inspect.isfunction(value) or inspect.isclass(value)) and id(value) not in seen:
            seen.add(id(value))
            module = _module_of(value)
            if module is None or _place(module) is None:
                yield from _definition(value)
                yield from _used(value, seen)
            elif _is_own(module):
                yield from (file.read_bytes() for file in files_of(module))
        elif isinstance(value, ModuleType) and id(value) not in seen and _is_own(value):
            seen.add(id(value))
            yield from (file.read_bytes() for file in files_of(value))


def _variables(function: FunctionType) -> dict[str, Any]:
    """Values of the global and captured variables that a function reads."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    values = {name: cell.cell_contents for name, cell in cells if cell != type(cell)()}
    names = _globals_read(function.__code__)
    return values | {name: function.__globals__[name] for name in names if name in function.__globals__}


def _globals_read(code: CodeType) -> set[str]:
    nested = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*map(_globals_read, nested))


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return isinstance(value, _PLAIN)


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed at the prompt: bytecode and constants stand for it
        return _bytecode(function.__code__)


def _bytecode(code: CodeType) -> str:
    nested = [_bytecode(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    constants = tuple(constant for constant in code.co_consts if not isinstance(constant, CodeType))
    return "".join([f"{code.co_code!r}{code.co_names!r}{constants!r}", *nested])
