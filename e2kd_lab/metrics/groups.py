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
    per_group = {
        name: values[groups == number].mean().item() for number, name in enumerate(GROUPS) if (groups == number).any()
    }
    for name, members in (("in_distribution", IN_DISTRIBUTION), ("out_of_distribution", OUT_OF_DISTRIBUTION)):
        chosen = _member_of(groups, members)
        if chosen.any():
            means[name] = values[chosen].mean().item()
    return means | per_group | {"mean": sum(per_group.values()) / len(per_group), "worst": min(per_group.values())}


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
