"""The report of `data check`: what a data set holds, and what was repaired and skipped to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2kd_lab.data.findings import Findings


@dataclass(frozen=True)
class Report:
    """What was found in a data set, all of which was read.

    Attributes
    ----------
    layout : str
        Name of the layout.
    root : Path
        The folder or file that was read.
    read : mapping of str to int
        Numbers of what was read, such as ``images``.
    lines : tuple of str
        Counts by split, class or group, as a table.
    findings : Findings
        What was skipped, repaired and noticed.
    guesses : tuple of str
        Sentences about what was guessed, such as which images were held out.
    """

    layout: str
    root: Path
    read: Mapping[str, int]
    lines: tuple[str, ...] = ()
    findings: Findings = field(default_factory=Findings)
    guesses: tuple[str, ...] = ()

    def __str__(self) -> str:
        first, *others = (f"{count} {name}" for name, count in self.read.items())
        head = f"{self.root}: {first}, all of them readable ({', '.join([self.layout, *others])})"
        found = self.findings.sentences() or ["repaired and skipped: nothing"]
        return "\n".join([head, *self.lines, "", *found, *(f"guessed: {sentence}" for sentence in self.guesses)])

    def values(self) -> dict[str, Any]:
        """The same for programs, as plain values."""
        return {
            "layout": self.layout,
            "root": str(self.root),
            "read": dict(self.read),
            **self.findings.values(),
            "guessed": list(self.guesses),
            "refused": None,
        }


def refused(root: Path | str, sentence: str) -> dict[str, Any]:
    """`Report.values` of a set that was refused, with the reason."""
    return {"layout": None, "root": str(root), "read": {}, **Findings().values(), "guessed": [], "refused": sentence}
