"""What a reader of data skipped, repaired or noticed, counted for `data check` and said once in training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from e2kd_lab.system.errors import note, shown

Action = Literal["skipped", "repaired", "noticed"]
_ACTIONS: tuple[Action, ...] = ("skipped", "repaired", "noticed")


class Findings:
    """Counts of what was skipped, repaired and noticed, with the first example of each kind.

    Examples
    --------
    >>> findings = Findings()
    >>> findings.add("skipped", "hidden or system entries", "Thumbs.db")
    >>> findings.add("skipped", "hidden or system entries", ".DS_Store")
    >>> findings.sentences()
    ['skipped: hidden or system entries (2, such as Thumbs.db)']
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[Action, str], int] = {}
        self._examples: dict[tuple[Action, str], str] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, action: Action, kind: str, example: object) -> None:
        """Count one more of a kind, such as ``hidden or system entries``."""
        self._counts[action, kind] = self._counts.get((action, kind), 0) + 1
        self._examples.setdefault((action, kind), str(example))

    def add_repairs(self, kinds: Iterable[str], path: Path) -> None:
        """Count what was repaired in one picture."""
        for kind in kinds:
            self.add("repaired", kind, path.name)

    def add_all(self, other: Findings) -> None:
        """Add the counts of other findings."""
        for key, count in other._counts.items():
            self._counts[key] = self._counts.get(key, 0) + count
            self._examples.setdefault(key, other._examples[key])

    def sentences(self) -> list[str]:
        """A line for each action that occurred."""
        lines = []
        for action in _ACTIONS:
            kinds = [(kind, count) for (done, kind), count in self._counts.items() if done == action]
            parts = [f"{kind} ({count}, such as {shown(self._examples[action, kind])})" for kind, count in kinds]
            lines += [f"{action}: {', '.join(parts)}"] if parts else []
        return lines

    def sentence(self, root: Path) -> str:
        """All of it on one line that names the data set; empty if there is nothing to say."""
        return f"{root}: {'; '.join(self.sentences())}." if self else ""

    def note(self, root: Path) -> None:
        """Say it in one `LabNote`, if there is anything to say."""
        if self:
            note(self.sentence(root))

    def values(self) -> dict[str, list[dict[str, object]]]:
        """The same for programs: for each action, kinds with ``kind``, ``count`` and ``example``."""
        return {
            action: [
                {"kind": kind, "count": count, "example": self._examples[action, kind]}
                for (done, kind), count in self._counts.items()
                if done == action
            ]
            for action in _ACTIONS
        }


def note_repairs(repairs: Iterable[str]) -> None:
    """Say once for each kind of repair that pictures are read with it."""
    for repair in repairs:
        note(f"Pictures in training: {repair}. Each kind is said once; 'e2kd-lab data check' counts all of them.")
