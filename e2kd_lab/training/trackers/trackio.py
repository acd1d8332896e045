"""trackio: a database on this machine; ``trackio show`` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from e2kd_lab.training.trackers.interface import register_tracker
from e2kd_lab.training.trackers.wandb import WandB


@register_tracker("trackio")
class Trackio(WandB):
    """A run in a project named after the experiment; a resumed run goes on in its own. Its API is that of W&B."""

    package: ClassVar[str] = "trackio"

    def open(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        project = str(config["name"])
        self._run = self.library.init(project, name=name, config=dict(config), resume="allow", embed=False)
