"""The inner gradient: that of the explained logits, which an explanation is made of."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.system.errors import ExperimentError

# A power of two: without underflow, dividing by it restores every bit. Gradients of one logit are below 1 where it
# begins, so that 2^12 leaves a factor of 16 to the largest number of half precision.
_HALF_PRECISION_SCALE = 2.0**12


def explained_logits(logits: Tensor, classes: Tensor | None) -> tuple[Tensor, Tensor]:
    """The sum of the explained logits over the batch, and the explained classes (N,), by default the predictions."""
    classes = logits.detach().argmax(dim=1) if classes is None else classes
    return logits.gather(1, classes[:, None]).sum(), classes


def inner_gradient(explained: Tensor, point: Tensor, *, create_graph: bool = False, keep: bool = False) -> Tensor:
    """Gradient of the explained logits with respect to images or features, safe in half precision.

    Small gradients underflow in float16: of a ResNet-50's W(x) a quarter is exactly zero. There the logit is scaled
    before the backward pass and its gradient divided afterwards, as loss scaling does.

    Parameters
    ----------
    explained : Tensor
        Sum of the explained logits over the batch, a scalar with its graph.
    point : Tensor
        A tensor in its graph, of any shape.
    create_graph : bool
        Keep a graph of the gradient, for a loss on it.
    keep : bool
        Keep the graph of the logits.

    Returns
    -------
    Tensor
        Of the shape of ``point``, in at least float32.

    Raises
    ------
    ExperimentError
        If the logits do not depend on ``point``.

    Examples
    --------
    >>> image = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> inner_gradient((image**2).sum(), image)
    tensor([2., 4.])
    """
    kind = explained.device.type
    is_half = explained.dtype == torch.float16 or (
        torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16
    )
    scale = _HALF_PRECISION_SCALE if is_half else 1.0
    with torch.autocast(kind, enabled=False):  # types follow from the forward pass
        (gradient,) = torch.autograd.grad(
            explained,
            point,
            torch.full_like(explained, scale),
            retain_graph=create_graph or keep,
            create_graph=create_graph,
            allow_unused=True,
        )
    if gradient is None:
        raise ExperimentError(
            "The explained logits do not depend on what they are explained by; expected a network and preprocessing "
            "of torch operations, from the images to the logits."
        )
    gradient = at_least_float32(gradient)
    return gradient / scale if is_half else gradient
