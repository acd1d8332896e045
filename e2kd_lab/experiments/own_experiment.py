"""Experiments on data of one's own: a folder, a table of pictures, or torch data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.own_data import OwnData
from e2kd_lab.data.own_source import Source, read
from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import eval_transform, train_transform
from e2kd_lab.experiments.data import Data, Scale
from e2kd_lab.experiments.distillation import Distillation
from e2kd_lab.experiments.experiment import Experiment
from e2kd_lab.experiments.networks import Networks
from e2kd_lab.metrics import Grouping
from e2kd_lab.models import ExplainableModel, explanation_by_name
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, TEACHER_SEED, Recipe

Size = int | tuple[int, int]

# The experiments that `own` has made in this process; the command line and `get` find them by name.
OWN: dict[str, Experiment] = {}


@dataclass(frozen=True, kw_only=True)
class OwnPictures(Data):
    """Data of one's own.

    Attributes
    ----------
    pictures : OwnData
        What was read; a run's configuration has its fingerprint.
    class_weights : str, tuple of float or None
        Weight of each class in the loss on labels: ``balanced``, a number for each class, or None.
    """

    scales: ClassVar[tuple[Scale, ...]] = ("own",)
    measures_classes: ClassVar[bool] = True

    scale: Scale = "own"
    pictures: OwnData = field(repr=False)
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.image_size, int) != isinstance(self.resize, int):
            raise ExperimentError(
                f"'image_size' is {self.image_size} and 'resize' is {self.resize}; expected two numbers, or height and "
                "width of both."
            )
        weights, classes = self.class_weights, self.classes()
        if weights is None or weights == "balanced":
            return
        numbers = weights if isinstance(weights, tuple) else ()
        if len(numbers) != len(classes) or not all(number > 0 for number in numbers):
            raise ExperimentError(
                f"'class_weights' is {shown(weights)}; expected balanced, or {len(classes)} positive numbers, one for "
                f"each of {shown(', '.join(classes))}."
            )

    def check(self, experiment: Experiment) -> None:
        """See `Data.check`: refuses names of the lab's experiments and another number of classes."""
        _check_name(experiment.name)
        count = len(self.classes())
        if experiment.num_classes != count:
            raise ExperimentError(
                f"'num_classes' is {experiment.num_classes}, but the data have {count} classes "
                f"({shown(', '.join(self.classes()))}); expected {count}, or nothing."
            )

    def prepare_student(self, model: ExplainableModel) -> None:
        """See `Data.prepare_student`: the loss on labels weighs the classes."""
        model.class_weights = self._weights()

    def _weights(self) -> Tensor | None:
        if self.class_weights is None:
            return None
        if self.class_weights == "balanced":
            rarity = 1 / torch.bincount(self.pictures.labels("train"), minlength=len(self.classes())).double()
            return (rarity / rarity.mean()).float()
        return torch.tensor(self.class_weights, dtype=torch.float32)

    def config(self) -> dict[str, Any]:
        """See `Data.config`."""
        return super().config() | ({} if self.class_weights is None else {"class_weights": self.class_weights})

    def dataset(self, split: Split, experiment: Experiment) -> Dataset:
        """See `Data.dataset`; teachers learn from the same images as students."""
        fit = eval_transform(self.image_size, self.image_size)
        if split == "train":
            return self.pictures.split(split, train_transform(self.image_size, self.crop_scale), fit)
        return self.pictures.split(split, eval_transform(self.image_size, self.resize), fit)

    def classes(self) -> tuple[str, ...]:
        """See `Data.classes`."""
        return self.pictures.classes

    def grouping(self) -> Grouping | None:
        """See `Data.grouping`: the groups that the data come with."""
        return Grouping(self.pictures.groups) if self.pictures.groups else None

    def fingerprint(self, experiment: Experiment) -> str:
        """See `Data.fingerprint`."""
        return self.pictures.fingerprint()


