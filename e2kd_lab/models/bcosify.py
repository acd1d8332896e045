r"""B-cosification: a trained ordinary network becomes a B-cos network (Arya et al., NeurIPS 2024).

The first three steps keep the function, the others do not, so that fine-tuning has to follow:

1. *six channels*: the input is [x, 1 - x], as of all B-cos networks. A first convolution with weights w on the
   normalised image (x - m) / s becomes one with weights [w (1 - m) / s, -w m / s]: x - m = x (1 - m) - (1 - x) m.
2. *uncentred normalisation*: no mean is subtracted; the bias b - mean / std * weight makes up for it in evaluation
   mode.
3. *classifier before pooling*: the linear layer is a 1x1 convolution, and its outputs are averaged.
4. *smooth strides*: kernels of stride 2 are averaged, so that W(x) shows no grid (not in the paper, see
   `e2kd_lab.models.smooth_strides`).
5. *average pooling* in place of max pooling.
6. *no biases*: of convolutions, linear layers and normalisations; all logits get the constant -log(K - 1).
7. *B-cos*: convolutions and linear layers are multiplied by :math:`(|w^\top x| / \lVert x\rVert)^{B-1}`, with
   weights as they are.

Activations and gates such as squeeze-and-excitation are dynamic scales (see `e2kd_lab.models.dynamic_functions`);
layers inside of gates stay as they are. Dropout in front of the classifier goes with step 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from e2kd_lab.models.bcosified import BcosifiedModel
from e2kd_lab.models.conversion import Conversion, name_of
from e2kd_lab.system.errors import ExperimentError, note, shown


@dataclass(frozen=True)
class Step:
    """One step of a conversion.

    Attributes
    ----------
    title : str
        For instance *six channels*.
    keeps_function : bool
        Whether the logits in evaluation mode are those of the step before.
    model : BcosifiedModel
        The network after this step, a copy of its own. Before the last step it is no B-cos network yet.
    """

    title: str
    keeps_function: bool
    model: BcosifiedModel


def bcosify(model: nn.Module, *, b: float = 2, smooth: bool = True) -> BcosifiedModel:
    """Turn a trained convolutional network into a B-cos network, which is explained by W(x), to be fine-tuned.

    Parameters
    ----------
    model : nn.Module
        A network of the lab, or of torch, torchvision or timm (see `e2kd_lab.adapt`, which says how its images are
        normalised). It is not changed.
    b : float
        The exponent B >= 1; with 1 no layer gets a B-cos factor.
    smooth : bool
        Average the kernels of strides; False converts as the paper does.

    Returns
    -------
    BcosifiedModel
        In the network's mode, precision and device. Its weights fit ``build_model("bcosified/NAME", K)``, where NAME is
        the network's name.

    Raises
    ------
    ExperimentError
        If a layer cannot be converted; it is named with its path.

    Warns
    -----
    LabNote
        If max pooling became average pooling.

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> teacher = lab.build_model("resnet_mini", num_classes=3).eval()
    >>> converted = lab.bcosify(teacher)
    >>> images = torch.rand(2, 3, 32, 32)
    >>> logits, classes, weights = lab.explain(converted, images)
    >>> explained = logits.gather(1, classes[:, None])[:, 0]
    >>> parts = (weights * converted.preprocess(images)).sum((1, 2, 3))
    >>> torch.allclose(parts + converted.logit_bias, explained, atol=1e-4)
    True
    """
    model = converted(model, b=b, smooth=smooth)
    if model.averages:
        note(f"Max pooling of {name_of(model.network)} became average pooling, as B-cos networks have it.")
    return model


def converted(model: nn.Module, *, b: float = 2, smooth: bool = True) -> BcosifiedModel:
    """`bcosify` without its note, for networks that are built again."""
    *_, last = bcosify_steps(model, b=b, smooth=smooth)
    return last.model


def bcosify_steps(model: nn.Module, *, b: float = 2, smooth: bool = True) -> Iterator[Step]:
    """The steps of `bcosify`, each with the network after it, to look at and to measure.

    Parameters
    ----------
    model, b, smooth
        See `bcosify`.

    Yields
    ------
    Step
        Steps that change nothing in this network are left out.

    Raises
    ------
    ExperimentError
        If a layer cannot be converted.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> for step in bcosify_steps(lab.build_model("resnet_mini", num_classes=3)):
    ...     print(step.title, step.keeps_function)
    six channels True
    uncentred normalisation True
    classifier before pooling True
    smooth strides False
    no biases False
    B = 2 False
    """
    if not isinstance(b, int | float) or not b >= 1:
        raise ExperimentError(f"'b' is {shown(b)}; expected the exponent B >= 1.")
    conversion = Conversion(model)
    for title, keeps_function, change in conversion.steps(b, smooth=smooth):
        change()
        if keeps_function:
            conversion.require_same_logits(title)
        elif conversion.is_done:
            conversion.require_dynamic_linear()
        yield Step(title, keeps_function, conversion.result())
