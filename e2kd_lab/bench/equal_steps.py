"""That two programs make the same training step: their losses and gradients in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from e2kd_lab.bench.pairs import Pair, in_double
from e2kd_lab.bench.timing import require_equal
from e2kd_lab.models import ExplainableModel

_CHECKED_IMAGES, _TOLERANCE = 4, 1e-7
# Loss and gradients (see `loss_and_gradients`) from a teacher, a student, images and labels.
Step = Callable[[ExplainableModel, ExplainableModel, Tensor, Tensor], Mapping[str, Tensor]]


def require_equal_steps(
    what: str, pair: Pair, teacher: ExplainableModel, student: ExplainableModel, ours: Step, reference: Step
) -> None:
    """Raise unless two steps on some of the pair's images give the same loss and gradients.

    Parameters
    ----------
    what : str
        What is computed, for the message.
    pair, teacher, student
        Where images and labels come from, and the networks, which are not changed.
    ours, reference : callable
        The steps; each gets copies of the networks in float64, because batch statistics move with every step.

    Raises
    ------
    BenchError
        If they differ.
    """
    device = next(student.parameters()).device
    images, labels = (batch[:_CHECKED_IMAGES] for batch in pair.images_and_labels(device))
    found = []
    for step in (ours, reference):
        own_teacher, own_student = in_double(teacher, student)
        found.append(step(own_teacher, own_student, images.double(), labels))
    require_equal(what, found[0], found[1], _TOLERANCE)
