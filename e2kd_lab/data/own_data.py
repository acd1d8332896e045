"""A researcher's own data, as an experiment sees them: the interface of all sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.splits import Split
from e2kd_lab.metrics.groups import AVERAGES
from e2kd_lab.system.errors import DataError, shown

# Rows of tables that are neither a class nor a group (see `e2kd_lab.metrics.group_means`).
RESERVED = (*AVERAGES, "in_distribution", "out_of_distribution")


class OwnData:
    """Base class of `e2kd_lab.data.own_images.OwnImages` and `e2kd_lab.data.own_datasets.OwnDatasets`.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes, in the order of their numbers.
    groups : tuple of str
        Names of the groups, in the order of their numbers; empty without groups.
    notes : tuple of str
        Sentences about what was guessed.
    """

    classes: tuple[str, ...]
    groups: tuple[str, ...]
    notes: tuple[str, ...]

    def split(self, name: Split, transform: Callable | None = None, fit: Callable | None = None) -> Dataset:
        """A split as a data set of dictionaries: ``image``, ``label``, ``index`` and, with groups, ``group``.

        Parameters
        ----------
        name : str
            ``train``, ``val`` or ``test``.
        transform, fit : callable, optional
            torchvision v2 transforms, of images as they are on disk, and of images that are already preprocessed.
        """
        raise NotImplementedError

    def labels(self, name: Split) -> Tensor:
        """Class of each image of a split, integers (N,)."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """A string that identifies the content."""
        raise NotImplementedError

    def look_through(self) -> Findings:
        """Read every image once; what was skipped and repaired.

        Raises
        ------
        DataError
            At the first image that cannot be read.
        """
        raise NotImplementedError


def check_names(where: str, classes: Sequence[str], groups: Sequence[str]) -> None:
    """Refuse names of classes and groups that would be ambiguous in tables of results.

    Raises
    ------
    DataError
        If a name occurs twice or is reserved.
    """
    taken = set(RESERVED)
    for kind, names in (("class", classes), ("group", groups)):
        for name in names:
            if name in taken:
                raise DataError(
                    f"{where}: a {kind} is named '{shown(name)}', under which tables have another number; expected "
                    f"another name for this {kind}."
                )
            taken.add(name)
