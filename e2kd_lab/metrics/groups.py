"""Accuracy and means per group of images: Waterbirds' groups, your own, or classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
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


@dataclass(frozen=True)
class Grouping:
    """Names and unions of numbered groups.

    Parameters
    ----------
    names : tuple of str
        Name of each group, in the order of their numbers.
    unions : mapping
        Names of sets made of several groups, and the names of these groups.
    titles : mapping
        Titles of groups in figures; by default their names.

    Raises
    ------
    ValueError
        If a name is used twice, or is that of a union or an average.
    """

    names: tuple[str, ...]
    unions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, name in enumerate(self.names):
            if name in (*AVERAGES, *self.unions) or name in self.names[:number]:
                raise ValueError(
                    f"The group name '{name}' is taken by another group, a union or an average; expected unique names "
                    f"other than {', '.join((*AVERAGES, *self.unions))}."
                )

    def title(self, number: int) -> str:
        """Title of a group in figures."""
        return self.titles.get(self.names[number], self.names[number])

    def members(self, groups: Tensor) -> dict[str, Tensor]:
        """Membership of each image in the unions and groups, without those that have no images.

        Parameters
        ----------
        groups : Tensor
            Group of each image, integers, (N,).

        Returns
        -------
        dict
            Boolean tensors, (N,), by name; unions come first.

        Examples
        --------
        >>> list(WATERBIRDS.members(torch.tensor([0, 3, 3])))
        ['in_distribution', 'LL', 'WW']
        """
        numbers = {name: [self.names.index(member) for member in union] for name, union in self.unions.items()}
        numbers |= {name: [number] for number, name in enumerate(self.names)}
        found = {name: torch.isin(groups, groups.new_tensor(chosen)) for name, chosen in numbers.items()}
        return {name: chosen for name, chosen in found.items() if chosen.any()}


# Entries of `group_means` for any groups.
AVERAGES = ("all", "mean", "worst")
WATERBIRDS = Grouping(
    GROUPS, {"in_distribution": IN_DISTRIBUTION, "out_of_distribution": OUT_OF_DISTRIBUTION}, GROUP_TITLES
)


def group_means(values: Tensor, groups: Tensor | None = None, grouping: Grouping = WATERBIRDS) -> dict[str, float]:
    """Average a per-image value over all images and over groups of them.

    Parameters
    ----------
    values : Tensor
        One value per image, (N,), N >= 1.
    groups : Tensor, optional
        Group of each image, integers, (N,); 2 * label + place for Waterbirds. None for data without groups.
    grouping : Grouping
        Names of these groups; Waterbirds' by default.

    Returns
    -------
    dict
        ``all``; with groups also each union and group with images, ``mean`` and ``worst`` (mean and minimum over the
        groups). Waterbirds has the groups ``LL``, ``LW``, ``WL``, ``WW`` and the unions ``in_distribution`` (LL and WW)
        and ``out_of_distribution`` (LW and WL).

    Raises
    ------
    ValueError
        If there is no image, the lengths differ or a group number is out of range.

    Examples
    --------
    >>> group_means(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0, 0, 3]))["worst"]
    0.5
    """
    values = values.double()
    if not len(values):
        raise ValueError("group_means needs at least one value, got none.")
    means = {"all": values.mean().item()}
    if groups is None:
        return means
    if groups.shape != values.shape or groups.min() < 0 or groups.max() >= len(grouping.names):
        raise ValueError(
            f"group_means needs one group in 0..{len(grouping.names) - 1} for each of {len(values)} values, "
            f"got shape {tuple(groups.shape)} with values {groups.min()}..{groups.max()}."
        )
    found = {name: values[chosen].mean().item() for name, chosen in grouping.members(groups).items()}
    per_group = [value for name, value in found.items() if name in grouping.names]
    return means | found | {"mean": sum(per_group) / len(per_group), "worst": min(per_group)}


def group_accuracy(
    predictions: Tensor, targets: Tensor, groups: Tensor | None = None, grouping: Grouping = WATERBIRDS
) -> dict[str, float]:
    """Share of images whose prediction is the target, overall and per group.

    With the teacher's predictions as targets this is the agreement (Eq. 4) per group. With the targets as groups,
    ``mean`` is the balanced accuracy: the mean recall over classes.

    Parameters
    ----------
    predictions, targets : Tensor
        Class indices, (N,).
    groups, grouping
        Group of each image and the groups' names, see `group_means`.

    Returns
    -------
    dict
        Shares in [0, 1], keyed as in `group_means`.

    Raises
    ------
    ValueError
        As `group_means`.

    Examples
    --------
    >>> predictions, targets = torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 1])
    >>> group_accuracy(predictions, targets, groups=torch.tensor([0, 1, 2, 3]))["out_of_distribution"]
    0.5
    """
    return group_means(predictions == targets, groups, grouping)
