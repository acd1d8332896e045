"""The e2KD loss as a panel: its terms and their gradients, at any temperature and weight."""

from __future__ import annotations

import copy
import functools
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
from torch import Tensor

from e2kd_lab.explanations import Explanation, explain, explanation_of
from e2kd_lab.figures import caption
from e2kd_lab.figures.labels import title_of
from e2kd_lab.figures.loss_inputs import classes_shown
from e2kd_lab.figures.loss_terms import LossPicture
from e2kd_lab.metrics import dead_maps
from e2kd_lab.models import ExplainableModel
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training import LossTerms, loss_terms
from e2kd_lab.widgets.controls import maps_switch, switch
from e2kd_lab.widgets.panel import Panel, shows_errors
from e2kd_lab.widgets.value_slider import ValueSlider

LAMBDAS = (0.0, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0)
TAUS = (0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
# Each image's terms keep the graph of a student's logits: little for the lab's networks, much at 224 px.
_PIXELS_KEPT, _TERMS_KEPT = 8 * 224**2, 64
_PICTURES_KEPT = 4  # figures, of students and views


class LossLab(Panel):
    """Eq. 2 live: the distributions and maps it compares, its two terms, and the angle between their gradients.

    Teacher and student are in evaluation mode, so that an image's numbers do not depend on other images; a training
    step uses batch statistics.

    Parameters
    ----------
    networks : mapping
        The teacher first, then students by method name or another title (see `e2kd_lab.runs.examples.networks_of`).
        The panel copies them, so that further training does not change it.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), for instance those of `e2kd_lab.runs.examples.explained_examples`.
    titles : sequence of str
        A title for each image, or none.
    classes : sequence of str
        Names of the classes; numbers by default.
    multilabel : bool
        Images show several classes; the logit loss is Eq. C.1.
    lam, tau : float
        Initial values of the sliders.
    lambdas, taus : sequence of float
        Values of the sliders.
    export_folder : Path or str
        Folder that the export button writes to.

    Attributes
    ----------
    student, view, number, whole_batch, lam, tau : ipywidgets controls
        Student; W(x) or contributions of B-cos networks; image, counted from 0; loss and gradients of this image or of
        all; weight; temperature.
    picture : LossPicture or None
        The current figure.

    Raises
    ------
    ExperimentError
        If there is no student or no image, or the numbers of titles and images differ.

    Examples
    --------
    >>> import torch
    >>> import e2kd_lab as lab
    >>> networks = {name: lab.build_model("resnet_mini", 3) for name in ("teacher", "e2kd")}
    >>> panel = LossLab(networks, torch.rand(1, 3, 32, 32))
    >>> panel.tau.value = 2.0
    """

    figure_choices = ("width", "font_size", "opacity", "colour_map")

    def __init__(
        self,
        networks: Mapping[str, ExplainableModel],
        images: Tensor,
        *,
        titles: Sequence[str] = (),
        classes: Sequence[str] = (),
        multilabel: bool = False,
        lam: float = 1.0,
        tau: float = 1.0,
        lambdas: Sequence[float] = LAMBDAS,
        taus: Sequence[float] = TAUS,
        export_folder: Path | str = "exports",
    ) -> None:
        super().__init__("loss", export_folder)
        _check(networks, images, titles)
        teacher, *students = (copy.deepcopy(network).eval() for network in networks.values())
        self.students = dict(zip(list(networks)[1:], students, strict=True))
        self.images, self.titles = images, tuple(titles) or ("",) * len(images)
        self.classes, self.multilabel = tuple(classes), multilabel
        self.target, self.explanation = explain(teacher, images), explanation_of(teacher)
        self.picture: LossPicture | None = None
        kept = min(_TERMS_KEPT, max(8, _PIXELS_KEPT // (images.shape[2] * images.shape[3])))
        self._terms = functools.lru_cache(kept)(self._compute)
        self._pictures: dict[Hashable, LossPicture] = {}
        self._make_choices()
        self.lam = ValueSlider("λ", lambdas, lam)
        self.tau = ValueSlider("τ", taus, tau, positive=True)
        for control in (self.student, self.view, self.number, self.whole_batch):
            control.observe(self.redraw, "value")
        for control in (self.lam, self.tau):
            control.observe(self._move, "value")
        self.arrange(
            [self.student],
            [self.view],
            [self.number],
            [self.whole_batch],
            [self.lam],
            [self.tau],
            [self.export_button],
            beside=True,
        )
        self.redraw()

    def _make_choices(self) -> None:
        """Controls that change more than temperature and weight, and thus redraw everything."""
        self.student = switch(
            "Student",
            [(title_of("method", name), name) for name in self.students],
            width=90,
            shown=len(self.students) > 1,
            value="e2kd" if "e2kd" in self.students else next(iter(self.students)),
        )
        self.view = maps_switch(self.explanation, shown=self.explanation.has_contributions)
        self.number = widgets.SelectionSlider(
            description="Image",
            options=[(f"{number + 1} {title}".strip(), number) for number, title in enumerate(self.titles)],
            continuous_update=False,  # an image takes a moment when it is looked at first
            layout=widgets.Layout(width="420px"),
        )
        self.whole_batch = switch("Loss of", [("this image", False), ("all images", True)], width=110)

    def draw(self) -> None:
        """See `Panel.draw`."""
        self.picture = None  # if drawing fails, no old picture must stay
        number, student = self.number.value, self.student.value
        alone = self._terms(student, number)
        batch = self._terms(student, None) if self.whole_batch.value else None
        shown: dict[str, Any] = {"tau": self.tau.value, "lam": self.lam.value, "batch": batch}
        shown |= {"image": self.images[number], "terms": alone, "title": self.titles[number]}
        key = student, self.view.value, len(classes_shown(alone)), self.figure_options
        if key in self._pictures:
            picture = self._pictures[key]
            picture.look(**shown)
        else:
            picture = LossPicture(
                student=student,
                classes=self.classes,
                contributions=self.view.value,
                explanation=self.explanation,
                **shown,
            )
            self._pictures = {**dict(list(self._pictures.items())[1 - _PICTURES_KEPT :]), key: picture}
        self.picture = picture
        self._show(self.picture)
        if dead_maps(alone.student.maps).item():
            self.say("The student's map is zero everywhere: its cosine is 0, and so is its gradient.")
        else:
            self.say(
                "Networks are in evaluation mode. Gradients are those of the student's parameters: λ scales the "
                "explanation loss's, τ changes the distillation loss's, and a step goes against their sum."
            )

    @shows_errors
    def _move(self, _: Any) -> None:
        if self.picture is None:  # drawing failed
            self.draw()
            return
        self.picture.move(self.tau.value, self.lam.value)
        self._show(self.picture)

    def _show(self, picture: LossPicture) -> None:
        number, student, whole = self.number.value, self.student.value, self.whole_batch.value
        lam, tau = self.lam.value, self.tau.value
        name = "".join(letter if letter.isalnum() else "_" for letter in student)
        scope = "all" if whole else "one"
        view = "_contributions" if self.view.value else ""
        self.export_name = f"loss_{name}_image{number + 1}_{scope}_lam{lam:g}_tau{tau:g}{view}"
        columns = {
            "student": student,
            "image": number + 1,
            "title": self.titles[number],
            "images_in_loss": len(self.images) if whole else 1,
            "lam": lam,
            "tau": tau,
        }
        self.show(picture.figure, picture.data.assign(**columns), picture.png())

    def caption(self) -> str:
        """See `Panel.caption`; the runs are those of the networks that were given."""
        if self.picture is None:
            return ""
        scope = f"{len(self.images)} images" if self.whole_batch.value else "an image"
        student = title_of("method", self.student.value)
        weights = f"λ = {self.lam.value:g}, τ = {self.tau.value:g}"
        return caption(f"the e²KD loss of {scope} and its gradients, student {student}, {weights}", pd.DataFrame())

    def _compute(self, student: str, number: int | None) -> LossTerms:
        """Loss terms of one image, or of all images."""
        chosen = slice(None) if number is None else slice(number, number + 1)
        target = Explanation(*(part[chosen] for part in self.target))
        which = f"all {len(self.images)} images" if number is None else f"image {number + 1}"
        with self.computing(f"maps and gradients of {title_of('method', student)} on {which}"):
            return loss_terms(self.students[student], self.images[chosen], target, multilabel=self.multilabel)


def _check(networks: Mapping[str, ExplainableModel], images: Tensor, titles: Sequence[str]) -> None:
    if len(networks) < 2 or not len(images):
        raise ExperimentError(
            f"LossLab got {len(networks)} networks and {len(images)} images; "
            "expected a teacher, at least one student and at least one image."
        )
    if titles and len(titles) != len(images):
        raise ExperimentError(f"LossLab got {len(titles)} titles for {len(images)} images; expected one for each.")
