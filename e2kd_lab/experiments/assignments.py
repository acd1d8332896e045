"""Fields of an experiment from the command line: ``lr=0.01``."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from e2kd_lab.system.errors import ExperimentError, shown


def assigned(assignments: Iterable[str]) -> dict[str, Any]:
    """Fields and values of assignments such as ``image_size=64`` or ``student=resnet_mini``.

    Parameters
    ----------
    assignments : iterable of str
        ``field=value``; a value that is no Python literal is text.

    Raises
    ------
    ExperimentError
        If an assignment has no ``=``.
    """
    values = {}
    for assignment in assignments:
        field, equals, text = assignment.partition("=")
        if not equals:
            raise ExperimentError(f"--set {shown(assignment)} has no '='; expected field=value.")
        values[field] = _literal(text)
    return values


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        # The last three: a list as a dictionary's key, and endlessly nested brackets.
        return text
