"""An experiment: recipe, data, networks and method, and the configuration that its runs are named after."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from torch.utils.data import Dataset

from e2kd_lab.data.scenes import Scene
from e2kd_lab.data.splits import Split
from e2kd_lab.experiments.data import Data
from e2kd_lab.experiments.distillation import SHARED, Distillation
from e2kd_lab.experiments.networks import Networks
from e2kd_lab.experiments.plan import Plan
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS, Distiller, defaults_of
from e2kd_lab.models import MODELS, ExplainableModel, build_model
from e2kd_lab.models.bcosified_names import ordinary_name
from e2kd_lab.models.checkpoints import weights_fingerprint
from e2kd_lab.models.registry import model_version
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_types, check_values
from e2kd_lab.training.recipe import Recipe

_PARTS = ("recipe", "data", "networks", "distillation")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One row of a figure or table: data, networks, method and recipe.

    Fields and methods of the parts are the experiment's, too: ``experiment.epochs`` is ``experiment.recipe.epochs``,
    ``experiment.classes()`` is ``experiment.data.classes()``, and `replace` takes the fields of all parts.

    Attributes
    ----------
    name : str
        The experiment, for instance ``waterbirds``; folders of its runs begin with it.
    display_name : str
        The experiment as titles, figures and tables call it, for instance *Waterbirds*; ``name`` if empty. Runs do not
        depend on it.
    setting : str
        The experiment's variant, for instance a column of Fig. 3.
    select : str
        The checkpoint that is evaluated: ``last`` or ``best`` (by validation accuracy or F1).
    recipe : Recipe
        How the network is trained.
    teacher_recipe : Recipe or None
        How the teacher is trained where no weights are given; how it is fine-tuned if it is B-cosified.
    ordinary_recipe : Recipe or None
        How the ordinary network of a B-cosified teacher is trained where no weights are given.
    data : Data
        Images, classes and groups.
    networks : Networks
        Teacher and student.
    distillation : Distillation
        Method, hyper-parameters and explanation.
    plan : Plan
        Settings and grids.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", lam=5.0, epochs=3)
    >>> experiment.lam, experiment.epochs, experiment.teacher
    (5.0, 3, 'resnet_mini')
    """

    name: str
    display_name: str = field(default="", compare=False)
    setting: str = "base"
    select: Literal["last", "best"] = "last"
    recipe: Recipe
    teacher_recipe: Recipe | None = None
    ordinary_recipe: Recipe | None = None
    data: Data
    networks: Networks
    distillation: Distillation = field(default_factory=Distillation)
    plan: Plan = field(default_factory=Plan, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_types(self)
        if not self.name.replace("-", "").isidentifier():  # folders of runs begin with it
            raise ExperimentError(f"'name' is '{shown(self.name)}'; expected letters, digits, _ and -.")
        if self.select not in ("last", "best"):
            raise ExperimentError(f"'select' is '{self.select}'; expected last or best.")
        if taken := (defaults_of(self.method).keys() - SHARED.keys()) & {*self.fields(), *_PARTS, "chosen", "plan"}:
            raise ExperimentError(
                f"The hyper-parameter '{min(taken)}' of method '{self.method}' has the name of a field of the "
                "experiment; expected another name."
            )
        if self.method != "teacher" and self.explanation is None:
            self.networks.check_comparable()
        self.data.check(self)

    def __getattr__(self, name: str) -> Any:
        """A part's field or method, or a hyper-parameter."""
        for part in (vars(self).get(part) for part in _PARTS):
            if not name.startswith("_") and hasattr(part, name):
                return getattr(part, name)
        if "distillation" in vars(self) and name in (values := self.distillation.values()):
            return values[name]
        raise AttributeError(f"An experiment has no attribute '{name}'.")

    def fields(self) -> list[str]:
        """Names that `replace` takes, besides the method's own hyper-parameters."""
        owners = (self, *(getattr(self, part) for part in _PARTS))
        names = [field.name for owner in owners for field in dataclasses.fields(owner)]
        return [*(name for name in names if name not in (*_PARTS, "plan", "chosen")), *SHARED]

    def replace(self, **changes: Any) -> Self:
        """A copy with other values, for instance ``replace(method="e2kd", lam=5.0)``.

        Parameters
        ----------
        **changes
            Fields of the experiment or of its parts, whole parts, and hyper-parameters of the method. Hyper-parameters
            that were never set follow the method's defaults.

        Raises
        ------
        ExperimentError
            If a field is not known or a value is not valid.

        Examples
        --------
        >>> import e2kd_lab as lab
        >>> lab.experiments.get("waterbirds", "smoke").replace(method="kd", tau=5.0, seed=1).title
        'Waterbirds (smoke): KD, τ = 5, seed 1'
        """
        method = changes.get("method", self.method)
        known, own = [*self.fields(), *_PARTS], defaults_of(method)
        for name in changes:
            if name not in known and name not in own:
                raise ExperimentError(
                    f"An experiment has no field '{shown(name)}'; expected one of {', '.join(known)}, or a "
                    f"hyper-parameter of method '{method}' ({', '.join(own) or 'none'})."
                )
        values = {name: changes.pop(name) for name in list(changes) if name in vars(self)}
        check_values(type(self), values)
        for part in _PARTS[:3]:
            old = values.get(part, getattr(self, part))
            mine = {name: changes.pop(name) for name in list(changes) if name in vars(old)}
            values[part] = dataclasses.replace(old, **(old.with_size(mine) if isinstance(old, Data) else mine))
        values["distillation"] = values.get("distillation", self.distillation).replace(**changes)
        return dataclasses.replace(self, **values)

    def by_method(self, method: str, **changes: Any) -> Self:
        """The experiment by another method, with images that this method can learn from; see `replace`."""
        return self.replace(method=method, **{**self.data.changes_for(method), **changes})

    def settings(self, *, beyond: bool = False) -> tuple[str, ...]:
        """Names of the experiment's variants, ``base`` among them.

        Parameters
        ----------
        beyond : bool
            With those that the paper does not have.

        Examples
        --------
        >>> import e2kd_lab as lab
        >>> lab.experiments.get("voc", "smoke").settings(beyond=True)
        ('base', 'iou', 'bcosified')
        """
        return tuple(name for name in self.plan.settings if beyond or name not in self.plan.beyond)

    def with_setting(self, setting: str) -> Self:
        """The experiment in one of its `settings`, also beyond the paper; call it on the base setting.

        Raises
        ------
        ExperimentError
            If there is no such setting.
        """
        if setting not in self.plan.settings:
            known = ", ".join(self.settings(beyond=True))
            raise ExperimentError(f"There is no setting '{setting}'; expected one of {known}.")
        changes = self.plan.settings[setting]
        return self.replace(setting=setting, **(changes(self) if callable(changes) else changes))

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the paper tried in this experiment."""
        return self.plan.methods

    def grid(self, method: str) -> list[Self]:
        """The paper's grid of temperature and weight for a method, in this setting; the method's own elsewhere.

        Raises
        ------
        ExperimentError
            If there is no such method.
        """
        return [self.by_method(method, **values) for values in self.plan.values(method)]

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
        return dataclasses.replace(
            self,
            name=self.data.teacher_name or self.name,
            display_name=self.data.teacher_title or self.display_name,
            setting="base",
            recipe=self.teacher_recipe,
            data=self.data.for_teacher(),
            distillation=dataclasses.replace(self.distillation, method="teacher", chosen=(), explanation=None),
        )

    @property
    def needs_teacher_run(self) -> bool:
        """Whether this experiment trains a student of a teacher that is trained first."""
        return self.method != "teacher" and self.teacher_weights is None

    @property
    def converts(self) -> bool:
        """Whether this experiment trains a B-cosified teacher that starts from an ordinary network."""
        is_teacher = self.method == "teacher" and self.initial_weights is None
        return is_teacher and ordinary_name(self.teacher) is not None

    def ordinary_experiment(self) -> Self:
        """The experiment that trains the ordinary network of this one's B-cosified teacher.

        Raises
        ------
        ExperimentError
            If the teacher is no such network, or there is no recipe for it.
        """
        name = ordinary_name(self.teacher)
        if name is None or self.ordinary_recipe is None:
            raise ExperimentError(
                f"Experiment '{self.name}' at scale '{self.scale}' has no recipe for the ordinary network of the "
                f"teacher '{self.teacher}'; expected a teacher bcosified/NAME, and ordinary_weights or ordinary_recipe."
            )
        return dataclasses.replace(
            self.teacher_experiment(),
            recipe=self.ordinary_recipe,
            networks=Networks(teacher=name, student=name, num_classes=self.num_classes),
        )

    @property
    def heading(self) -> str:
        """The experiment as titles call it."""
        return self.display_name or self.name

    @property
    def title(self) -> str:
        """A short line for progress bars and panels."""
        label = self.distillation.label()
        setting = self.plan.title(self.setting)
        label += [setting] if setting not in ("", *label) else []
        networks = "" if self.family == "standard" else ", B-cos"
        networks += "ified" if ordinary_name(self.network) is not None else ""
        scale = "own data" if self.scale == "own" else self.scale
        return f"{self.heading} ({scale}{networks}): {', '.join(label)}, seed {self.seed}"

    @property
    def network(self) -> str:
        """Registry name of the network that is trained."""
        return self.teacher if self.method == "teacher" else self.student

    @property
    def initial_weights(self) -> str | None:
        """Weights that the trained network starts from."""
        return self.teacher_weights if self.method == "teacher" else self.student_weights

    def build(self, network: str, *, weights: str | None = None) -> ExplainableModel:
        """One of the experiment's networks (see `e2kd_lab.build_model`), for its images and explanation."""
        model = build_model(network, self.num_classes, weights=weights, image_size=self.image_size)
        return self.with_explanation(model)

    def with_explanation(self, model: ExplainableModel) -> ExplainableModel:
        """The same network, explained as the experiment says."""
        if self.explanation is not None:
            model.explanation = self.explanation
        return model

    def training_step(self, student: ExplainableModel, teacher: ExplainableModel | None) -> Distiller:
        """What a training step of these networks computes."""
        return self.distillation.step_of(student, teacher, multilabel=self.multilabel)

    def dataset(self, split: Split) -> Dataset:
        """The images of a split, with the transform that training (for ``train``) or evaluation needs.

        With method ``teacher``, ``train`` is the set that the teacher learns from.

        Raises
        ------
        DataError
            If the data are missing or damaged.
        ExperimentError
            If they have another number of classes than the experiment.
        """
        count = len(self.classes())
        if count != self.num_classes:
            raise ExperimentError(
                f"'num_classes' of {self.name} is {self.num_classes}, but its data have {count} classes; expected that "
                "number as num_classes, or other data."
            )
        return self.data.dataset(split, self)

    def scene(self, split: Literal["val", "test"], index: int) -> Scene:
        """An image as the network sees it, and what can be changed in it, see `e2kd_lab.data.scenes`.

        Raises
        ------
        ExperimentError
            If the split is another one: training images are cropped at random.

        Examples
        --------
        >>> import e2kd_lab as lab
        >>> scene = lab.experiments.get("waterbirds", "smoke").scene("test", 0)
        >>> scene.draw({"water": 0.5}).image.shape
        torch.Size([3, 32, 32])
        """
        if split not in ("val", "test"):
            raise ExperimentError(f"There are no scenes of split '{split}'; expected val or test.")
        return self.data.scene(split, index, self)

    def data_fingerprint(self) -> str:
        """Identifies the content of the data that this experiment uses."""
        return self.data.fingerprint(self)

    def teacher_fingerprint(self) -> str:
        """Identifies the teacher: its weights, or the run that trains it."""
        if self.teacher_weights is not None:
            return weights_fingerprint(self.teacher, self.teacher_weights)
        return "run:" + self.teacher_experiment().run_name()

    def ordinary_fingerprint(self) -> str:
        """Identifies the ordinary network that is converted: its weights, or the run that trains it."""
        if self.ordinary_weights is not None:
            return weights_fingerprint(ordinary_name(self.teacher) or self.teacher, self.ordinary_weights)
        return "run:" + self.ordinary_experiment().run_name()

    def plugins(self) -> dict[str, str]:
        """Identifies the code of networks, method and explanation that are not the lab's own, by content."""
        networks = (self.network,) if self.method == "teacher" else (self.network, self.teacher)
        names = [ordinary_name(name) or name for name in networks]
        used = {f"model {name}": MODELS.identity(name) for name in names if name in MODELS}
        used[f"method {self.method}"] = METHODS.identity(self.method)
        if self.explanation is not None:
            used[f"explanation {self.explanation}"] = EXPLANATIONS.identity(self.explanation)
        return {name: content for name, content in used.items() if content is not None}

    def config(self) -> dict[str, Any]:
        """Everything that changes the result, and nothing else, as plain values; the seed included."""
        values = {
            "name": self.name,
            "setting": self.setting,
            "family": self.family,
            "network": self.network,
            "num_classes": self.num_classes,
            "select": self.select,
            "data": self.data_fingerprint(),
            "results_version": self.results_version + model_version(self.network),  # neither is ever lowered
            **self.recipe.config(),
            **self.data.config(),
            **self.distillation.config(),
        }
        if plugins := self.plugins():
            values["plugins"] = plugins
        if self.initial_weights is not None:
            values["initial_weights"] = weights_fingerprint(self.network, self.initial_weights)
        if self.converts:
            values["ordinary"] = self.ordinary_fingerprint()
        if self.method != "teacher":
            # The baseline too is compared with the teacher, so that its agreement depends on it.
            values["teacher"] = self.teacher_fingerprint()
        return json.loads(json.dumps(values))

    def config_hash(self) -> str:
        """Eight hexadecimal digits over `config` without the seed: runs that differ in the seed only share it."""
        values = {name: value for name, value in self.config().items() if name != "seed"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]

    def run_name(self) -> str:
        """Name of the run's folder."""
        return f"{self.name}-{self.scale}-{self.method}-{self.config_hash()}-s{self.seed}"
