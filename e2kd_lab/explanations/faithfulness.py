"""Faithfulness of a network's explanations: do they say what the network itself computes?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from e2kd_lab.explanations.evidence import evidence_maps
from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.metrics import (
    area_under,
    deletion_curve,
    grid_members,
    grid_pointing_game,
    image_grids,
    infidelity,
    insertion_curve,
    sensitivity,
)
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.memory_format import frozen_copy
from e2kd_lab.system.errors import ExperimentError

_PATCHES, _COPIES, _RADIUS = 16, 4, 0.02  # removed squares, noisy copies of an image, and their largest noise
_PIXELS_AT_ONCE = 2**22


def faithfulness(model: ExplainableModel, images: Tensor, *, steps: int = 32) -> dict[str, Tensor]:
    """Measures of a network and its own explanations of its own predictions.

    They are of the evidence (see `e2kd_lab.explanations.evidence_maps`). The same images give the same numbers.

    Parameters
    ----------
    model : ExplainableModel
        In evaluation mode.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), on the model's device.
    steps : int
        Steps of the insertion and deletion curves.

    Returns
    -------
    dict
        Values (N,) by measure: ``insertion`` (up is better), ``deletion`` (down), their difference
        ``insertion_minus_deletion`` (up), ``deletion_least_first`` (up), ``infidelity`` of the best multiple of the map
        when random squares are removed (down), ``sensitivity`` to noise of 0.02 (down). NaN where it is not defined.

    Raises
    ------
    ExperimentError
        If the model's explanation cannot explain it.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=3).eval()
    >>> sorted(faithfulness(model, torch.rand(2, 3, 32, 32), steps=4))[:2]
    ['deletion', 'deletion_least_first']
    """
    model = frozen_copy(model, (images.shape[2], images.shape[3]))  # the curves take most of the time
    _, classes, maps = explain_in_parts(model, images)
    evidence = evidence_maps(model, images, maps)
    common = (lambda some: logits_in_parts(model, some), images, evidence, classes)
    insertion = area_under(insertion_curve(*common, steps=steps))
    deletion = area_under(deletion_curve(*common, steps=steps))
    return {
        "insertion": insertion,
        "deletion": deletion,
        "insertion_minus_deletion": insertion - deletion,
        "deletion_least_first": area_under(deletion_curve(*common, steps=steps, least_first=True)),
        "infidelity": _infidelity(model, images, evidence, classes),
        "sensitivity": _sensitivity(model, images, evidence, classes),
    }


def grid_pointing(model: ExplainableModel, images: Tensor, labels: Tensor, *, side: int = 2, count: int = 64) -> Tensor:
    """GridPG of grids of images that the network classifies correctly and confidently, each of another class.

    Parameters
    ----------
    model : ExplainableModel
        In evaluation mode.
    images, labels : Tensor
        RGB images in [0, 1], (N, 3, H, W), and their classes (N,).
    side : int
        Cells m in a row.
    count : int
        Maximum number of grids.

    Returns
    -------
    Tensor
        A value in [0, 1] for each cell of each grid, (G * m^2,); by chance 1 / m^2. Empty if there are too few classes
        or images.

    Raises
    ------
    ExperimentError
        If the network takes images of one size only.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=3).eval()
    >>> grid_pointing(model, torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])).shape  # three classes make no grid
    torch.Size([0])
    """
    members = grid_members(logits_in_parts(model, images), labels, side, count=count)
    values: list[Tensor] = []
    for cells in members.to(images.device):
        grid = image_grids(images[cells][None])
        if not values:
            _require_any_size(model, grid)
        several = grid.expand(len(cells), -1, -1, -1)
        maps = explain_in_parts(model, several, labels.to(images.device)[cells]).maps
        evidence = evidence_maps(model, several, maps)
        values.append(grid_pointing_game(evidence, torch.arange(len(cells), device=images.device), side))
    return torch.cat(values) if values else images.new_zeros(0)


@dataclass(frozen=True)
class Mosaics:
    """Grids of images, and evidence of several networks for the class of one cell of each grid.

    Attributes
    ----------
    images : Tensor
        (G, 3, m H, m W).
    cells : Tensor
        The cell whose class is explained, integers (G,), row by row.
    side : int
        Cells m in a row.
    maps : dict
        Evidence (G, m H, m W) by network name.
    values : dict
        GridPG (G,), in [0, 1], by network name.
    """

    images: Tensor
    cells: Tensor
    side: int
    maps: dict[str, Tensor]
    values: dict[str, Tensor]


def grid_mosaics(
    networks: Mapping[str, ExplainableModel],
    images: Tensor,
    labels: Tensor,
    *,
    side: int = 2,
    count: int = 2,
    least: float = 0.5,
) -> Mosaics:
    """Grids of `grid_pointing` to look at: of images that every network classifies correctly and confidently.

    Parameters
    ----------
    networks : mapping
        Networks in evaluation mode by name.
    images, labels, side
        See `grid_pointing`.
    count : int
        Maximum number of grids; each has another cell explained.
    least : float
        Minimum probability of an image's class, in [0, 1).

    Raises
    ------
    ExperimentError
        If there are too few classes with such images, or a network takes images of one size only.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model, images = lab.build_model("resnet_mini", num_classes=3).eval(), torch.rand(4, 3, 16, 16)
    >>> known = model(model.preprocess(images)).argmax(1)
    >>> grid_mosaics({"teacher": model}, images, known, side=1, least=0.0).maps["teacher"].shape
    torch.Size([2, 16, 16])
    """
    logits = [logits_in_parts(model, images) for model in networks.values()]
    known = torch.ones(len(images), dtype=torch.bool, device=images.device)
    for one in logits:
        probabilities, predictions = one.softmax(1).max(1)
        known &= (predictions == labels.to(images.device)) & (probabilities >= least)
    places = known.nonzero()[:, 0]
    own = labels.to(images.device)[places]
    members = places[grid_members(logits[0][places], own, side, count=count, least=least).to(images.device)]
    if not len(members):
        raise ExperimentError(
            f"Fewer than {side**2} classes have an image that all of {', '.join(networks)} classify correctly and "
            "confidently; expected more images or better networks, for grids of them."
        )
    grids = image_grids(images[members])
    cells = torch.arange(len(members), device=images.device) % side**2
    classes = labels.to(images.device)[members.gather(1, cells[:, None])[:, 0]]
    maps, values = {}, {}
    for name, model in networks.items():
        _require_any_size(model, grids[:1])
        maps[name] = evidence_maps(model, grids, explain_in_parts(model, grids, classes).maps)
        values[name] = grid_pointing_game(maps[name], cells, side)
    return Mosaics(grids, cells, side, maps, values)


def _require_any_size(model: ExplainableModel, grid: Tensor) -> None:
    try:
        logits_in_parts(model, grid)
    except (AssertionError, RuntimeError, ValueError) as error:
        name = type(getattr(model, "wrapped", model)).__name__
        raise ExperimentError(
            f"{name} takes images of one size only ({error}); expected one that takes larger images, for GridPG."
        ) from error


@torch.no_grad()
def logits_in_parts(model: ExplainableModel, images: Tensor) -> Tensor:
    """Logits (N, K) of any number of RGB images (N, 3, H, W) in bounded memory."""
    parts = images.split(max(1, _PIXELS_AT_ONCE // images.shape[2:].numel()))
    return torch.cat([model(model.preprocess(part)) for part in parts])


def _infidelity(model: ExplainableModel, images: Tensor, evidence: Tensor, classes: Tensor) -> Tensor:
    """Infidelity when random squares of a quarter of the side become the mean colour."""
    count, _, height, width = images.shape
    generator, high, wide = torch.Generator().manual_seed(0), max(1, height // 4), max(1, width // 4)
    rows, columns = torch.arange(height, device=images.device)[:, None], torch.arange(width, device=images.device)
    mean = images.mean(dim=(2, 3), keepdim=True)
    before = logits_in_parts(model, images).gather(1, classes[:, None])[:, 0]
    squares, falls = [], []
    for _ in range(_PATCHES):
        top = torch.randint(height - high + 1, (count, 1, 1), generator=generator).to(images.device)
        left = torch.randint(width - wide + 1, (count, 1, 1), generator=generator).to(images.device)
        square = (rows >= top) & (rows < top + high) & (columns >= left) & (columns < left + wide)
        after = logits_in_parts(model, torch.where(square[:, None], mean, images))
        squares.append(square)
        falls.append(before - after.gather(1, classes[:, None])[:, 0])
    return infidelity(torch.stack(squares), evidence, torch.stack(falls), scaled=True)


def _sensitivity(model: ExplainableModel, images: Tensor, evidence: Tensor, classes: Tensor) -> Tensor:
    generator, moved = torch.Generator().manual_seed(0), []
    for _ in range(_COPIES):
        noise = _RADIUS * (2 * torch.rand(images.shape, generator=generator) - 1).to(images)
        noisy = (images + noise).clamp(0, 1)
        moved.append(evidence_maps(model, noisy, explain_in_parts(model, noisy, classes).maps))
    return sensitivity(evidence, torch.stack(moved))
