"""Distillation methods, one file each: what a step computes, its hyper-parameters, grid, title and colour.

Examples
--------
>>> import e2kd_lab as lab
>>> lab.methods.METHODS["e2kd"].title
'e²KD'
"""

from e2kd_lab.methods.at import AttentionTransfer
from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.catkd import ClassAttentionTransfer
from e2kd_lab.methods.distiller import SYMBOLS, Distiller
from e2kd_lab.methods.e2kd import E2KD
from e2kd_lab.methods.guidance import Guidance
from e2kd_lab.methods.kd import KD
from e2kd_lab.methods.kd_labels import KDWithLabels
from e2kd_lab.methods.logit_distiller import LogitDistiller
from e2kd_lab.methods.registry import (
    METHODS,
    build_method,
    defaults_of,
    grid_of,
    has_hyperparameter,
    method_names,
    register_method,
)
from e2kd_lab.methods.reviewkd import ReviewKD
from e2kd_lab.methods.supervised import Baseline, Teacher
from e2kd_lab.system.registry import import_files

import_files(__name__, __path__)

__all__ = [
    "E2KD",
    "KD",
    "METHODS",
    "SYMBOLS",
    "AttentionTransfer",
    "Baseline",
    "Batch",
    "ClassAttentionTransfer",
    "Distiller",
    "Guidance",
    "KDWithLabels",
    "LogitDistiller",
    "ReviewKD",
    "Teacher",
    "build_method",
    "defaults_of",
    "grid_of",
    "has_hyperparameter",
    "method_names",
    "register_method",
]
