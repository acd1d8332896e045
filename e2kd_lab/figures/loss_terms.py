"""The two terms of the e2KD loss: their inputs, their values, and their gradients (Eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from torch import Tensor

from e2kd_lab.explanations import Comparison, ExplanationMethod
from e2kd_lab.figures.blitting import Blitting
from e2kd_lab.figures.loss_bars import LossBars, LossGradients
from e2kd_lab.figures.loss_inputs import LossMaps, LossProbabilities, shortened
from e2kd_lab.figures.loss_places import LossPlaces
from e2kd_lab.figures.map_pictures import pictures_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import METHOD_COLOURS, METHOD_TITLES, new_figure, styled
from e2kd_lab.training.loss_terms import LossTerms, TermsAtTau


class LossPicture:
    """The e2KD loss of one image (Eq. 2): its maps and distributions, its two terms, and their gradients.

    Left: the maps, each divided by its L2 norm, on one colour scale; and the softened probabilities of the classes that
    the teacher finds most likely, and of the student's first. Right: the loss; and the gradients of its two terms with
    respect to the student's parameters, in the plane they span, with true lengths and angle. A gradient step goes
    against their sum.

    Parameters
    ----------
    image : Tensor
        RGB image in [0, 1], (3, H, W).
    terms : LossTerms
        Loss terms of this image alone, see `e2kd_lab.training.loss_terms`.
    tau, lam : float
        Temperature, > 0, and weight of the explanation loss, >= 0.
    batch : LossTerms, optional
        Show the loss and gradients of these images instead.
    student : str
        Method name of the student, or another title.
    classes : sequence of str
        Names of the classes; numbers by default.
    title : str
        Caption of the image.
    explanation : str or ExplanationMethod
        Explanation method of the maps.
    contributions : bool
        Show each pixel's contribution to the logit instead of W(x), for B-cos networks.

    Attributes
    ----------
    figure : Figure
        As wide as the paper's text, for the last values given to `move`.
    data : DataFrame
        Numbers of the figure: ``part``, ``name``, ``value``. Loss and gradient of the explanation are unweighted, the
        total is weighted.

    Raises
    ------
    ValueError
        If ``terms`` are those of several images.

    Examples
    --------
    >>> import torch
    >>> import e2kd_lab as lab
    >>> teacher, student = (lab.build_model("resnet_mini", 3).eval() for _ in range(2))
    >>> images = torch.rand(1, 3, 32, 32)
    >>> terms = lab.training.loss_terms(student, images, lab.explain(teacher, images))
    >>> picture = LossPicture(images[0], terms, tau=1.0, lam=5.0)
    >>> picture.move(tau=2.0, lam=5.0)
    """

    def __init__(
        self,
        image: Tensor,
        terms: LossTerms,
        *,
        tau: float = 1.0,
        lam: float = 1.0,
        batch: LossTerms | None = None,
        student: str = "e2kd",
        classes: Sequence[str] = (),
        title: str = "",
        contributions: bool = False,
        explanation: ExplanationMethod | str = "gradcam",
    ) -> None:
        names = tuple(classes) or tuple(f"class {number}" for number in range(terms.target.logits.shape[1]))
        self._names, self._explanation, self._contributions = names, explanation, contributions
        student_title = METHOD_TITLES.get(student, student)
        colour = METHOD_COLOURS.get(student, METHOD_COLOURS["baseline"])
        with styled():
            place = LossPlaces.of(current_options().inches)
            self.figure = new_figure(place.height, placed=True)
            self._maps = LossMaps(self.figure, place, student_title)
            self._probabilities = LossProbabilities(self.figure, place, terms, student_title, colour)
            self._loss = LossBars(self.figure, place)
            self._gradients = LossGradients(self.figure, place)
        self._blitting: Blitting | None = None
        self._terms: LossTerms | None = None  # whose image is shown
        self.look(image, terms, tau=tau, lam=lam, batch=batch, title=title)

    def look(
        self,
        image: Tensor,
        terms: LossTerms,
        *,
        tau: float,
        lam: float,
        batch: LossTerms | None = None,
        title: str = "",
    ) -> None:
        """Show another image of the same size, with as many classes (see `classes_shown`)."""
        if len(terms) != 1:
            raise ValueError(f"LossPicture needs the loss terms of one image, got those of {len(terms)}.")
        self.cosine = terms.cosines.item()
        self._weighed = terms if batch is None else batch
        self._loss.scope = "this image" if batch is None else f"{len(batch)} images"
        if terms is not self._terms:
            self._terms = terms
            self._show(image, terms, title)
        self.move(tau, lam)

    def _show(self, image: Tensor, terms: LossTerms, title: str) -> None:
        maps = {"teacher": terms.target.maps, "student": terms.student.maps}
        comparison = Comparison(image[None], maps, {}, explanation=self._explanation)
        explained = shortened(self._names[int(terms.target.classes[0])], 22)
        with styled(self.figure.options):
            self._maps.show(image, pictures_of(comparison, self._contributions))
            self._maps.say(title, explained, self.cosine)
            self._probabilities.look(terms, self._names)
        if self._blitting is not None:
            self._blitting.forget()

    def png(self) -> bytes:
        """The figure for the screen; only what has changed is drawn again."""
        if self._blitting is None:
            moving = [*self._probabilities.moving, *self._loss.moving, *self._gradients.moving]
            changing = [*self._maps.changing, *self._probabilities.changing]
            self._blitting = Blitting(self.figure, moving, changing=changing)
        return self._blitting.png(self._probabilities.axes.get_xlim())

    def move(self, tau: float, lam: float) -> None:
        """Show another temperature and weight."""
        at = self._weighed.at(tau)
        with styled(self.figure.options):
            shown = self._probabilities.show(tau)
            self._loss.show(at, lam)
            self._gradients.show(at, lam)
        self.data = _numbers(shown, self.cosine, at, lam)


def _numbers(probabilities: pd.DataFrame, cosine: float, at: TermsAtTau, lam: float) -> pd.DataFrame:
    rows = [
        (f"{who} probability", name, value)
        for who in ("teacher", "student")
        for name, value in zip(probabilities["class"], probabilities[who], strict=True)
    ]
    rows += [
        ("explanation cosine", "this image", cosine),
        ("loss", "kd", at.kd_loss),
        ("loss", "explanation", at.explanation_loss),
        ("loss", "total", at.loss(lam)),
        ("gradient norm", "kd", at.kd_gradient),
        ("gradient norm", "explanation", at.explanation_gradient),
        ("gradient norm", "total", at.gradient(lam)),
        ("angle", "kd and explanation", at.angle),
    ]
    return pd.DataFrame(rows, columns=["part", "name", "value"])
