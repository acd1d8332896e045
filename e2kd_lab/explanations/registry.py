"""Explanations by name: the lab's own and those that others register."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from e2kd_lab.explanations.explanation_method import ExplanationMethod
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.system.registry import Registry

EXPLANATIONS: Registry[ExplanationMethod] = Registry("explanation", "register_explanation")
Kind = TypeVar("Kind", bound=type[ExplanationMethod])


def register_explanation(name: str, *, title: str = "") -> Callable[[Kind], Kind]:
    """Register a class as an explanation: ``explanation="name"`` then works everywhere.

    Parameters
    ----------
    name : str
        Its name in experiments, in `e2kd_lab.explain` and on the command line.
    title : str
        Its title in figures and panels; by default the class's ``title``, or its name.

    Raises
    ------
    ExperimentError
        If the name is taken, or the class is not derived from `ExplanationMethod`.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> @lab.register_explanation("hirescam_example")
    ... class HiResCAM(lab.explanations.FeatureMapExplanation):
    ...     is_signed = True
    ...     def weigh(self, features, gradients):
    ...         return (gradients * features).sum(1, keepdim=True)
    """

    def register(kind: Kind) -> Kind:
        if not (isinstance(kind, type) and issubclass(kind, ExplanationMethod)):
            raise ExperimentError(
                f"Explanation '{name}' is {kind!r}; expected a class derived from lab.explanations.ExplanationMethod, "
                "such as lab.explanations.FeatureMapExplanation."
            )
        kind.name, kind.title = name, title or vars(kind).get("title") or kind.__name__
        EXPLANATIONS.add(name, kind(), origin=kind)
        return kind

    return register


def explanation_method(chosen: ExplanationMethod | str) -> ExplanationMethod:
    """A registered explanation by its name; an explanation itself is returned unchanged.

    Raises
    ------
    ExperimentError
        If no explanation has this name.
    """
    return chosen if isinstance(chosen, ExplanationMethod) else EXPLANATIONS[chosen]


def explanation_of(model: ExplainableModel, chosen: ExplanationMethod | str | None = None) -> ExplanationMethod:
    """The chosen explanation, by default the network's own, after checking that it supports the network.

    Raises
    ------
    ExperimentError
        If no explanation has this name, or it does not support the network.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> explanation_of(lab.build_model("bcos_resnet_mini", num_classes=2)).title
    'W(x)'
    """
    method = explanation_method(model.explanation if chosen is None else chosen)
    method.check(model)
    return method


def require_comparable(student: ExplainableModel, teacher: ExplainableModel) -> None:
    """Refuse two networks with different kinds of explanations, whose cosine has no meaning.

    Raises
    ------
    ExperimentError
        If their explanations or numbers of channels differ.
    """
    own, other = explanation_of(student), explanation_of(teacher)
    if own.name != other.name or own.channels != other.channels:
        raise ExperimentError(
            f"The student {type(student).__name__} is explained by {own.title}, the teacher "
            f"{type(teacher).__name__} by {other.title}, and these maps cannot be compared; expected one "
            'explanation for both, for instance explanation="gradcam", or two networks of one family.'
        )
