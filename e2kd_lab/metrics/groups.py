"""Waterbirds metrics: per group, in- and out-of-distribution, worst group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

# group = 2 * label + place: the first letter is the bird, the second the background.
GROUPS = ("LL", "LW", "WL", "WW")
GROUP_TITLES: Mapping[str, str] = {
    "LL": "landbird on land",
    "LW": "landbird on water",
    "WL": "waterbird on land",
    "WW": "waterbird on water",
}
IN_DISTRIBUTION = ("LL", "WW")
OUT_OF_DISTRIBUTION = ("LW", "WL")


def group_means(values: Tensor, groups: Tensor | None = None) -> dict[str, float]:
    """Average a per-image value over all images and over the Waterbirds groups.

    Parameters
    ----------
    values : Tensor
        One value an image, (N,), N >= 1.
    groups : Tensor, optional
        Group of each image, 2 * label + place, integers in 0..3, (N,). None for data without groups.

    Returns
    -------
    dict
        ``all``, and with groups also ``LL``, ``LW``, ``WL``, ``WW`` (those with images), ``in_distribution`` (images of
        LL and WW), ``out_of_distribution`` (LW and WL), ``mean`` and ``worst`` (mean and minimum over the groups).

    Raises
    ------
    ValueError
        If there is no image, the lengths differ or a group is not in 0..3.
    """
    values = values.double()
    if not len(values):
        raise ValueError("group_means needs at least one value, got none.")
    means = {"all": values.mean().item()}
    if groups is None:
        return means
    if groups.shape != values.shape or groups.min() < 0 or groups.max() >= len(GROUPS):
        raise ValueError(
            f"group_means needs one group in 0..3 for each of {len(values)} values, "
            f"got shape {tuple(groups.shape)} with values {groups.min()}..{groups.max()}."
        )
    chosen = {name: values[members].mean().item() for name, members in group_members(groups).items()}
    per_group = [value for name, value in chosen.items() if name in GROUPS]
    return means | chosen | {"mean": sum(per_group) / len(per_group), "worst": min(per_group)}


def group_members(groups: Tensor) -> dict[str, Tensor]:
    """Which images belong to each Waterbirds group and distribution.

    Parameters
    ----------
    groups : Tensor
        Group of each image, see `group_means`.

    Returns
    -------
    dict
        Boolean tensors, (N,), of those that have images: ``in_distribution``, ``out_of_distribution``, ``LL``, ``LW``,
        ``WL``, ``WW``.

    Examples
    --------
    >>> import torch
    >>> list(group_members(torch.tensor([0, 3, 3])))
    ['in_distribution', 'LL', 'WW']
    """
    members = {
        "in_distribution": _member_of(groups, IN_DISTRIBUTION),
        "out_of_distribution": _member_of(groups, OUT_OF_DISTRIBUTION),
        **{name: groups == number for number, name in enumerate(GROUPS)},
    }
    return {name: chosen for name, chosen in members.items() if chosen.any()}


def group_accuracy(predictions: Tensor, targets: Tensor, groups: Tensor | None = None) -> dict[str, float]:
    """Share of images whose prediction is the target, overall and per group.

    With the teacher's predictions as targets this is the agreement (Eq. 4) per group.

    Parameters
    ----------
    predictions, targets : Tensor
        Class indices, (N,).
    groups : Tensor, optional
        Group of each image, see `group_means`.

    Returns
    -------
    dict
        Shares in [0, 1] under the names of `group_means`.
    """
    return group_means(predictions == targets, groups)


def _member_of(groups: Tensor, members: Sequence[str]) -> Tensor:
    first, second = (GROUPS.index(name) for name in members)
    return (groups == first) | (groups == second)
