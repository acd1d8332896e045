"""What an experiment is: every number that changes its result, and nothing that does not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from torch.utils.data import Dataset

from e2kd_lab.data.waterbirds import Split
from e2kd_lab.errors import ExperimentError, shown
from e2kd_lab.metrics import Grouping
from e2kd_lab.models import MOST_CLASSES, ExplainableModel, explanation_by_name
from e2kd_lab.models.checkpoints import weights_fingerprint
from e2kd_lab.models.probing import pair
from e2kd_lab.training.guidance import Guidance, GuidanceName
from e2kd_lab.training.method import METHODS, Method, MethodName, check_share, uses_lam, uses_tau
from e2kd_lab.training.recipe import Recipe

Scale = Literal["smoke", "lab", "paper", "own"]
# Those of the paper's experiments.
SCALES: tuple[Scale, ...] = ("smoke", "lab", "paper")
Family = Literal["standard", "bcos"]
FAMILIES: tuple[Family, ...] = ("standard", "bcos")

_LEAST_PIXELS, _MOST_PIXELS = 2, 4096

# Where things lie on this machine; the configuration has fingerprints of their contents instead.
_LOCATIONS = ("data", "data_root", "teacher_data_root", "image_root", "teacher_weights", "student_weights")


@dataclass(frozen=True, kw_only=True)
class Experiment(Recipe):
    """One row of a figure or table of the paper: data, teacher, student, method and recipe.

    Attributes
    ----------
    name : str
        The experiment, for instance ``waterbirds``.
    scale : str
        ``lab`` (embedded data, small networks, minutes on a CPU), ``paper``, or ``smoke`` (tries the code in seconds);
        ``own`` where the data are one's own.
    family : str
        ``standard`` networks with GradCAM, or ``bcos`` networks with W(x).
    setting : str
        The experiment's variant, for instance a column of Fig. 3.
    method : str
        ``teacher``, ``baseline``, ``kd``, ``e2kd``, or a prior one (see `e2kd_lab.training.Method`).
    lam, tau : float
        Weight of the explanation (Eq. 2) or feature loss, and temperature (Eq. 1).
    teacher, student : str
        Registry names of the networks.
    num_classes : int
        Number of classes.
    teacher_weights : str or None
        Checkpoint file or torchvision weight enum of the teacher; None to train it here by ``teacher_recipe``. With
        method ``teacher`` these are the weights that training starts from.
    student_weights : str or None
        Weights that the student starts from; None for random ones.
    teacher_recipe : Recipe or None
        How the teacher is trained where no weights are given.
    data_root, teacher_data_root : str or None
        Where the data lie; None for the scale's default.
    image_size, resize : int, or tuple of int
        Side of the network's input, and of the image's smaller side before the centre crop of evaluation, in pixels;
        of images of one's own also height and width.
    crop_scale : tuple of float
        Smallest and largest share of the image that a random training crop covers.
    select : str
        The checkpoint that is evaluated: ``last`` or ``best`` (by validation accuracy or F1).
    guidance : str or None
        Of the teacher that is trained here: ``energy`` or ``l1`` (see `e2kd_lab.training.Guidance`), or None.
    guidance_weight : float
        Weight of the guidance beside the label loss.
    explain_every, explain_part : int, float
        Steps between two explanation losses of e2KD, and the share of a batch that they look at (see
        `e2kd_lab.training.Method`).
    """

    # Raised when a change of the code changes results, so that old runs are not taken for new ones.
    results_version = 1  # not annotated: one for all, no field
    scales: ClassVar[tuple[Scale, ...]] = SCALES
    measures_classes: ClassVar[bool] = False  # whether evaluation tells the accuracy on each class, too

    name: str
    scale: Scale
    family: Family = "standard"
    setting: str = "base"
    method: MethodName = "baseline"
    lam: float = 0.0
    tau: float = 1.0
    teacher: str
    student: str
    num_classes: int
    teacher_weights: str | None = None
    student_weights: str | None = None
    teacher_recipe: Recipe | None = None
    data_root: str | None = None
    teacher_data_root: str | None = None
    image_size: int | tuple[int, int]
    resize: int | tuple[int, int]
    crop_scale: tuple[float, float] = (0.08, 1.0)
    select: Literal["last", "best"] = "last"
    guidance: GuidanceName | None = None
    guidance_weight: float = 1.0
    explain_every: int = 1
    explain_part: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        # Folders of runs begin with the name.
        if not self.name.replace("-", "").isidentifier():
            raise ExperimentError(f"'name' is '{shown(self.name)}'; expected letters, digits, _ and -.")
        for field, known in (("scale", self.scales), ("family", FAMILIES)):
            if getattr(self, field) not in known:
                value = shown(getattr(self, field))
                raise ExperimentError(f"There is no {field} '{value}'; expected one of {', '.join(known)}.")
        if not 1 <= self.num_classes <= MOST_CLASSES:
            raise ExperimentError(f"'num_classes' is {self.num_classes}; expected 1 to {MOST_CLASSES}.")
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ExperimentError(f"'crop_scale' is {self.crop_scale}; expected (smallest, largest) within (0, 1].")
        if self.method not in METHODS:
            raise ExperimentError(f"There is no method '{self.method}'; expected one of {', '.join(METHODS)}.")
        first, second = (explanation_by_name(network) == "bcos" for network in (self.teacher, self.student))
        if self.method != "teacher" and first != second:
            raise ExperimentError(
                f"The explanations of '{self.teacher}' and '{self.student}' cannot be compared; expected two standard "
                "networks, or two B-cos networks."
            )
        if not self.lam >= 0 or not self.tau > 0:
            raise ExperimentError(f"lam is {self.lam} and tau is {self.tau}; expected lam >= 0 and tau > 0.")
        sides = zip(pair(self.image_size), pair(self.resize), strict=True)
        if not all(_LEAST_PIXELS <= size <= resize <= _MOST_PIXELS for size, resize in sides):
            raise ExperimentError(
                f"'image_size' is {self.image_size} and 'resize' is {self.resize}; expected "
                f"{_LEAST_PIXELS} <= image_size <= resize <= {_MOST_PIXELS}."
            )
        if self.select not in ("last", "best"):
            raise ExperimentError(f"'select' is '{self.select}'; expected last or best.")
        if self.guidance is not None:
            Guidance(self.guidance, self.guidance_weight)  # refuses what makes no sense
        check_share(self.explain_every, self.explain_part)

    def replace(self, **changes: Any) -> Self:
        """A copy with other values, for instance ``replace(method="e2kd", lam=5.0)``.

        Raises
        ------
        ExperimentError
            If a field is not known or a value is not valid.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ExperimentError(
                    f"An experiment has no field '{shown(name)}'; expected one of {', '.join(known)}."
                )
        return dataclasses.replace(self, **changes)

    def by_method(self, method: str, **changes: Any) -> Self:
        """The experiment by another method, with images that this method can learn from; see `replace`."""
        return self.replace(method=method, **changes)

    @property
    def network(self) -> str:
        """Registry name of the network that is trained."""
        return self.teacher if self.method == "teacher" else self.student

    @property
    def initial_weights(self) -> str | None:
        """Weights that the trained network starts from."""
        return self.teacher_weights if self.method == "teacher" else self.student_weights

    @property
    def title(self) -> str:
        """A short line for progress bars and panels."""
        parts: list[str] = [self.method]
        parts += [f"λ = {self.lam:g}"] if uses_lam(self.method) else []
        parts += [f"τ = {self.tau:g}"] if uses_tau(self.method) else []
        if self.method == "e2kd":
            parts += [f"every {self.explain_every} steps"] if self.explain_every > 1 else []
            parts += [f"{self.explain_part:g} of a batch"] if self.explain_part < 1 else []
        parts += [self.setting] if self.setting not in ("base", *parts) else []
        networks = "" if self.family == "standard" else ", B-cos"
        return f"{self.name} ({self.scale}{networks}): {', '.join(parts)}, seed {self.seed}"

    @property
    def multilabel(self) -> bool:
        """Whether an image may show several classes."""
        return False

    def training_guidance(self) -> Guidance | None:
        """How the explanations of the network that this experiment trains are guided; only teachers are."""
        if self.method != "teacher" or self.guidance is None:
            return None
        return Guidance(self.guidance, self.guidance_weight)

    def prepare_student(self, model: ExplainableModel) -> None:
        """Set up the network that is trained, just after it was built; nothing by default."""

    def training_step(self, student: ExplainableModel, teacher: ExplainableModel | None) -> Method:
        """What a training step of these networks computes."""
        return Method(
            self.method,
            student,
            teacher,
            lam=self.lam,
            tau=self.tau,
            multilabel=self.multilabel,
            guidance=self.training_guidance(),
            explain_every=self.explain_every,
            explain_part=self.explain_part,
        )

    def settings(self) -> tuple[str, ...]:
        """Names of the experiment's variants, ``base`` among them."""
        return ("base",)

    def with_setting(self, setting: str) -> Self:
        """The experiment in one of its `settings`; call it on the base setting.

        Raises
        ------
        ExperimentError
            If there is no such setting.
        """
        if setting not in self.settings():
            raise ExperimentError(f"There is no setting '{setting}'; expected one of {', '.join(self.settings())}.")
        return self.replace(setting=setting, **self._setting_changes(setting))

    def _setting_changes(self, setting: str) -> dict[str, Any]:
        return {}

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the paper tried in this experiment."""
        return tuple(self._grids())

    def grid(self, method: str) -> list[Self]:
        """The paper's grid of temperature and weight for a method, in this setting.

        Raises
        ------
        ExperimentError
            If the paper has no such method in this experiment.
        """
        grids = self._grids()
        if method not in grids:
            raise ExperimentError(
                f"'{self.name}' has no grid for method '{method}'; expected one of {', '.join(grids)}."
            )
        return [self.by_method(method, **values) for values in grids[method]]

    def _grids(self) -> Mapping[str, list[dict[str, float]]]:
        return {"baseline": [{}]}

    def training_files(self) -> list[str] | None:
        """Paths of the training images, relative to their set, where they are a choice; None where all are used."""
        return None

    def teacher_experiment(self) -> Self:
        """The experiment that trains this one's teacher.

        Raises
        ------
        ExperimentError
            If the scale has no recipe for a teacher.
        """
        if self.teacher_recipe is None:
            raise ExperimentError(
                f"Experiment '{self.name}' at scale '{self.scale}' needs a trained teacher: give teacher_weights "
                "(a checkpoint file or the name of torchvision weights)."
            )
        recipe = {f.name: getattr(self.teacher_recipe, f.name) for f in dataclasses.fields(Recipe)}
        return self.replace(method="teacher", setting="base", lam=0.0, tau=1.0, **recipe)

    def dataset(self, split: Split) -> Dataset:
        """The images of a split, with the transform that training (for ``train``) or evaluation needs.

        With method ``teacher``, ``train`` is the set that the teacher learns from.
        """
        raise NotImplementedError

    def located(self, split: Split) -> Dataset | None:
        """The images of a split as evaluation sees them, with where their objects are; None where that is not known."""
        return None

    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        raise NotImplementedError

    def grouping(self) -> Grouping | None:
        """What the ``group`` of an image means; None where images have none."""
        return None

    def data_fingerprint(self) -> str:
        """What identifies the content of the data that this experiment uses."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """Everything that changes the result, and nothing else, as plain values; the seed included."""
        skip = {*_LOCATIONS, "teacher_recipe", "student", "teacher"}
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in skip}
        if not uses_lam(self.method):
            values["lam"] = 0.0
        if not uses_tau(self.method):
            values["tau"] = 1.0
        if self.training_guidance() is None:
            del values["guidance"], values["guidance_weight"]
        if self.step_epochs is None:  # so that runs from before this field keep their names
            del values["step_epochs"]
        for name, usual in (("explain_every", 1), ("explain_part", 1.0)):
            if self.method != "e2kd" or values[name] == usual:
                del values[name]
        values |= {
            "network": self.network,
            "data": self.data_fingerprint(),
            "results_version": self.results_version,
        }
        if self.initial_weights is not None:
            values["initial_weights"] = weights_fingerprint(self.network, self.initial_weights)
        if self.method != "teacher":
            # The baseline too is compared with the teacher, so that its agreement depends on it.
            values["teacher"] = self.teacher_fingerprint()
        return json.loads(json.dumps(values, default=dataclasses.asdict))

    def config_hash(self) -> str:
        """Eight hexadecimal digits over `config` without the seed: runs that differ in the seed only share it."""
        values = {name: value for name, value in self.config().items() if name != "seed"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]

    def run_name(self) -> str:
        """Name of the run's folder."""
        return f"{self.name}-{self.scale}-{self.method}-{self.config_hash()}-s{self.seed}"

    def teacher_fingerprint(self) -> str:
        """What identifies the teacher: its weights, or the run that trains it."""
        if self.teacher_weights is not None:
            return weights_fingerprint(self.teacher, self.teacher_weights)
        return "run:" + self.teacher_experiment().run_name()
