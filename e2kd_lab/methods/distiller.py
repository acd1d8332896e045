"""The base of all distillation methods: a student, its teacher, and the losses of a training step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2kd_lab.explanations import ExplanationMethod
from e2kd_lab.explanations.explain import require_unit_range
from e2kd_lab.explanations.registry import explanation_method
from e2kd_lab.losses import kd_loss, multilabel_kd_loss
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.methods.batch import Batch
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_values

# Symbols of the paper's hyper-parameters in labels; others keep their names.
SYMBOLS: Mapping[str, str] = {"lam": "λ", "tau": "τ"}


@dataclass(init=False, eq=False, repr=False, kw_only=True)
class Distiller(nn.Module):
    """A student and the losses that train it; a call computes the losses of one training step.

    A call ``method(images, labels)`` makes a `Batch` and passes it to `step`, which a subclass defines. The subclass's
    annotated fields with defaults are its hyper-parameters: numbers, strings or booleans that the constructor takes as
    keywords. Layers that are trained together with the student are made in `setup`.

    The whole step is one module, so that data-parallel training, mixed precision and compilation see a single forward
    pass. The teacher stays outside the module tree, because it is neither trained nor saved; it is always in evaluation
    mode. Teacher and student see the same augmented images ("consistent teaching").

    Parameters
    ----------
    student : ExplainableModel
        The network to train.
    teacher : ExplainableModel, optional
        The network to distil from; its parameters are frozen.
    multilabel : bool
        Images may show several classes: labels are 0 or 1, (N, K), the label loss is binary cross-entropy and the logit
        loss is Eq. C.1.
    explanation : str or ExplanationMethod, optional
        Sets the explanation of both networks; by default each keeps its own.
    **hyperparameters
        Values of the fields; their defaults if not given.

    Attributes
    ----------
    needs_teacher : bool
        Whether it distils from a teacher, rather than learning from labels only.
    uses_labels : bool
        Whether it uses labels, and so needs images of the classes to be learned.
    can_be_frozen : bool
        Whether it can use a teacher's stored logits and maps, `Batch.teacher_logits` and `Batch.teacher_maps`.

    Raises
    ------
    ExperimentError
        If a network is not explainable, the teacher is missing, or a hyper-parameter is unknown or invalid.

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> student, teacher = (lab.build_model("resnet_mini", num_classes=3) for _ in range(2))
    >>> e2kd = lab.methods.E2KD(student, teacher, lam=5.0, tau=1.0)
    >>> sorted(e2kd(torch.rand(4, 3, 32, 32)))
    ['dead_map_rate', 'explanation_loss', 'kd_loss', 'loss']
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    colour: ClassVar[str] = ""
    frozen_colour: ClassVar[str] = ""
    order: ClassVar[int] = 100
    grid: ClassVar[Mapping[str, Any]] = {}
    needs_teacher: ClassVar[bool] = True
    uses_labels: ClassVar[bool] = True
    can_be_frozen: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(init=False, eq=False, repr=False, kw_only=True)(cls)
        if missing := [field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING]:
            raise ExperimentError(
                f"{cls.__name__}.{missing[0]} has no default; expected one for each hyper-parameter (or ClassVar)."
            )

    def __init__(
        self,
        student: ExplainableModel,
        teacher: ExplainableModel | None = None,
        *,
        multilabel: bool = False,
        explanation: ExplanationMethod | str | None = None,
        **hyperparameters: Any,
    ) -> None:
        super().__init__()
        self._set_hyperparameters(hyperparameters)
        if self.needs_teacher and teacher is None:
            raise ExperimentError(f"Method '{self._called}' distils from a teacher, but none was given.")
        networks = [network for network in (student, teacher) if network is not None]
        self._require_explainable(networks)
        if explanation is not None:
            for network in networks:
                network.explanation = explanation_method(explanation)
        self.multilabel = multilabel
        self.student = student
        self._outside_the_module_tree = (teacher.eval().requires_grad_(False) if teacher else None,)
        self._has_seen_images = False
        self.setup()

    def setup(self) -> None:
        """Make layers that are trained together with the student; refuse networks that do not fit the method."""

    def step(self, batch: Batch) -> Mapping[str, Tensor] | Tensor:
        """Losses of a batch: the scalar to minimise, or a mapping with it as ``loss`` and other scalars to log."""
        raise NotImplementedError

    @classmethod
    def check(cls, hyperparameters: Mapping[str, Any]) -> None:
        """Refuse invalid values of hyper-parameters, whose types have been checked.

        Raises
        ------
        ExperimentError
            One sentence that names the value.
        """
        if not hyperparameters.get("lam", 0) >= 0:
            raise ExperimentError(f"Method '{cls.name}' has lam = {hyperparameters['lam']}; expected lam >= 0.")
        if not hyperparameters.get("tau", 1) > 0:
            raise ExperimentError(f"Method '{cls.name}' has tau = {hyperparameters['tau']}; expected tau > 0.")

    @classmethod
    def describe(cls, hyperparameters: Mapping[str, Any]) -> list[str]:
        """Hyper-parameters as labels, such as ``λ = 5``."""
        return [
            f"{SYMBOLS.get(name, name)} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
            for name, value in hyperparameters.items()
        ]

    @property
    def teacher(self) -> ExplainableModel:
        """The teacher, in evaluation mode and without parameter gradients; None for methods without one."""
        return self._outside_the_module_tree[0]  # type: ignore[return-value]

    def forward(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        frozen: tuple[Tensor, Tensor] | None = None,
        masks: Tensor | None = None,
        step: int = 0,
    ) -> dict[str, Tensor]:
        """Losses of one training step (see `Batch` for shapes).

        Parameters
        ----------
        images, labels, masks, step
            As in `Batch`; labels may be missing if the method does not use them.
        frozen : (Tensor, Tensor), optional
            Stored logits and maps of a frozen teacher; ignored by methods that cannot use them.

        Returns
        -------
        dict
            ``loss`` with its graph, and the other scalars of `step`, detached.

        Raises
        ------
        ExperimentError
            If the first images are not RGB in [0, 1], or labels are missing.
        """
        if not self._has_seen_images:  # once only: reading values synchronises the device
            require_unit_range(images)
            self._has_seen_images = True
        if labels is None and self.uses_labels:
            raise ExperimentError(f"Method '{self._called}' learns from labels, but none were given.")
        logits, maps = frozen if frozen is not None and self.can_be_frozen else (None, None)
        batch = Batch(images, labels, logits, maps, masks, step)  # type: ignore[arg-type]
        return self._with_loss_only_attached(self.step(batch))

    def student_logits(self, batch: Batch) -> Tensor:
        """The student's logits (N, K), with their graph."""
        return self.student(self.student.preprocess(batch.images))

    def teacher_logits(self, batch: Batch) -> Tensor:
        """The teacher's logits (N, K), stored or computed, without a graph."""
        return self.live_teacher_logits(batch.images) if batch.teacher_logits is None else batch.teacher_logits

    @torch.no_grad()
    def live_teacher_logits(self, images: Tensor) -> Tensor:
        """The teacher's logits (N, K) of RGB images (N, 3, H, W) in [0, 1], computed now."""
        return self.teacher(self.teacher.preprocess(images))

    def logit_loss(self, student_logits: Tensor, teacher_logits: Tensor, tau: float) -> Tensor:
        """KD on logits: Eq. 1, or Eq. C.1 for multi-label data."""
        loss = multilabel_kd_loss if self.multilabel else kd_loss
        return loss(student_logits, teacher_logits, tau)

    def label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The student family's classification loss, or binary cross-entropy for multi-label data."""
        if self.multilabel:
            return F.binary_cross_entropy_with_logits(at_least_float32(logits), labels.to(at_least_float32(logits)))
        return self.student.classification_loss(logits, labels)

    @property
    def _called(self) -> str:
        return self.name or type(self).__name__

    def _set_hyperparameters(self, given: Mapping[str, Any]) -> None:
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in given:
            if name not in defaults:
                raise ExperimentError(
                    f"Method '{self._called}' has no hyper-parameter '{shown(name)}'; expected one of "
                    f"{', '.join(defaults) or 'none, for it has none'}."
                )
        values = {**defaults, **given}
        check_values(type(self), values)
        for name, value in values.items():
            setattr(self, name, value)
        self.check(values)

    def _require_explainable(self, networks: list[ExplainableModel]) -> None:
        for network in networks:
            if not isinstance(network, ExplainableModel):
                raise ExperimentError(
                    f"Method '{self._called}' got a {type(network).__name__}; expected a network of "
                    "lab.build_model(name), or lab.adapt(network), which makes any classifier explainable."
                )

    def _with_loss_only_attached(self, terms: Mapping[str, Tensor] | Tensor) -> dict[str, Tensor]:
        """The terms of a step by name, all but ``loss`` detached."""
        if isinstance(terms, Tensor):
            return {"loss": terms}
        if "loss" not in terms:
            raise ExperimentError(
                f"The step of method '{self._called}' returned {', '.join(map(shown, terms))}; expected 'loss' "
                "among them."
            )
        return {name: term if name == "loss" else term.detach() for name, term in terms.items()}
