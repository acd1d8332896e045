"""Make ``import torchvision`` work where its compiled library cannot load.

torchvision ships its operators in a compiled library that is bound to one build of torch. Next to a torch of
another build (for instance a CPU build of torch beside the CUDA build of torchvision) that library does not load,
and ``import torchvision`` ends in ``operator torchvision::nms does not exist``, because torchvision registers
shape functions for two operators that nobody defined. Declaring these two is enough for transforms, models,
datasets and ``tv_tensors``; the compiled operators themselves (NMS, RoI pooling, ``torchvision.io``) stay
unavailable, and the lab uses none of them.

Import this module before the first import of torchvision, also by third-party packages. Where torchvision's library
loads, it does nothing.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")

# torch drops an operator as soon as the Library object that declared it is collected.
_declarations: torch.library.Library | None = None


def _compiled_library_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for library in (*Path(folder).glob("_C*.so"), *Path(folder).glob("_C*.pyd")):
            try:
                torch.ops.load_library(str(library))
            except (ImportError, OSError):
                continue
            return True
    return False


def declare_missing_operators() -> bool:
    """Declare torchvision's two missing operators if its compiled library cannot load.

    Returns
    -------
    bool
        Whether the operators are declared by this module.
    """
    global _declarations
    if _declarations is None and "torchvision" not in sys.modules and not _compiled_library_loads():
        _declarations = torch.library.Library("torchvision", "FRAGMENT")
        for operator in _OPERATORS:
            _declarations.define(operator + _SCHEMA)
    return _declarations is not None


declare_missing_operators()
