"""Weights & Biases: online, or with ``WANDB_MODE=offline`` into files in the run's folder, for ``wandb sync``."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from e2kd_lab.training.trackers.interface import Tracker, register_tracker


@register_tracker("wandb")
class WandB(Tracker):
    """A run in a project named after the experiment, or by ``WANDB_PROJECT``; a resumed run goes on in its own."""

    package: ClassVar[str] = "wandb"

    @property
    def library(self) -> Any:
        """The package, imported when it is used."""
        return importlib.import_module(self.package)

    def open(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        self._run = self.library.init(
            project=os.environ.get("WANDB_PROJECT", str(config["name"])),
            id=name,
            name=name,
            resume="allow",
            dir=str(folder),
            config=dict(config),
        )

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        self._run.log({name: self.library.Image(picture)}, step=step)

    def table(self, name: str, rows: pd.DataFrame) -> None:
        self._run.log({name: self.library.Table(dataframe=rows)})

    def close(self) -> None:
        self._run.finish()
