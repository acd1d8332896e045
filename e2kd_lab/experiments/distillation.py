"""Method, hyper-parameters and explanation of a distillation, and the guidance of its teacher."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS, Distiller, Guidance, defaults_of
from e2kd_lab.methods.guidance import GuidanceName
from e2kd_lab.models import ExplainableModel
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.system.fields import check_types, check_values

# Hyper-parameters that survive a change of method, and their values where a method has none of them.
SHARED: Mapping[str, float] = {"lam": 0.0, "tau": 1.0, "explain_every": 1, "explain_part": 1.0}


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """A method with its hyper-parameters.

    Attributes
    ----------
    method : str
        A registered method: ``teacher``, ``baseline``, ``kd``, ``e2kd``, a prior one (see `e2kd_lab.methods`), or one's
        own.
    chosen : tuple
        Pairs of name and value of the hyper-parameters that were set; the others follow the method's defaults.
    explanation : str or None
        A registered explanation of both networks, in training, evaluation and figures; None for each network's own.
    guidance : str or None
        Guidance of a teacher that is trained here: ``energy`` or ``l1`` (see `e2kd_lab.methods.Guidance`), or None.
    guidance_weight : float
        Weight of the guidance loss, >= 0; the label loss has weight 1.

    Raises
    ------
    ExperimentError
        If method, explanation, guidance or a hyper-parameter is not valid.

    Examples
    --------
    >>> Distillation(method="e2kd").replace(lam=2.0).hyperparameters
    {'lam': 2.0, 'tau': 1.0, 'explain_every': 1, 'explain_part': 1.0}
    """

    method: str = "baseline"
    chosen: tuple = field(default=(), compare=False)
    explanation: str | None = None
    guidance: GuidanceName | None = None
    guidance_weight: float = 1.0

    def __post_init__(self) -> None:
        defaults_of(self.method)  # refuses unknown methods
        check_types(self)
        values = self.values()
        shared = {name: values[name] for name in SHARED}
        check_values(METHODS["e2kd"], shared)
        check_values(METHODS[self.method], self.hyperparameters)
        lam, tau = shared["lam"], shared["tau"]
        if not lam >= 0 or not tau > 0:
            raise ExperimentError(f"lam is {lam} and tau is {tau}; expected lam >= 0 and tau > 0.")
        METHODS["e2kd"].check(shared)
        METHODS[self.method].check(self.hyperparameters)
        if self.explanation is not None:
            EXPLANATIONS[self.explanation]  # refuses unknown explanations
        if self.guidance is not None:
            Guidance(self.guidance, self.guidance_weight)  # refuses unknown names and negative weights

    def __eq__(self, other: object) -> bool:
        """Whether all values are the same, whether they were set or follow the method."""
        if not isinstance(other, Distillation):
            return NotImplemented
        return {**vars(self), "chosen": self.values()} == {**vars(other), "chosen": other.values()}

    def replace(self, **changes: Any) -> Self:
        """A copy with other fields or hyper-parameters; a hyper-parameter set to None follows the method again."""
        fields = {one.name for one in dataclasses.fields(self)}
        kept = {*SHARED, *defaults_of(changes.get("method", self.method))}
        chosen = dict(self.chosen) | {name: value for name, value in changes.items() if name not in fields}
        pairs = tuple(sorted((name, v) for name, v in chosen.items() if name in kept and v is not None))
        others = {name: value for name, value in changes.items() if name in fields}
        return dataclasses.replace(self, **{"chosen": pairs, **others})

    def values(self) -> dict[str, Any]:
        """Values of the method's hyper-parameters and of the shared ones."""
        return {**SHARED, **defaults_of(self.method), **dict(self.chosen)}

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The method's hyper-parameters and their values."""
        values = self.values()
        return {name: values[name] for name in defaults_of(self.method)}

    def training_guidance(self) -> Guidance | None:
        """Guidance of the network that is trained; students have none."""
        if self.method != "teacher" or self.guidance is None:
            return None
        return Guidance(self.guidance, self.guidance_weight)

    def step_of(self, student: ExplainableModel, teacher: ExplainableModel | None, *, multilabel: bool) -> Distiller:
        """The method of these networks, which computes a training step."""
        guidance = self.training_guidance()
        guided: dict[str, Any] = {} if guidance is None else {"guidance": guidance}
        return METHODS[self.method](student, teacher, multilabel=multilabel, **guided, **self.hyperparameters)

    def label(self) -> list[str]:
        """Method, hyper-parameters and explanation as titles write them."""
        explanation = [] if self.explanation is None else [f"by {EXPLANATIONS[self.explanation].title}"]
        return [METHODS[self.method].title, *METHODS[self.method].describe(self.hyperparameters), *explanation]

    def config(self) -> dict[str, Any]:
        """What changes the result: ``lam`` and ``tau`` always, the rest where the method uses it."""
        values, defaults = self.hyperparameters, defaults_of(self.method)
        config: dict[str, Any] = {"method": self.method}
        config |= {name: values.get(name, SHARED[name]) for name in ("lam", "tau")}
        for name in ("explain_every", "explain_part"):
            if name in values and values[name] != defaults[name]:
                config[name] = values[name]
        if options := {name: value for name, value in values.items() if name not in SHARED}:
            config["options"] = options
        if self.explanation is not None:
            config["explanation"] = self.explanation
        if self.training_guidance() is not None:
            config |= {"guidance": self.guidance, "guidance_weight": self.guidance_weight}
        return config
