"""Layers of B-cos networks, and what the reference program's do with the same numbers."""

import numpy as np
import torch
from golden_weights import GOLDEN

from e2kd_lab.models.bcos_layers import (
    BatchNormUncentered2d,
    BcosConv2d,
    BcosLinear,
    LayerNorm2dNoBias,
    LayerNormNoBias,
)

NUMBERS = np.load(GOLDEN / "bcos_layers.npz")


CASES = {
    "conv_s2p1": lambda: BcosConv2d(3, 4, 3, 2, 1),
    "conv_s2p1_tiny": lambda: BcosConv2d(3, 4, 3, 2, 1),
    "conv_groups2": lambda: BcosConv2d(4, 4, 3, 1, 1, groups=2),
    "conv_maxout2": lambda: BcosConv2d(3, 4, 1, max_out=2),
    "conv_b1.5": lambda: BcosConv2d(3, 4, 3, 1, 1, b=1.5),
    "linear": lambda: BcosLinear(6, 5),
    "linear_tiny": lambda: BcosLinear(6, 5),
    "bnu_eval": lambda: BatchNormUncentered2d(3).eval(),
    "bnu_train": lambda: BatchNormUncentered2d(3),
    "layernorm": lambda: LayerNormNoBias(6),
    "gn_layernorm2d": lambda: LayerNorm2dNoBias(4),
}


def golden(name):
    return {key.split("/")[1]: torch.as_tensor(NUMBERS[key]) for key in NUMBERS.files if key.startswith(name + "/")}