def own(
    name: str,
    *,
    data: Source,
    teacher: str,
    student: str,
    image_size: Size = 64,
    resize: Size | None = None,
    hold_out: float = 0.1,
    groups: str | Sequence[str] | None = None,
    version: str | None = None,
    class_weights: Literal["balanced"] | Sequence[float] | None = None,
    teacher_epochs: int | None = None,
    **fields: Any,
) -> Experiment:
    """An experiment on one's own pictures; whatever works for the paper's experiments works for it.

    Parameters
    ----------
    name : str
        Name of the experiment, its runs and its rows in tables: letters, digits and _; none of the lab's.
    data : str, Path, mapping or sequence of Dataset
        A folder of ``train/<class>``, ``val/<class>`` and ``test/<class>``, or of classes alone; a CSV file with the
        columns ``path``, ``label``, ``split`` and, for groups, ``group``, whose paths start from ``data_root``, by
        default its own folder; or three torch data sets. See `e2kd_lab.data.own_images.read_folder`,
        `e2kd_lab.data.own_table.read_table` and `e2kd_lab.data.own_datasets.read_datasets`.
    teacher, student : str
        Names of networks, as `e2kd_lab.build_model` takes them: two standard ones or two B-cos ones.
    image_size : int or tuple of int
        Side, or height and width, of the networks' input in pixels.
    resize : int or tuple of int, optional
        Size of pictures before the centre crop of evaluation; ``image_size`` by default.
    hold_out : float
        Share of each class's training pictures that is held out for validation, and for the test, where there are none.
    groups : str or sequence of str, optional
        The column of a CSV file that has groups, or the names of the groups of torch data sets.
    version : str, optional
        Identifies the content of torch data sets; needed for those only.
    class_weights : str or sequence of float, optional
        ``balanced`` weighs each class in the loss on labels by one over its number of training images, the mean being
        1; or a positive number for each class. Methods that learn from the teacher alone have no such loss.
    teacher_epochs : int, optional
        Epochs of a teacher that has no ``teacher_weights``; it is trained as the student, from another seed. A
        ``teacher_recipe`` says all of it.
    **fields
        Any other field of `Experiment` and its parts: ``display_name`` (what titles and figures show instead of the
        name), ``epochs`` (30 by default), ``batch_size`` (64), ``lr``,
        ``teacher_weights``, ``crop_scale``, ``seed``, ``method``, ``lam``, ...; ``num_classes`` is only checked.

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
    if given := {"scale", "family"} & fields.keys():
        raise ExperimentError(
            f"An experiment of one's own has no field '{min(given)}' to give; its data and networks say it."
        )
    bcos = explanation_by_name(student) == "bcos"
    pictures = read(data, hold_out=hold_out, root=fields.get("data_root"), groups=groups, version=version)
    size = _plain(image_size)
    recipe = Recipe(epochs=30, batch_size=64, **(BCOS_OPTIMISATION if bcos else {}))
    experiment = Experiment(
        name=name,
        recipe=recipe,
        data=OwnPictures(
            pictures=pictures,
            image_size=size,
            resize=size if resize is None else _plain(resize),
            class_weights=class_weights if isinstance(class_weights, str | None) else tuple(class_weights),
        ),
        networks=Networks(
            family="bcos" if bcos else "standard", teacher=teacher, student=student, num_classes=len(pictures.classes)
        ),
        distillation=Distillation(explanation=fields.get("explanation")),
    ).replace(**fields)
    experiment = experiment.replace(**_warmup(experiment.epochs, fields))
    if experiment.teacher_recipe is None:
        epochs = experiment.epochs if teacher_epochs is None else teacher_epochs
        taught = replace(experiment.recipe, epochs=epochs, seed=TEACHER_SEED, **_warmup(epochs, fields))
        experiment = experiment.replace(teacher_recipe=taught)
    OWN[name] = experiment
    return experiment


def _check_name(name: str) -> None:
    from e2kd_lab.experiments import names  # here, because that module imports this one

    if not isinstance(name, str) or not name.isidentifier():
        raise ExperimentError(f"'name' is '{shown(name)}'; expected letters, digits and _, no digit first.")
    if name in names():
        raise ExperimentError(
            f"'{name}' is an experiment of the lab, and tables would mix its runs with these; expected another name."
        )


def _plain(size: Size) -> Size:
    """A square's side as one number, so that equal sizes have equal hashes."""
    if isinstance(size, list | tuple):
        size = tuple(size)  # type: ignore[assignment]
        if len(size) == 2 and size[0] == size[1]:
            return size[0]
    return size


def _warmup(epochs: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's warm-up, a shorter one of short trainings, unless one is given."""
    return {} if "warmup_epochs" in fields or not isinstance(epochs, int) else {"warmup_epochs": min(5.0, epochs / 10)}
