"""What the paper varies in an experiment: its settings, and the hyper-parameters that it tried."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from e2kd_lab.methods import grid_of, method_names

# Of an experiment's fields; a function of the experiment where they depend on it.
Changes = Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """Settings and grids of an experiment.

    Attributes
    ----------
    settings : mapping
        The experiment's variants, for instance columns of a table, and what each changes.
    grids : mapping or None
        Values of hyper-parameters that the paper tried with each method; None for all methods with their own grids.
    titles : mapping
        Settings as titles, figures and tables call them, where that is not their name.
    beyond : tuple of str
        Settings that the paper does not have; its figures, tables and sweeps leave them out.
    """

    settings: Mapping[str, Changes] = field(default_factory=lambda: {"base": {}})
    grids: Mapping[str, Sequence[Mapping[str, float]]] | None = None
    titles: Mapping[str, str] = field(default_factory=dict)
    beyond: tuple[str, ...] = ()

    def title(self, setting: str) -> str:
        """Title of a setting; empty for a base setting without one.

        Examples
        --------
        >>> plan = Plan({"10-shots": {"shots": 10}, "base": {}})
        >>> plan.title("10-shots"), plan.title("base")
        ('10 shots', '')
        """
        return self.titles.get(setting, "" if setting == "base" else re.sub("[-_]", " ", setting))

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that were tried."""
        if self.grids is not None:
            return tuple(self.grids)
        return tuple(name for name in method_names() if name != "teacher")

    def values(self, method: str) -> Sequence[Mapping[str, float]]:
        """Values to try with a method: the paper's, or else the method's own grid."""
        return (self.grids or {}).get(method) or grid_of(method)
