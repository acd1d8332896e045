"""Experiments on data of one's own: a folder, a table of pictures, or torch data sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.own_data import OwnData
from e2kd_lab.data.own_source import Source, read
from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import eval_transform, train_transform
from e2kd_lab.experiments.experiment import Experiment, Scale
from e2kd_lab.methods import grid_of, method_names
from e2kd_lab.metrics import Grouping
from e2kd_lab.models import ExplainableModel, explanation_by_name
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe

Size = int | tuple[int, int]

# The experiments that `own` has made in this process; the command line and `get` find them by name.
OWN: dict[str, OwnExperiment] = {}


@dataclass(frozen=True, kw_only=True)
class OwnExperiment(Experiment):
    """Distillation on data of one's own; `own` makes one.

    Attributes
    ----------
    data : OwnData
        What was read; a run's configuration has its fingerprint.
    class_weights : str, tuple of float or None
        How much an image of each class counts in the loss on labels: ``balanced``, a number for each class, or None.
    """

    scales: ClassVar[tuple[Scale, ...]] = ("own",)
    measures_classes: ClassVar[bool] = True

    scale: Scale = "own"
    data: OwnData = field(repr=False)
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_name(self.name)
        count = len(self.data.classes)
        if self.num_classes != count:
            raise ExperimentError(
                f"'num_classes' is {self.num_classes}, but the data have {count} classes "
                f"({shown(', '.join(self.data.classes))}); expected {count}, or nothing."
            )
        if isinstance(self.image_size, int) != isinstance(self.resize, int):
            raise ExperimentError(
                f"'image_size' is {self.image_size} and 'resize' is {self.resize}; expected two numbers, or height and "
                "width of both."
            )
        self._check_weights()

    def _check_weights(self) -> None:
        weights = self.class_weights
        if weights is None or weights == "balanced":
            return
        numbers = weights if isinstance(weights, tuple) else ()
        if len(numbers) != self.num_classes or not all(number > 0 for number in numbers):
            raise ExperimentError(
                f"'class_weights' is {shown(weights)}; expected balanced, or {self.num_classes} positive numbers, one "
                f"for each of {shown(', '.join(self.data.classes))}."
            )

    def prepare_student(self, model: ExplainableModel) -> None:
        """See `Experiment.prepare_student`: its loss on labels weighs the classes."""
        model.class_weights = self._weights()

    def _weights(self) -> Tensor | None:
        if self.class_weights is None:
            return None
        if self.class_weights == "balanced":
            rarity = 1 / torch.bincount(self.data.labels("train"), minlength=self.num_classes).double()
            return (rarity / rarity.mean()).float()
        return torch.tensor(self.class_weights, dtype=torch.float32)

    def config(self) -> dict[str, Any]:
        """See `Experiment.config`."""
        values = super().config()
        if self.class_weights is None:
            del values["class_weights"]
        return values

    def _grids(self) -> Mapping[str, list[dict[str, float]]]:
        return {name: grid_of(name) for name in method_names() if name != "teacher"}

    def dataset(self, split: Split) -> Dataset:
        """See `Experiment.dataset`; teachers learn from the same images as students."""
        fit = eval_transform(self.image_size, self.image_size)
        if split == "train":
            return self.data.split(split, train_transform(self.image_size, self.crop_scale), fit)
        return self.data.split(split, eval_transform(self.image_size, self.resize), fit)

    def classes(self) -> tuple[str, ...]:
        """See `Experiment.classes`."""
        return self.data.classes

    def grouping(self) -> Grouping | None:
        """See `Experiment.grouping`: the groups that the data come with."""
        return Grouping(self.data.groups) if self.data.groups else None

    def data_fingerprint(self) -> str:
        """See `Experiment.data_fingerprint`."""
        return self.data.fingerprint()


def own(
    name: str,
    *,
    data: Source,
    teacher: str,
    student: str,
    image_size: Size = 64,
    epochs: int = 30,
    batch_size: int = 64,
    num_classes: int | None = None,
    hold_out: float = 0.1,
    resize: Size | None = None,
    teacher_recipe: Recipe | None = None,
    teacher_epochs: int | None = None,
    class_weights: Literal["balanced"] | Sequence[float] | None = None,
    groups: str | Sequence[str] | None = None,
    version: str | None = None,
    **fields: Any,
) -> OwnExperiment:
    """An experiment on one's own pictures, for which everything works that works for the paper's.

    Parameters
    ----------
    name : str
        A name of its own: letters, digits and _; it begins the names of its runs, and tables tell it from others by it.
    data : str, Path, mapping or sequence of Dataset
        A folder of ``train/<class>``, ``val/<class>`` and ``test/<class>``, or of classes alone; a CSV file with the
        columns ``path``, ``label``, ``split`` and, for groups, ``group``, whose paths start from ``data_root``, by
        default its own folder; or three torch data sets. See `e2kd_lab.data.own_images.read_folder`,
        `e2kd_lab.data.own_table.read_table` and `e2kd_lab.data.own_datasets.read_datasets`.
    teacher, student : str
        Names of networks, as `e2kd_lab.build_model` takes them: two standard ones or two B-cos ones.
    image_size : int or tuple of int
        Side, or height and width, of the networks' input in pixels.
    epochs, batch_size : int
        Of the student, and of a teacher that is trained here.
    num_classes : int, optional
        To be checked; the data tell it.
    hold_out : float
        Share of each class's training pictures that is held out for validation, and for the test, where there are none.
    resize : int or tuple of int, optional
        What pictures are resized to before the centre crop of evaluation; ``image_size`` by default.
    teacher_recipe, teacher_epochs : Recipe, int, optional
        How a teacher is trained that has no ``teacher_weights``: by default as the student, from another seed.
    class_weights : str or sequence of float, optional
        ``balanced`` weighs each class in the loss on labels by one over its number of training images, the mean being
        1; or a positive number for each class. Methods that learn from the teacher alone have no such loss.
    groups : str or sequence of str, optional
        The column of a CSV file that has groups, or the names of the groups of torch data sets.
    version : str, optional
        What identifies the content of torch data sets; needed for those only.
    **fields
        Any other field of `Experiment`: ``teacher_weights``, ``crop_scale``, ``seed``, ``lr``, ``method``, ``lam``, ...

    Raises
    ------
    DataError
        If the data cannot be read or do not fit together.
    ExperimentError
        If a value is not valid.

    Examples
    --------
    A folder ``pets/`` with ``train/cat``, ``train/dog`` and so on; a tenth of it is held out for validation and another
    one for the test, if it has no more than that. The teacher is trained first, from the same recipe.

    >>> import e2kd_lab as lab
    >>> pets = lab.experiments.own(
    ...     "pets", data="pets/", teacher="resnet34", student="resnet_mini", image_size=128, class_weights="balanced"
    ... )  # doctest: +SKIP
    >>> run = lab.run(pets.replace(method="e2kd", lam=5.0))  # doctest: +SKIP
    >>> run.results().query("metric == 'balanced_accuracy'")  # doctest: +SKIP
    >>> lab.widgets.ExplanationBrowser(pets, [run])  # doctest: +SKIP
    """
    _check_name(name)
    _check_fields(fields)
    bcos = explanation_by_name(student) == "bcos"
    found = read(data, hold_out=hold_out, root=fields.get("data_root"), groups=groups, version=version)
    size = _plain(image_size)
    recipe = {**(BCOS_OPTIMISATION if bcos else {}), **fields}
    taught = {f.name: recipe[f.name] for f in dataclasses.fields(Recipe) if f.name in recipe} | {"seed": TEACHER_SEED}
    OWN[name] = OwnExperiment(
        name=name,
        family="bcos" if bcos else "standard",
        teacher=teacher,
        student=student,
        data=found,
        num_classes=len(found.classes) if num_classes is None else num_classes,
        image_size=size,
        resize=size if resize is None else _plain(resize),
        class_weights=class_weights if isinstance(class_weights, str | None) else tuple(class_weights),
        teacher_recipe=teacher_recipe or _recipe(teacher_epochs or epochs, batch_size, taught),
        **{**_schedule(epochs), **recipe, "epochs": epochs, "batch_size": batch_size},
    )
    return OWN[name]


def _check_name(name: str) -> None:
    from e2kd_lab.experiments import names  # here, because that module imports this one

    if not isinstance(name, str) or not name.isidentifier():
        raise ExperimentError(f"'name' is '{shown(name)}'; expected letters, digits and _, no digit first.")
    if name in names():
        raise ExperimentError(
            f"'{name}' is an experiment of the lab, whose runs would stand in one table with these; expected a name of "
            "your own."
        )


def _check_fields(fields: Mapping[str, Any]) -> None:
    known = [f.name for f in dataclasses.fields(OwnExperiment) if f.name not in ("scale", "family")]
    for name in fields:
        if name not in known:
            raise ExperimentError(f"An experiment has no field '{shown(name)}' to give; expected {', '.join(known)}.")


def _plain(size: Size) -> Size:
    """A square's side as a number, so that one experiment has one name."""
    if isinstance(size, list | tuple):
        size = tuple(size)  # type: ignore[assignment]
        if len(size) == 2 and size[0] == size[1]:
            return size[0]
    return size


def _schedule(epochs: int) -> dict[str, float]:
    """The paper's warm-up, a shorter one of short trainings."""
    return {"warmup_epochs": min(5.0, epochs / 10)} if isinstance(epochs, int) else {}


def _recipe(epochs: int, batch_size: int, others: Mapping[str, Any]) -> Recipe:
    return Recipe(**{**_schedule(epochs), **others, "epochs": epochs, "batch_size": batch_size})
