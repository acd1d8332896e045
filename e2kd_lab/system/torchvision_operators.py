"""Make ``import torchvision`` work where its compiled library cannot load.

torchvision ships its operators in a compiled library that is bound to one build of torch. Next to a torch of
another build (for instance a CPU build of torch beside the CUDA build of torchvision) that library does not load,
and ``import torchvision`` ends in ``operator torchvision::nms does not exist``, because torchvision registers
shape functions for two operators that nobody defined. Declaring these two is enough for transforms, models,
datasets and ``tv_tensors``; the compiled operators themselves (NMS, RoI pooling, ``torchvision.io``) stay
unavailable, and the lab uses none of them.

`declare_on_import` declares them just before anybody imports torchvision. Where torchvision's library loads, it does
nothing.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")

# torch drops an operator as soon as the Library object that declared it is collected.
_declarations: Any = None


class _BeforeTorchvision(MetaPathFinder):
    """An import hook that finds nothing: it declares missing operators when torchvision is asked for."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "torchvision" and self in sys.meta_path:
            sys.meta_path.remove(self)
            declare_missing_operators()


def declare_on_import() -> None:
    """Declare the missing operators when torchvision is imported, not before."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTorchvision())


def declare_missing_operators() -> bool:
    """Declare torchvision's two missing operators if its compiled library cannot load.

    Returns
    -------
    bool
        Whether the operators are declared by this module.
    """
    global _declarations
    if _declarations is None and "torchvision" not in sys.modules and not _compiled_library_loads():
        import torch

        _declarations = torch.library.Library("torchvision", "FRAGMENT")
        for operator in _OPERATORS:
            _declarations.define(operator + _SCHEMA)
    return _declarations is not None


def _compiled_library_loads() -> bool:
    import torch

    spec = importlib.util.find_spec("torchvision")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for library in (*Path(folder).glob("_C*.so"), *Path(folder).glob("_C*.pyd")):
            try:
                torch.ops.load_library(str(library))
            except (ImportError, OSError):
                continue
            return True
    return False
