"""Teacher and student of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from e2kd_lab.models import explanation_by_name
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_types

Family = Literal["standard", "bcos"]
FAMILIES: tuple[Family, ...] = ("standard", "bcos")


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Teacher and student.

    Attributes
    ----------
    family : str
        ``standard`` networks, explained by GradCAM, or ``bcos`` networks, explained by W(x).
    teacher, student : str
        Registry names.
    num_classes : int
        Number of classes.
    teacher_weights : str or None
        Checkpoint file or torchvision weight enum of the teacher; None to train it here. With method ``teacher``,
        training starts from these weights.
    student_weights : str or None
        Weights that the student starts from; None for random ones.
    ordinary_weights : str or None
        Weights of the ordinary network that a teacher ``bcosified/NAME`` is converted from, before it is fine-tuned;
        None to train it here.

    Raises
    ------
    ExperimentError
        If a network, the family or the number of classes is not valid.

    Examples
    --------
    >>> Networks(teacher="resnet34", student="resnet18", num_classes=1000).family
    'standard'
    """

    family: Family = "standard"
    teacher: str
    student: str
    num_classes: int
    teacher_weights: str | None = None
    student_weights: str | None = None
    ordinary_weights: str | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if self.family not in FAMILIES:
            raise ExperimentError(f"There is no family '{shown(self.family)}'; expected one of {', '.join(FAMILIES)}.")
        if self.num_classes < 1:
            raise ExperimentError(f"'num_classes' is {self.num_classes}; expected at least 1.")
        for network in (self.teacher, self.student):
            explanation_by_name(network)  # refuses unknown networks

    def check_comparable(self) -> None:
        """Refuse two networks whose own explanations are known not to compare.

        Raises
        ------
        ExperimentError
            For instance for a standard teacher of a B-cos student.
        """
        explanations = {explanation_by_name(network) for network in (self.teacher, self.student)}
        if None not in explanations and len(explanations) > 1:
            raise ExperimentError(
                f"The explanations of '{self.teacher}' and '{self.student}' cannot be compared; expected two standard "
                "networks, two B-cos networks, or one explanation for both, such as explanation='gradcam'."
            )
