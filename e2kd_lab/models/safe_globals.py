"""Harmless classes that checkpoints hold besides weights, read as inert stand-ins.

`torch.load` with ``weights_only=True`` knows tensors and plain values only. Training programs also store their options
(`argparse.Namespace`), paths, NumPy numbers and arrays, and times. NumPy's own functions for unpickling trust what the
file says about memory, so a file never reaches them: it gets stand-ins that check its numbers first.
"""

from __future__ import annotations

import argparse
import datetime
import math
import pickle
import re
from collections.abc import Callable
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

# Booleans, whole, real and complex numbers, bytes and text.
_PLAIN_TYPE = re.compile(r"[biufcSU]\d{1,6}")


class StoredType:
    """Stands for `numpy.dtype`: plain types and objects only.

    Parameters
    ----------
    code : str
        NumPy's code of the type without its byte order, for instance ``"f8"``.
    *_
        What NumPy adds for itself.
    """

    def __init__(self, code: object = "", *_: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        """The type itself.

        Raises
        ------
        pickle.UnpicklingError
            If it has fields, or is none of NumPy's.
        """
        if isinstance(self.code, str) and self.order in tuple("<>=|"):
            if self.code in ("O", "O8"):
                return np.dtype(object)
            if _PLAIN_TYPE.fullmatch(self.code):
                return np.dtype(self.order + self.code)
        raise pickle.UnpicklingError("a NumPy array of a type that is not plain")


class StoredArray(np.ndarray):
    """Stands for `numpy.ndarray`: accepts content only of the size that shape and type imply."""

    def __new__(cls, *_: object) -> StoredArray:
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state: tuple[Any, ...]) -> None:  # type: ignore[override]
        _, shape, stored, fortran, content = state
        dtype = _checked(stored)
        count = math.prod(shape)
        if dtype.hasobject:
            fits = isinstance(content, list) and len(content) == count
        else:
            fits = isinstance(content, bytes) and len(content) == count * dtype.itemsize
        if not fits or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise pickle.UnpicklingError("a NumPy array of another size than its shape says")
        super().__setstate__((1, shape, dtype, bool(fortran), content))  # type: ignore[arg-type]


def _checked(stored: object) -> np.dtype[Any]:
    if not isinstance(stored, StoredType):
        raise pickle.UnpicklingError("a NumPy value without a type")
    return stored.dtype()


def _scalar(stored: object, content: object = b"") -> Any:
    dtype = _checked(stored)
    if dtype.hasobject or not isinstance(content, bytes) or len(content) != dtype.itemsize:
        raise pickle.UnpicklingError("a NumPy number of another size than its type's")
    return np.ndarray((), dtype, content)[()]


def _array(*_: object) -> StoredArray:
    return StoredArray()


def _no_bytes(*_: object) -> bytes:
    return b""  # the only bytes that the format makes by a call


def _default_dict(*_: object) -> dict[Any, Any]:
    return {}


def _default(*_: object) -> None:
    """Stands for the factory of a `defaultdict`; it is never called."""


def _stand_ins() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    named: dict[str, Callable[..., Any]] = {
        "argparse.Namespace": argparse.Namespace,
        "builtins.bytes": _no_bytes,
        "collections.defaultdict": _default_dict,
        "numpy.dtype": StoredType,
        "numpy.ndarray": StoredArray,
    }
    named |= {f"builtins.{name}": _default for name in ("bool", "dict", "float", "int", "list", "str")}
    for core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
        named |= {f"{core}.multiarray.scalar": _scalar, f"{core}.multiarray._reconstruct": _array}
    for place in ("pathlib", "pathlib._local"):  # the latter in Python 3.13
        # Pure paths exist on every system, whichever one wrote the file.
        named |= {f"{place}.{name}": PurePath for name in ("Path", "PurePath")}
        named |= {f"{place}.{name}": PurePosixPath for name in ("PosixPath", "PurePosixPath")}
        named |= {f"{place}.{name}": PureWindowsPath for name in ("WindowsPath", "PureWindowsPath")}
    for moment in (datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone):
        named[f"datetime.{moment.__name__}"] = moment
    return [(stand_in, name) for name, stand_in in named.items()]


# For `torch.serialization.safe_globals`: the stand-in, and the global's name in files.
SAFE_GLOBALS = _stand_ins()
