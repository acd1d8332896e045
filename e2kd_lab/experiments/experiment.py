"""What an experiment is: every number that changes its result, and nothing that does not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from torch.utils.data import Dataset

from e2kd_lab.data.splits import Split
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS, Distiller, Guidance, defaults_of, grid_of
from e2kd_lab.methods.guidance import GuidanceName
from e2kd_lab.metrics import Grouping
from e2kd_lab.models import MODELS, MOST_CLASSES, ExplainableModel, build_model, explanation_by_name
from e2kd_lab.models.checkpoints import weights_fingerprint
from e2kd_lab.models.probing import pair
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_values
from e2kd_lab.training.recipe import Recipe

Scale = Literal["smoke", "lab", "paper", "own"]
# Those of the paper's experiments.
SCALES: tuple[Scale, ...] = ("smoke", "lab", "paper")
Family = Literal["standard", "bcos"]
FAMILIES: tuple[Family, ...] = ("standard", "bcos")

_LEAST_PIXELS, _MOST_PIXELS = 2, 4096

# Fields that are hyper-parameters of methods, and what the first two are recorded as where a method has none of them.
_SHARED = ("lam", "tau", "explain_every", "explain_part")
_UNUSED: Mapping[str, float] = {"lam": 0.0, "tau": 1.0}

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
        A registered method: ``teacher``, ``baseline``, ``kd``, ``e2kd``, a prior one (see `e2kd_lab.methods`), or one's
        own.
    lam, tau : float
        Weight of the explanation (Eq. 2) or feature loss, and temperature (Eq. 1); the method's defaults where they are
        not given.
    options : tuple
        Values of the method's other hyper-parameters, as pairs of a name and a value; `replace` takes them by name.
    explanation : str or None
        How both networks are explained, in training, evaluation and pictures: a registered explanation; None for what
        the networks say themselves.
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
        `e2kd_lab.methods.E2KD`).
    """

    _not_chosen: ClassVar[tuple[str, ...]] = ()  # set for each experiment
    # Raised when a change of the code changes results, so that old runs are not taken for new ones.
    results_version = 1  # not annotated: one for all, no field
    scales: ClassVar[tuple[Scale, ...]] = SCALES
    measures_classes: ClassVar[bool] = False  # whether evaluation tells the accuracy on each class, too

    name: str
    scale: Scale
    family: Family = "standard"
    setting: str = "base"
    method: str = "baseline"
    lam: float = None  # type: ignore[assignment]  # replaced by the method's default
    tau: float = None  # type: ignore[assignment]
    options: tuple = ()
    explanation: str | None = None
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
        self._choose_defaults()
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
        self._check_hyperparameters()
        self._check_networks()
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

    def _choose_defaults(self) -> None:
        """Give the method's own defaults to hyper-parameters that were not chosen, and remember which."""
        object.__setattr__(self, "_not_chosen", tuple(name for name in _UNUSED if getattr(self, name) is None))
        known = isinstance(self.method, str) and self.method in METHODS
        defaults = defaults_of(self.method) if known else {}
        for name in self._not_chosen:
            object.__setattr__(self, name, defaults.get(name, _UNUSED[name]))

    def _check_hyperparameters(self) -> None:
        """Refuse values that make no sense, and names that a method does not have."""
        defaults = defaults_of(self.method)
        if not self.lam >= 0 or not self.tau > 0:
            raise ExperimentError(f"lam is {self.lam} and tau is {self.tau}; expected lam >= 0 and tau > 0.")
        fields = {field.name for field in dataclasses.fields(self)} - set(_SHARED)
        for name in defaults:
            if name in fields:
                raise ExperimentError(
                    f"The hyper-parameter '{name}' of method '{self.method}' has the name of a field of the "
                    "experiment; expected another name."
                )
        for option in self.options:
            if not isinstance(option, tuple) or len(option) != 2 or option[0] not in defaults:
                raise ExperimentError(
                    f"'options' has {shown(option)!r}; expected hyper-parameters of method '{self.method}' by their "
                    f"names ({', '.join(defaults) or 'it has none'}), such as replace(name=value)."
                )
        check_values(METHODS[self.method], self.hyperparameters)
        METHODS["e2kd"].check({name: getattr(self, name) for name in _SHARED})
        METHODS[self.method].check(self.hyperparameters)

    def _check_networks(self) -> None:
        """Refuse networks that do not exist, and two whose explanations are known not to compare."""
        explained = {network: explanation_by_name(network) for network in (self.teacher, self.student)}
        if self.explanation is not None:
            EXPLANATIONS[self.explanation]  # refuses a name that is not known
        elif self.method != "teacher" and None not in explained.values() and len(set(explained.values())) > 1:
            raise ExperimentError(
                f"The explanations of '{self.teacher}' and '{self.student}' cannot be compared; expected two standard "
                "networks, two B-cos networks, or one explanation for both, such as explanation='gradcam'."
            )

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The method's hyper-parameters and their values."""
        options = dict(self.options)
        return {
            name: getattr(self, name) if name in _SHARED else options.get(name, default)
            for name, default in defaults_of(self.method).items()
        }

    def replace(self, **changes: Any) -> Self:
        """A copy with other values, for instance ``replace(method="e2kd", lam=5.0)``.

        Hyper-parameters of the method are given by their names like fields; those that were not chosen follow the
        method's defaults.

        Raises
        ------
        ExperimentError
            If a field is not known or a value is not valid.
        """
        known = [field.name for field in dataclasses.fields(self)]
        own = defaults_of(changes.get("method", self.method))
        kept = {name: value for name, value in self.options if name in own}
        for name in changes:
            if name not in known and name not in own:
                raise ExperimentError(
                    f"An experiment has no field '{shown(name)}'; expected one of {', '.join(known)}, or a "
                    f"hyper-parameter of method '{changes.get('method', self.method)}' ({', '.join(own) or 'none'})."
                )
        kept |= {name: value for name, value in changes.items() if name not in known}
        changes = {name: value for name, value in changes.items() if name in known}
        not_chosen = dict.fromkeys(self._not_chosen)
        return dataclasses.replace(self, **{**not_chosen, "options": tuple(sorted(kept.items())), **changes})

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
        parts: list[str] = [self.method, *METHODS[self.method].describe(self.hyperparameters)]
        parts += [f"by {EXPLANATIONS[self.explanation].title}"] if self.explanation is not None else []
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

    def build(self, network: str, *, weights: str | None = None) -> ExplainableModel:
        """One of the experiment's networks (see `e2kd_lab.build_model`), for its images and explanation."""
        return self.explained(build_model(network, self.num_classes, weights=weights, image_size=self.image_size))

    def explained(self, model: ExplainableModel) -> ExplainableModel:
        """The same network, explained as this experiment asks for."""
        if self.explanation is not None:
            model.explanation = self.explanation
        return model

    def training_step(self, student: ExplainableModel, teacher: ExplainableModel | None) -> Distiller:
        """What a training step of these networks computes."""
        guidance = self.training_guidance()
        guided: dict[str, Any] = {} if guidance is None else {"guidance": guidance}
        kind = METHODS[self.method]
        return kind(student, teacher, multilabel=self.multilabel, **guided, **self.hyperparameters)

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
        """The paper's grid of temperature and weight for a method, in this setting; the method's own elsewhere.

        Raises
        ------
        ExperimentError
            If there is no such method.
        """
        grids = self._grids()
        return [self.by_method(method, **values) for values in grids.get(method) or grid_of(method)]

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
        return self.replace(method="teacher", setting="base", lam=0.0, tau=1.0, explanation=None, **recipe)

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
        hyperparameters = self.hyperparameters
        for name, unused in _UNUSED.items():
            if name not in hyperparameters:
                values[name] = unused
        if self.training_guidance() is None:
            del values["guidance"], values["guidance_weight"]
        if self.step_epochs is None:  # so that runs from before this field keep their names
            del values["step_epochs"]
        defaults = defaults_of(self.method)
        for name in ("explain_every", "explain_part"):
            if name not in hyperparameters or hyperparameters[name] == defaults[name]:
                del values[name]
        del values["options"]
        if options := {name: value for name, value in hyperparameters.items() if name not in _SHARED}:
            values["options"] = options
        if self.explanation is None:
            del values["explanation"]
        if plugins := self.plugins():
            values["plugins"] = plugins
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

    def plugins(self) -> dict[str, str]:
        """What identifies the code of networks, method and explanation that are not the lab's own, by content."""
        networks = (self.network,) if self.method == "teacher" else (self.network, self.teacher)
        used = {f"model {name}": MODELS.identity(name) for name in networks if name in MODELS}
        used[f"method {self.method}"] = METHODS.identity(self.method)
        if self.explanation is not None:
            used[f"explanation {self.explanation}"] = EXPLANATIONS.identity(self.explanation)
        return {name: content for name, content in used.items() if content is not None}

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
