"""Whether the fields of a configuration hold what their annotations promise."""

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

# What fits into the integers of other programs, and what may be multiplied without becoming infinite.
_LARGEST, _LARGEST_FLOAT = 2**63 - 1, 1e300


def check_types(configuration: DataclassInstance) -> None:
    """Refuse a field whose value is not of its annotated type, or a number that is not finite.

    Of a ``Literal`` only the type is checked: its owner knows a better sentence for an unknown name.

    Raises
    ------
    ExperimentError
        One sentence that names the first such field, its value and what is expected.
    """
    check_values(
        type(configuration), {f.name: getattr(configuration, f.name) for f in dataclasses.fields(configuration)}
    )


def check_values(owner: type, values: Mapping[str, Any]) -> None:
    """`check_types` of values that a dataclass's fields shall have.

    Parameters
    ----------
    owner : type
        The dataclass.
    values : mapping
        By the field's name.

    Raises
    ------
    ExperimentError
        See `check_types`.
    """
    for name, value in values.items():
        kind = _hints(owner)[name]
        if not _is(value, kind):
            raise ExperimentError(f"'{name}' is {shown(value)!r}; expected {_in_words(kind)}.")


@functools.cache
def _hints(owner: type[DataclassInstance]) -> dict[str, Any]:
    hints = typing.get_type_hints(owner)
    return {field.name: hints[field.name] for field in dataclasses.fields(owner)}


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return any(_is(value, one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        if kinds[1:] == (...,):
            return isinstance(value, tuple) and all(_is(one, kinds[0]) for one in value)
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_is, value, kinds))
    if typing.get_origin(kind) is typing.Literal:
        return isinstance(value, str)
    if kind is float:
        return _is(value, int) or (isinstance(value, float) and abs(value) <= _LARGEST_FLOAT)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST
    return isinstance(value, kind)


def _in_words(kind: Any) -> str:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(_in_words(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        return f"({', '.join('...' if one is ... else _in_words(one) for one in kinds)})"
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
