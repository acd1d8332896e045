"""What one training step computes: the base of all distillation methods."""

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
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_values

# How labels write the paper's hyper-parameters; others keep their names.
SYMBOLS: Mapping[str, str] = {"lam": "λ", "tau": "τ"}


@dataclass(frozen=True)
class Batch:
    """What a step sees.

    Attributes
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    labels : Tensor
        Class indices (N,), or class probabilities (N, K) after mixup or of several classes.
    teacher_logits, teacher_maps : Tensor or None
        A frozen teacher's logits (N, K) and maps (N, C, H, W) of these images, computed before (Sec. 3.3).
    masks : Tensor or None
        Where the objects are, for guidance: of each class (N, K, H, W), or of the only object (N, 1, H, W).
    step : int
        Steps before this one.
    """

    images: Tensor
    labels: Tensor
    teacher_logits: Tensor | None = None
    teacher_maps: Tensor | None = None
    masks: Tensor | None = None
    step: int = 0

    @property
    def is_frozen(self) -> bool:
        """Whether the teacher's answers are stored ones."""
        return self.teacher_logits is not None


@dataclass(init=False, eq=False, repr=False, kw_only=True)
class Distiller(nn.Module):
    """A student and the losses that train it; calling it is one training step up to the loss.

    A subclass says in `step` what a step computes. Its annotated fields with defaults are its hyper-parameters:
    numbers, texts or switches, which the constructor takes as keywords. Layers that are trained beside the student are
    made in `setup`.

    The whole step is one module, so that data-parallel training, mixed precision and compilation see a single forward.
    The teacher is kept outside the module tree, because it is neither trained nor saved; it is always in evaluation
    mode. Teacher and student see the same augmented images ("consistent teaching").

    Parameters
    ----------
    student : ExplainableModel
        The network to train.
    teacher : ExplainableModel, optional
        For methods that distil; its parameters are frozen.
    multilabel : bool
        An image may show several classes: labels are (N, K) with 0 and 1, the label loss is binary cross-entropy, the
        logit loss that of Eq. C.1.
    explanation : str or ExplanationMethod, optional
        How both networks are explained from now on, in place of what they say themselves.
    **hyperparameters
        Values of the fields; defaults for those that are not given.

    Attributes
    ----------
    needs_teacher : bool
        Whether it distils from a teacher; the others learn from labels only.
    uses_labels : bool
        Whether it looks at labels, so that it needs images of the classes that are learned.
    can_be_frozen : bool
        Whether it can learn from a teacher's stored logits and maps, `Batch.teacher_logits` and `Batch.teacher_maps`.

    Raises
    ------
    ExperimentError
        If a network is not the lab's, the teacher is missing, or a hyper-parameter is not known or not valid.

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
        self._set_fields(hyperparameters)
        if self.needs_teacher and teacher is None:
            raise ExperimentError(f"Method '{self._called}' distils from a teacher, but none was given.")
        for network in (student, teacher):
            if network is not None and not isinstance(network, ExplainableModel):
                raise ExperimentError(
                    f"Method '{self._called}' got a {type(network).__name__}; expected a network of "
                    "lab.build_model(name), or lab.adapt(network), which makes any classifier explainable."
                )
        for network in (student, teacher):
            if explanation is not None and network is not None:
                network.explanation = explanation_method(explanation)
        self.multilabel = multilabel
        self.logit_loss = multilabel_kd_loss if multilabel else kd_loss
        self.student = student
        self._outside_the_module_tree = (teacher.eval().requires_grad_(False) if teacher else None,)
        self._has_seen_images = False
        self.setup()

    def setup(self) -> None:
        """Make what the method trains beside the student, and refuse networks that it does not fit."""

    def step(self, batch: Batch) -> Mapping[str, Tensor] | Tensor:
        """The losses of one batch: ``loss``, to be minimised, and any scalars to be logged; or the loss alone."""
        raise NotImplementedError

    @classmethod
    def check(cls, hyperparameters: Mapping[str, Any]) -> None:
        """Refuse values of hyper-parameters that make no sense, beyond their types.

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
        """Hyper-parameters as labels write them, such as ``λ = 5``."""
        return [
            f"{SYMBOLS.get(name, name)} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
            for name, value in hyperparameters.items()
        ]

    @property
    def teacher(self) -> ExplainableModel | None:
        """The frozen teacher, if the method has one."""
        return self._outside_the_module_tree[0]

    @property
    def frozen_teacher(self) -> ExplainableModel:
        """The teacher of a method that has one."""
        assert self.teacher is not None
        return self.teacher

    def forward(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        frozen: tuple[Tensor, Tensor] | None = None,
        masks: Tensor | None = None,
        step: int = 0,
    ) -> dict[str, Tensor]:
        """The losses of one batch, whose parts are those of `Batch`.

        Returns
        -------
        dict
            ``loss``, and the method's other scalars, detached.

        Raises
        ------
        ExperimentError
            If the first images are not RGB in [0, 1], or labels are missing that the method learns from.
        """
        if not self._has_seen_images:  # once: reading values waits for the device
            require_unit_range(images)
            self._has_seen_images = True
        if labels is None and self.uses_labels:
            raise ExperimentError(f"Method '{self._called}' learns from labels, but none were given.")
        logits, maps = frozen if frozen is not None and self.can_be_frozen else (None, None)
        terms = self.step(Batch(images, labels, logits, maps, masks, step))  # type: ignore[arg-type]
        if isinstance(terms, Tensor):
            return {"loss": terms}
        if "loss" not in terms:
            raise ExperimentError(
                f"The step of method '{self._called}' returned {', '.join(map(shown, terms))}; expected 'loss' "
                "among them."
            )
        return {name: term if name == "loss" else term.detach() for name, term in terms.items()}

    def student_logits(self, batch: Batch) -> Tensor:
        """The student's logits (N, K), with their graph."""
        return self.student(self.student.preprocess(batch.images))

    def teacher_logits(self, batch: Batch) -> Tensor:
        """The teacher's logits (N, K), stored or computed, without a graph."""
        if batch.teacher_logits is not None:
            return batch.teacher_logits
        return self.logits_by_teacher(batch.images)

    @torch.no_grad()
    def logits_by_teacher(self, images: Tensor) -> Tensor:
        """The live teacher's logits (N, K) of RGB images (N, 3, H, W) in [0, 1]."""
        return self.frozen_teacher(self.frozen_teacher.preprocess(images))

    def label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The student's classification loss: its family's, or binary cross-entropy with several classes an image."""
        if self.multilabel:
            return F.binary_cross_entropy_with_logits(at_least_float32(logits), labels.to(at_least_float32(logits)))
        return self.student.classification_loss(logits, labels)

    @property
    def _called(self) -> str:
        return self.name or type(self).__name__

    def _set_fields(self, values: Mapping[str, Any]) -> None:
        fields = {field.name: field.default for field in dataclasses.fields(self)}
        for name in values:
            if name not in fields:
                raise ExperimentError(
                    f"Method '{self._called}' has no hyper-parameter '{shown(name)}'; expected one of "
                    f"{', '.join(fields) or 'none, for it has none'}."
                )
        check_values(type(self), {**fields, **values})
        for name, value in {**fields, **values}.items():
            setattr(self, name, value)
        self.check({**fields, **values})
