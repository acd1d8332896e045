"""What all losses on logits need: two tensors of one shape, and a temperature."""

from __future__ import annotations

from torch import Tensor


def require_logit_pair(loss: str, student_logits: Tensor, teacher_logits: Tensor, tau: float) -> None:
    """Refuse logits of different shapes and temperatures that are not positive.

    Raises
    ------
    ValueError
        One sentence that names the loss and what it got.
    """
    if student_logits.shape != teacher_logits.shape or student_logits.ndim != 2:
        raise ValueError(
            f"{loss} needs student and teacher logits of one shape (N, K), "
            f"got {tuple(student_logits.shape)} and {tuple(teacher_logits.shape)}."
        )
    if not tau > 0:
        raise ValueError(f"{loss} needs a temperature tau > 0, got {tau}.")
