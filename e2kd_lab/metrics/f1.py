"""F1 of multi-label classifiers."""

from __future__ import annotations

from torch import Tensor


def multilabel_f1(logits: Tensor, labels: Tensor) -> float:
    r"""Micro F1 over all images and classes; a class is predicted where its logit is >= 0.

    .. math:: F_1 = \frac{2\,TP}{2\,TP + FP + FN}

    Written by hand because torchmetrics is only a test dependency; the tests compare the two.

    Parameters
    ----------
    logits : Tensor
        (N, K).
    labels : Tensor
        Classes that an image shows, (N, K); bool, or numbers other than zero for those.

    Returns
    -------
    float
        In [0, 1]; 0 if there are neither labels nor predictions.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import torch
    >>> multilabel_f1(torch.tensor([[1.0, -1.0], [1.0, 1.0]]), torch.tensor([[1, 0], [0, 1]]))
    0.8
    """
    if logits.shape != labels.shape or logits.ndim != 2:
        raise ValueError(
            f"multilabel_f1 needs logits and labels of one shape (N, K), "
            f"got {tuple(logits.shape)} and {tuple(labels.shape)}."
        )
    predicted, shown = logits >= 0, labels != 0
    hits = (predicted & shown).sum().item()
    claims = (predicted.sum() + shown.sum()).item()  # 2 TP + FP + FN
    return 2 * hits / claims if claims else 0.0
