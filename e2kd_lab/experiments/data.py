"""What an experiment needs of its data; each data set has a class of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from torch.utils.data import Dataset

from e2kd_lab.data.splits import Split
from e2kd_lab.metrics import Grouping
from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.network_inputs import height_and_width
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_types

if TYPE_CHECKING:
    from e2kd_lab.experiments.experiment import Experiment

Scale = Literal["smoke", "lab", "paper", "own"]
# Those of the paper's experiments.
SCALES: tuple[Scale, ...] = ("smoke", "lab", "paper")
_LEAST_PIXELS, _MOST_PIXELS = 2, 4096


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
