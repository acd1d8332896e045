"""What an experiment needs of its data; each data set has a class of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeGuard

from torch.utils.data import Dataset
from torchvision.transforms import v2

from e2kd_lab.data.scenes import Photograph, Scene
from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import eval_transform
from e2kd_lab.metrics import Grouping
from e2kd_lab.minidata.making import SetSpec
from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.network_inputs import height_and_width
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_types
from e2kd_lab.system.workspace import data_folder

if TYPE_CHECKING:
    from e2kd_lab.experiments.experiment import Experiment

Scale = Literal["smoke", "lab", "paper", "own"]
# Those of the paper's experiments.
SCALES: tuple[Scale, ...] = ("smoke", "lab", "paper")
_LEAST_PIXELS, _MOST_PIXELS = 2, 4096
# Side of a square with as many pixels as most pictures of ImageNet, which have 500 x 375.
PHOTOGRAPH_SIDE = 433


@dataclass(frozen=True, kw_only=True)
class Data:
    """Images of an experiment: where they lie, their sizes, and how they are split, labelled and grouped.

    Attributes
    ----------
    scale : str
        ``lab`` (embedded data, small networks, minutes on a CPU), ``paper``, or ``smoke`` (tries the code in seconds);
        ``own`` for one's own data.
    data_root : str or None
        Folder of the data; None for the scale's default.
    image_size, resize : int, or tuple of int
        Side of the network's input, and of the image's smaller side before the centre crop of evaluation, in pixels;
        for one's own images also height and width.
    crop_scale : tuple of float
        Smallest and largest share of the image that a random training crop covers, in (0, 1].

    Raises
    ------
    ExperimentError
        If a value is not valid.

    Examples
    --------
    >>> from e2kd_lab.experiments.waterbirds import WaterbirdsData
    >>> WaterbirdsData(scale="paper", image_size=224, resize=256, data_root="waterbirds/").classes()
    ('landbird', 'waterbird')
    """

    scales: ClassVar[tuple[Scale, ...]] = SCALES
    multilabel: ClassVar[bool] = False  # whether an image may show several classes
    measures_classes: ClassVar[bool] = False  # whether evaluation reports the accuracy on each class
    # Raised when a change of the code changes results, so that old runs are not taken for new ones.
    results_version: ClassVar[int] = 1

    scale: Scale
    data_root: str | None = None
    image_size: int | tuple[int, int]
    resize: int | tuple[int, int]
    crop_scale: tuple[float, float] = (0.08, 1.0)

    def __post_init__(self) -> None:
        check_types(self)
        if self.scale not in self.scales:
            raise ExperimentError(f"There is no scale '{shown(self.scale)}'; expected one of {', '.join(self.scales)}.")
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ExperimentError(f"'crop_scale' is {self.crop_scale}; expected (smallest, largest) within (0, 1].")
        sides = zip(height_and_width(self.image_size), height_and_width(self.resize), strict=True)
        if not all(_LEAST_PIXELS <= size <= resize <= _MOST_PIXELS for size, resize in sides):
            raise ExperimentError(
                f"'image_size' is {self.image_size} and 'resize' is {self.resize}; expected "
                f"{_LEAST_PIXELS} <= image_size <= resize <= {_MOST_PIXELS}."
            )

    def dataset(self, split: Split, experiment: Experiment) -> Dataset:
        """The images of a split, with the transform of training (for ``train``) or evaluation."""
        raise NotImplementedError

    def dataset_with_objects(self, split: Split) -> Dataset | None:
        """The images of a split as in evaluation, with the places of their objects; None where these are not known."""
        return None

    def with_size(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Changes of fields, and those that a new ``image_size`` alone brings about.

        Embedded pictures are drawn in proportion, and so is ``resize``; for other data only where it would be too
        small.

        Raises
        ------
        ExperimentError
            If embedded pictures cannot be drawn in that size.
        """
        wanted = changes.get("image_size")
        if "resize" in changes or not _is_size(wanted):
            return changes
        (new, _), (old, _) = height_and_width(wanted), height_and_width(self.image_size)
        drawn = {field.name: getattr(self, field.name) for field in fields(self)}
        drawn = {name: spec for name, spec in drawn.items() if isinstance(spec, SetSpec)}
        if changes.get("data_root", self.data_root) is not None or not isinstance(wanted, int):
            drawn = {}
        sides = zip(height_and_width(self.resize), height_and_width(wanted), strict=True)
        if drawn or any(resize < size for resize, size in sides):
            resize = [round(side * new / old) for side in height_and_width(self.resize)]
            changes = changes | {"resize": resize[0] if isinstance(self.resize, int) else tuple(resize)}
        try:
            larger = {name: replace(spec, size=round(spec.size * new / old)) for name, spec in drawn.items()}
        except ValueError as error:
            raise ExperimentError(f"'image_size' is {new}: {error}") from None
        return {**larger, **changes}

    def embedded_folder(self, name: str, spec: SetSpec) -> Path:
        """Where an embedded set lies; one of another scale, or of another size than the scale's, has its own folder."""
        usual = type(spec).size // (1 if self.scale == "lab" else 2)
        scale = "" if self.scale == "lab" else f"-{self.scale}"
        size = "" if spec.size == usual else f"-{spec.size}px"
        return data_folder() / f"{name}{scale}{size}"

    def evaluation_transform(self) -> v2.Transform:
        """Resizes and crops an image as evaluation does."""
        return eval_transform(self.image_size, self.resize)

    def scene(self, split: Split, index: int, experiment: Experiment) -> Scene:
        """An image of a split as the network sees it, and what can be changed in it.

        Parameters
        ----------
        split : str
            ``val`` or ``test``.
        index : int
            Number of the image.
        experiment : Experiment
            The experiment.
        """
        with_objects = self.dataset_with_objects(split)
        sample: Any = (self.dataset(split, experiment) if with_objects is None else with_objects)[index]
        return Photograph(sample["image"], sample.get("mask"))

    def published_counts(self) -> Mapping[Split, int]:
        """Images of each split, where the data are a published set that need not be here; empty for other data."""
        return {}

    def stand_in(self) -> Self:
        """The same data with a few drawn pictures, as large as photographs, where the published set is not here.

        They are read, cropped and batched as that set would be, so that costs can be measured; nothing is learned.
        """
        return self

    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        raise NotImplementedError

    def grouping(self) -> Grouping | None:
        """Meaning of the images' ``group``; None where images have none."""
        return None

    def fingerprint(self, experiment: Experiment) -> str:
        """Identifies the content of the data that the experiment uses."""
        raise NotImplementedError

    def training_files(self) -> list[str] | None:
        """Paths of the training images, relative to their set, where they are a choice; None where all are used."""
        return None

    def config(self) -> dict[str, Any]:
        """What changes the result, besides the images' content."""
        return {name: getattr(self, name) for name in ("scale", "image_size", "resize", "crop_scale")}

    def check(self, experiment: Experiment) -> None:
        """Refuse an experiment that these data do not fit.

        Raises
        ------
        ExperimentError
            For instance if the method needs labels that the images do not have.
        """

    def changes_for(self, method: str) -> dict[str, Any]:
        """Changes that let a method learn from the data; none by default."""
        return {}

    def for_teacher(self) -> Self:
        """The data that the teacher learns from."""
        return self

    @property
    def teacher_name(self) -> str | None:
        """Name of experiments that train a teacher, where several experiments share it."""
        return None

    @property
    def teacher_title(self) -> str | None:
        """Title of these experiments."""
        return None

    def prepare_student(self, model: ExplainableModel) -> None:
        """Set up the network that is trained, just after it was built; nothing by default."""


def _is_size(value: Any) -> TypeGuard[int | tuple[int, int]]:
    """Whether a value can be a side, or height and width, in pixels."""
    sides = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(type(side) is int and side > 0 for side in sides)
