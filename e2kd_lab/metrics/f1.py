"""Accuracy of multi-label classifiers."""

from __future__ import annotations

from torch import Tensor


def multilabel_f1(logits: Tensor, labels: Tensor) -> float:
    r"""Micro F1: a class is predicted where its logit is not negative, counts are over all images and classes.

    .. math:: F_1 = \frac{2\,TP}{2\,TP + FP + FN}

    Parameters
    ----------
    logits : Tensor
        (N, K).
    labels : Tensor
        Which classes an image shows, (N, K); bool, or numbers that are not zero for those.

    Returns
    -------
    float
        In [0, 1]; 0 if nothing is shown and nothing predicted.

    Raises
    ------
    ValueError
        If the shapes differ.
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
