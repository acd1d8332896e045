"""Distillation methods by name: the lab's own and those that others register."""

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
# Default colours, different from those of the lab's own methods.
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
    """Register a class as a distillation method: ``method="name"`` then works everywhere.

    Sliders, grids, hashes, table columns, labels and colours follow from these arguments and from the class's annotated
    fields, which are its hyper-parameters.

    Parameters
    ----------
    name : str
        Its name in experiments and on the command line.
    title : str
        Its title in figures and tables; the class's name by default.
    colour : str
        Colour of its bars and curves, as matplotlib takes it.
    grid : mapping
        Values of hyper-parameters for sweeps, which run all combinations; the others keep their defaults.
    order : int
        Place among the methods in figures, from left to right.
    frozen_colour : str
        Colour of its runs with a frozen teacher.

    Raises
    ------
    ExperimentError
        If another plug-in has the name, the class is not a `Distiller`, or a name in the grid is not a hyper-parameter.

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
    """Names of all registered methods, in the order of figures.

    Examples
    --------
    >>> method_names()[:4]
    ['teacher', 'at', 'reviewkd', 'catkd']
    """
    return sorted(METHODS, key=lambda name: METHODS[name].order)  # a stable sort


def build_method(
    name: str, student: ExplainableModel, teacher: ExplainableModel | None = None, **options: Any
) -> Distiller:
    """Build a registered method from its networks.

    Parameters
    ----------
    name : str
        One of `method_names`.
    student, teacher : ExplainableModel
        As for `Distiller`.
    **options
        Hyper-parameters and other arguments of the method's class.

    Raises
    ------
    ExperimentError
        If there is no such method, or it does not take these options.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> student, teacher = (lab.build_model("resnet_mini", num_classes=3) for _ in range(2))
    >>> build_method("kd", student, teacher, tau=5.0).tau
    5.0
    """
    return METHODS[name](student, teacher, **options)


def defaults_of(method: str) -> dict[str, Any]:
    """A method's hyper-parameters and their defaults.

    Raises
    ------
    ExperimentError
        If there is no such method.

    Examples
    --------
    >>> defaults_of("kd")
    {'tau': 1.0}
    """
    return {field.name: field.default for field in dataclasses.fields(METHODS[method])}


def has_hyperparameter(method: str, name: str) -> bool:
    """Whether a method has a hyper-parameter; True for unregistered methods, such as those of old runs.

    Examples
    --------
    >>> has_hyperparameter("e2kd", "lam"), has_hyperparameter("kd", "lam")
    (True, False)
    """
    return method not in METHODS or name in defaults_of(method)


def grid_of(name: str) -> list[dict[str, float]]:
    """All combinations of a method's grid, as hyper-parameters; a single empty one if it has no grid.

    Examples
    --------
    >>> grid_of("kd")
    [{'tau': 1.0}, {'tau': 5.0}]
    """
    grid = METHODS[name].grid
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
