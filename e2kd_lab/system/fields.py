"""Type checks of dataclass fields, by their annotations."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from e2kd_lab.system.errors import ExperimentError, shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# 64-bit integers, and floats that leave room for a product.
_LARGEST, _LARGEST_FLOAT = 2**63 - 1, 1e300


def check_types(configuration: DataclassInstance) -> None:
    """Refuse a field whose value is not of its annotated type, or a number that is not finite.

    A ``Literal`` is only checked to be text; its owner lists the choices in an error of its own.

    Raises
    ------
    ExperimentError
        Names the first such field, its value and the expected type.
    """
    check_values(
        type(configuration), {f.name: getattr(configuration, f.name) for f in dataclasses.fields(configuration)}
    )


def check_values(owner: type, values: Mapping[str, Any]) -> None:
    """Check values meant for a dataclass's fields, as `check_types` does.

    Parameters
    ----------
    owner : type
        The dataclass.
    values : mapping
        Values by field name.

    Raises
    ------
    ExperimentError
        See `check_types`.
    """
    for name, value in values.items():
        kind = _hints(owner)[name]
        if not _has_type(value, kind):
            raise ExperimentError(f"'{name}' is {shown(value)!r}; expected {_described(kind)}.")


@functools.cache
def _hints(owner: type[DataclassInstance]) -> dict[str, Any]:
    hints = typing.get_type_hints(owner)
    return {field.name: hints[field.name] for field in dataclasses.fields(owner)}


def _has_type(value: Any, kind: Any) -> bool:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return any(_has_type(value, one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if kinds[1:] == (...,):
            return isinstance(value, tuple) and all(_has_type(one, kinds[0]) for one in value)
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_has_type, value, kinds))
    if typing.get_origin(kind) is typing.Literal:
        return isinstance(value, str)
    if kind is float:
        return _has_type(value, int) or (isinstance(value, float) and abs(value) <= _LARGEST_FLOAT)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
    return isinstance(value, kind)


def _described(kind: Any) -> str:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(_described(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        return f"({', '.join('...' if one is ... else _described(one) for one in kinds)})"
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f"'{name}'" for name in typing.get_args(kind))
    names = {
        int: "a whole number",
        float: "a number up to 1e300",
        str: "a text",
        bool: "True or False",
        type(None): "None",
    }
    return names.get(kind, f"a {kind.__name__}")
