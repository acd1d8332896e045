"""Explanations of shifted images (Sec. 4.3.2).

A shifted image is another crop of the same larger image, so that no padding moves in at its edges. From an image of
side S + T_max, the crop that begins at T_max is the unshifted image; the crop that begins at T_max - T shows the same
content T pixels further down and to the right.
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
    """Crops with their content shifted by ``shift`` pixels down and to the right.

    Parameters
    ----------
    images : Tensor
        Images larger than the crops, (N, C, H, W).
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

    Examples
    --------
    >>> image = torch.arange(9).view(1, 1, 3, 3)
    >>> shifted_crops(image, size=2, shift=0).tolist(), shifted_crops(image, size=2, shift=1).tolist()
    ([[[[4, 5], [7, 8]]]], [[[[0, 1], [3, 4]]]])
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
    """Cosine of the explanations of shifted and unshifted images, as a function of the shift (Fig. 4, centre).

    Parameters
    ----------
    model : ExplainableModel
        In evaluation mode.
    images : Tensor
        RGB images in [0, 1] larger than the crops, (N, 3, H, W), on the model's device; see `shifted_crops`.
    size : int
        Side of the crops that the network sees.
    shifts : sequence of int
        Shifts T, each in [0, min(H, W) - size].
    classes : Tensor, optional
        The class explained at all shifts of an image, (N,); the prediction for the unshifted image if None.

    Returns
    -------
    Tensor
        Cosines of the evidence maps on the shared area, (N, len(shifts)), in [-1, 1]; see
        `e2kd_lab.metrics.shift_similarity`. Without gradient.

    Raises
    ------
    ValueError
        If the images are too small for a shift.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=3).eval()
    >>> shift_curve(model, torch.rand(2, 3, 40, 40), size=32, shifts=[0, 4, 8]).shape
    torch.Size([2, 3])
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
        Networks in evaluation mode by name, the teacher first; all explain its prediction for the unshifted image.
    images : Tensor
        RGB images in [0, 1] larger than the crops, (N, 3, H, W); see `shifted_crops`.
    labels : Tensor, optional
        Ground-truth classes, (N,); if None, a network is correct if it predicts the explained class.
    size : int
        Side of the crops that the networks see.
    shifts : sequence of int
        Shifts T in display order, for instance (0, 8).
    titles : sequence of str
        A title for each image, or none; the shift is appended.

    Returns
    -------
    Comparison
        N * len(shifts) images: the first image at all shifts, then the second, and so on.

    Raises
    ------
    ValueError
        If there is no shift, or the images are too small for one.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> models = {name: lab.build_model("resnet_mini", num_classes=2).eval() for name in ("teacher", "student")}
    >>> compare_shifted(models, torch.rand(1, 3, 40, 40), size=32, shifts=(0, 8)).titles
    ('', '↘ 8 px')
    """
    if not shifts:
        raise ValueError("compare_shifted needs at least one shift, got none.")
    crops = torch.stack([shifted_crops(images, size, shift) for shift in shifts], dim=1).flatten(0, 1)
    teacher = next(iter(models.values()))
    classes = explain_in_parts(teacher, shifted_crops(images, size, 0)).classes
    right = classes if labels is None else torch.as_tensor(labels, device=classes.device)
    classes, right = classes.repeat_interleave(len(shifts)), right.repeat_interleave(len(shifts))
    maps, predictions = {}, {}
    for name, model in models.items():
        explanation = explain_in_parts(model, crops, classes)
        maps[name], predictions[name] = explanation.maps, explanation.logits.argmax(1)
    named = titles or [""] * len(images)
    written = tuple(f"{title} ↘ {shift} px".strip() if shift else title for title in named for shift in shifts)
    return Comparison(
        crops,
        maps,
        {name: predicted == right for name, predicted in predictions.items()},
        titles=written,
        explanation=explanation_of(teacher),
        family=teacher.family,
        labels=None if labels is None else right,
        predictions=predictions,
    )


def similarities(comparison: Comparison, shifts: Sequence[int]) -> dict[str, Tensor]:
    """Shift curves from a `compare_shifted` comparison.

    Parameters
    ----------
    comparison : Comparison
        N images at these shifts, the first of which is 0.
    shifts : sequence of int
        As given to `compare_shifted`.

    Returns
    -------
    dict
        Cosines (N, len(shifts)) by network name, as `shift_curve` gives them for the teacher's prediction.
    """
    curves = {}
    for name, maps in comparison.maps.items():
        evidence = comparison.method.evidence(maps, comparison.images)
        by_image = evidence[:, 0].unflatten(0, (-1, len(shifts)))  # (N, len(shifts), H, W)
        columns = [shift_similarity(by_image[:, 0], by_image[:, place], shift) for place, shift in enumerate(shifts)]
        curves[name] = torch.stack(columns, dim=1)
    return curves
