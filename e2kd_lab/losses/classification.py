"""The label loss of B-cos networks."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.precision import at_least_float32


def uniform_off_label_bce(
    logits: Tensor, targets: Tensor, off_label: float | None = None, weight: Tensor | None = None
) -> Tensor:
    r"""Binary cross-entropy with targets of at least 1/K, the uniform distribution (B-cos v2, Sec. 4).

    .. math:: \mathcal{L} = \frac{1}{NK} \sum_{n,k} \mathrm{BCE}\big(\sigma(z_{nk}), \max(t_{nk}, 1/K)\big)

    With the logit bias -log(K - 1), a network without evidence predicts exactly the off label 1/K.

    Parameters
    ----------
    logits : Tensor
        (N, K).
    targets : Tensor
        Class indices (N,), or class probabilities (N, K), for instance after mixup.
    off_label : float, optional
        Smallest target; 1/K if None.
    weight : Tensor, optional
        Positive weight of each class, (K,): the mean over n is weighted by the class of image n, or by the mean of its
        classes' weights for probabilities. All K terms of an image get the same weight; weighting the positive term
        alone (``pos_weight``) would move the minimum away from the off label.

    Returns
    -------
    Tensor
        Scalar >= 0, in at least float32 also under autocast.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import torch
    >>> uniform_off_label_bce(torch.zeros(1, 4), torch.tensor([2]))  # log 2, whatever the targets
    tensor(0.6931)
    """
    if logits.ndim != 2 or targets.shape not in (logits.shape[:1], logits.shape):
        raise ValueError(
            f"uniform_off_label_bce needs logits (N, K) and targets (N,) or (N, K), "
            f"got {tuple(logits.shape)} and {tuple(targets.shape)}."
        )
    logits = at_least_float32(logits)
    classes = logits.shape[1]
    dense = F.one_hot(targets, classes) if targets.ndim == 1 else targets
    dense = dense.to(logits.dtype)
    clamped = dense.clamp(min=1 / classes if off_label is None else off_label)
    if weight is None:
        return F.binary_cross_entropy_with_logits(logits, clamped)
    each = F.binary_cross_entropy_with_logits(logits, clamped, reduction="none").mean(1)
    counts = dense @ weight.to(dense)  # (N,)
    return (counts * each).sum() / counts.sum()
