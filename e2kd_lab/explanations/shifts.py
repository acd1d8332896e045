"""Explanations of shifted images (Sec. 4.3.2).

A shifted image is another crop of the same larger picture, so that what moves in at its edges is part of the scene and
no padding: of a picture of side S + T_max, the crop that begins at T_max - T shows everything T pixels further down and
to the right than the crop that begins at T_max, which is the unshifted image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.explanations.evidence import evidence_maps
from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.explanations.registry import explanation_of
from e2kd_lab.metrics.shift_similarity import shift_similarity
from e2kd_lab.models import ExplainableModel


def shifted_crops(images: Tensor, size: int, shift: int) -> Tensor:
    """Crops whose content lies ``shift`` pixels further down and to the right than in the crops of shift 0.

    Parameters
    ----------
    images : Tensor
        Larger images, (N, C, H, W).
    size : int
        S, side of the crops.
    shift : int
        T, in [0, min(H, W) - S].

    Returns
    -------
    Tensor
        (N, C, S, S), a view.

    Raises
    ------
    ValueError
        If the images are too small for this shift.
    """
    height, width = images.shape[-2:]
    if not 0 <= shift <= min(height, width) - size:
        raise ValueError(
            f"Crops of {size} pixels from images of {height} x {width} can be shifted by 0 to "
            f"{min(height, width) - size} pixels, got {shift}."
        )
    top, left = height - size - shift, width - size - shift
    return images[..., top : top + size, left : left + size]


def shift_curve(
    model: ExplainableModel, images: Tensor, *, size: int, shifts: Sequence[int], classes: Tensor | None = None
) -> Tensor:
    """How similar the explanations of shifted images are to those of the unshifted ones (Fig. 4, centre).

    Parameters
    ----------
    model : ExplainableModel
        In evaluation mode.
    images : Tensor
        Larger RGB images in [0, 1], (N, 3, H, W), on the model's device; see `shifted_crops`.
    size : int
        Side of the images that the network sees.
    shifts : sequence of int
        Each T in [0, min(H, W) - size].
    classes : Tensor, optional
        The class explained at all shifts of an image, (N,); what the model predicts for the unshifted one if None.

    Returns
    -------
    Tensor
        Cosines of the evidence maps on the shared area, (N, len(shifts)), in [-1, 1]; see
        `e2kd_lab.metrics.shift_similarity`. Without gradient.

    Raises
    ------
    ValueError
        If the images are too small for a shift.
    """
    unshifted = shifted_crops(images, size, 0)
    explanation = explain_in_parts(model, unshifted, classes)
    reference = evidence_maps(model, unshifted, explanation.maps)
    cosines = []
    for shift in shifts:
        crops = shifted_crops(images, size, shift)
        maps = evidence_maps(model, crops, explain_in_parts(model, crops, explanation.classes).maps)
        cosines.append(shift_similarity(reference, maps, shift))
    return torch.stack(cosines, dim=1) if cosines else reference.new_zeros(len(images), 0)


def compare_shifted(
    models: Mapping[str, ExplainableModel],
    images: Tensor,
    labels: Tensor | None = None,
    *,
    size: int,
    shifts: Sequence[int],
    titles: Sequence[str] = (),
) -> Comparison:
    """Explain images at several shifts by several networks, each image for one class at all shifts (Fig. 4, A5).

    Parameters
    ----------
    models : mapping
        Networks in evaluation mode by name; the first one is the teacher, whose prediction on the unshifted image all
        of them explain.
    images : Tensor
        Larger RGB images in [0, 1], (N, 3, H, W); see `shifted_crops`.
    labels : Tensor, optional
        Ground-truth classes, (N,); if None, a network counts as correct where it predicts the explained class.
    size : int
        Side of the images that the networks see.
    shifts : sequence of int
        The shifts T in the order in which they follow each other, for instance (0, 8).
    titles : sequence of str
        A title for each image, or none; shifted ones get an arrow and their shift.

    Returns
    -------
    Comparison
        N * len(shifts) images: the first one at all shifts, then the second one, and so on.

    Raises
    ------
    ValueError
        If there is no shift, or the images are too small for one.
    """
    if not shifts:
        raise ValueError("compare_shifted needs at least one shift, got none.")
    crops = torch.stack([shifted_crops(images, size, shift) for shift in shifts], dim=1).flatten(0, 1)
    teacher = next(iter(models.values()))
    classes = explain_in_parts(teacher, shifted_crops(images, size, 0)).classes
    right = classes if labels is None else torch.as_tensor(labels, device=classes.device)
    classes, right = classes.repeat_interleave(len(shifts)), right.repeat_interleave(len(shifts))
    maps, correct = {}, {}
    for name, model in models.items():
        explanation = explain_in_parts(model, crops, classes)
        maps[name], correct[name] = explanation.maps, explanation.logits.argmax(1) == right
    named = titles or [""] * len(images)
    written = tuple(f"{title} ↘ {shift} px".strip() if shift else title for title in named for shift in shifts)
    return Comparison(
        crops,
        maps,
        correct,
        titles=written,
        explanation=explanation_of(teacher),
        family=teacher.family,
    )


def similarities(comparison: Comparison, shifts: Sequence[int]) -> dict[str, Tensor]:
    """The shift curves of images that `compare_shifted` explained.

    Parameters
    ----------
    comparison : Comparison
        N images at each of these shifts, the first of which is 0.
    shifts : sequence of int
        As they were given to `compare_shifted`.

    Returns
    -------
    dict
        For each network, by its name, cosines (N, len(shifts)) as those of `shift_curve` for the teacher's prediction.
    """
    curves = {}
    for name, maps in comparison.maps.items():
        evidence = comparison.method.evidence(maps, comparison.images)
        by_image = evidence[:, 0].unflatten(0, (-1, len(shifts)))  # (N, len(shifts), H, W)
        columns = [shift_similarity(by_image[:, 0], by_image[:, place], shift) for place, shift in enumerate(shifts)]
        curves[name] = torch.stack(columns, dim=1)
    return curves
