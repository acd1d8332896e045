"""trackio: a database on this machine; ``trackio show`` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from e2kd_lab.training.trackers.interface import Tracker, register_tracker


@register_tracker("trackio")
class Trackio(Tracker):
    """A run in a project named after the experiment; a resumed run goes on in its own."""

    package: ClassVar[str] = "trackio"

    def open(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        import trackio

        self._run = trackio.init(str(config["name"]), name=name, config=dict(config), resume="allow", embed=False)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        import trackio

        self._run.log({name: trackio.Image(picture)}, step=step)

    def table(self, name: str, rows: pd.DataFrame) -> None:
        import trackio

        self._run.log({name: trackio.Table(dataframe=rows)})

    def close(self) -> None:
        self._run.finish()
