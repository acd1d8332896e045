"""Distillation methods by name, the lab's and a stranger's by the same door."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from e2kd_lab.methods.distiller import Distiller
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.registry import Registry

METHODS: Registry[type[Distiller]] = Registry("method", "register_method")
Kind = TypeVar("Kind", bound=type[Distiller])
# For methods that are registered without a colour; none of them is a colour of the lab's own methods.
_FREE_COLOURS = ("#7A5195", "#EF5675", "#2F4B7C", "#66A61E", "#A6761D", "#1B9E9E", "#E7298A", "#5B5B9E")


def register_method(
    name: str,
    *,
    title: str = "",
    colour: str = "",
    grid: Mapping[str, Sequence[float]] | None = None,
    order: int = 100,
    frozen_colour: str = "",
) -> Callable[[Kind], Kind]:
    """Make a class known as a distillation method: ``method="name"`` then works everywhere.

    Sliders, grids, hashes, columns of tables, labels and colours follow from what is said here and from the class's
    annotated fields, which are its hyper-parameters.

    Parameters
    ----------
    name : str
        What experiments and the command line call it.
    title : str
        What figures and tables call it; the class's name by default.
    colour : str
        Of its bars and curves, in any form that matplotlib knows.
    grid : mapping
        Values of hyper-parameters that a sweep tries in all combinations; the others keep their defaults.
    order : int
        Place among the methods in figures, from left to right.
    frozen_colour : str
        Of its runs from a frozen teacher.

    Raises
    ------
    ExperimentError
        If the name is taken, the class is no `Distiller`, or the grid names something else than a hyper-parameter.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> @lab.register_method("warm_kd_example", title="Warm KD", grid={"tau": [2.0, 4.0]})
    ... class WarmKD(lab.methods.Distiller):
    ...     tau: float = 4.0
    ...     def step(self, batch):
    ...         return lab.losses.kd_loss(self.student_logits(batch), self.teacher_logits(batch), self.tau)
    >>> lab.experiments.get("waterbirds").replace(method="warm_kd_example").hyperparameters
    {'tau': 4.0}
    """

    def register(kind: Kind) -> Kind:
        if not (isinstance(kind, type) and issubclass(kind, Distiller)):
            raise ExperimentError(f"Method '{name}' is {kind!r}; expected a class derived from lab.methods.Distiller.")
        fields = [field.name for field in dataclasses.fields(kind)]
        for field in grid or {}:
            if field not in fields:
                raise ExperimentError(
                    f"The grid of method '{name}' names '{shown(field)}'; expected one of its hyper-parameters: "
                    f"{', '.join(fields) or 'it has none'}."
                )
        kind.name, kind.title = name, title or kind.__name__
        kind.colour = colour or _FREE_COLOURS[len(METHODS) % len(_FREE_COLOURS)]
        kind.grid, kind.order, kind.frozen_colour = dict(grid or {}), order, frozen_colour
        METHODS.add(name, kind, origin=kind)
        return kind

    return register


def method_names() -> list[str]:
    """Names of all methods, in the order of figures: the lab's, then strangers'."""
    return sorted(METHODS, key=lambda name: METHODS[name].order)  # a stable sort


def build_method(
    name: str, student: ExplainableModel, teacher: ExplainableModel | None = None, **options: Any
) -> Distiller:
    """A registered method of these networks (see `Distiller`).

    Raises
    ------
    ExperimentError
        If there is no such method, or it does not take these options.
    """
    return METHODS[name](student, teacher, **options)


def defaults_of(method: str) -> dict[str, Any]:
    """A method's hyper-parameters and their defaults.

    Raises
    ------
    ExperimentError
        If there is no such method.
    """
    return {field.name: field.default for field in dataclasses.fields(METHODS[method])}


def has_hyperparameter(method: str, name: str) -> bool:
    """Whether a method has a hyper-parameter; of a method that nobody has registered here, any."""
    return method not in METHODS or name in defaults_of(method)


def grid_of(name: str) -> list[dict[str, float]]:
    """All combinations of a method's registered grid, each as hyper-parameters; one without any if it has no grid."""
    grid = METHODS[name].grid
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
