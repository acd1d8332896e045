"""TensorBoard: event files in the run's folder; ``tensorboard --logdir runs`` shows all runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from e2kd_lab.training.trackers.interface import Tracker, register_tracker


@register_tracker("tensorboard")
class TensorBoard(Tracker):
    """Writes into ``tensorboard`` in the run's folder."""

    package: ClassVar[str] = "tensorboard"

    def open(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"))
        rows = "\n".join(f"| {key} | {json.dumps(value)} |" for key, value in config.items())
        self._writer.add_text("configuration", f"| field | value |\n|---|---|\n{rows}")

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        self._writer.add_image(name, picture, step, dataformats="HWC")

    def table(self, name: str, rows: pd.DataFrame) -> None:
        lines = "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows.to_numpy())
        self._writer.add_text(name, f"| {' | '.join(rows.columns)} |\n{'|---' * len(rows.columns)}|\n{lines}")

    def close(self) -> None:
        self._writer.close()
