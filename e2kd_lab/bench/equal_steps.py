"""Check that two programs compute the same training step: losses and gradients in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from e2kd_lab.bench.pairs import Pair, in_double
from e2kd_lab.bench.timing import require_equal
from e2kd_lab.models import ExplainableModel

_CHECKED_IMAGES, _TOLERANCE = 4, 1e-7
# Maps a teacher, a student, images and labels to loss and gradients, see `loss_and_gradients`.
Step = Callable[[ExplainableModel, ExplainableModel, Tensor, Tensor], Mapping[str, Tensor]]


def require_equal_steps(
    what: str, pair: Pair, teacher: ExplainableModel, student: ExplainableModel, ours: Step, reference: Step
) -> None:
    """Raise unless two steps give the same loss and gradients on a few images.

    Parameters
    ----------
    what : str
        Name of the computation, for the error message.
    pair, teacher, student
        Source of images and labels, and the networks, which stay unchanged.
    ours, reference : callable
        The steps; each gets its own copies of the networks in float64, because steps update batch statistics.

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
