"""Training callbacks: the base class, and the progress bar."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import pandas as pd
from torch import Tensor
from tqdm.auto import tqdm

from e2kd_lab.models import ExplainableModel


class Watcher:
    """Receives what happens during training and may stop it; this base class only lets it run.

    Override the methods of interest and hand an object to ``lab.run(experiment, watchers=[...])``. They are called on
    the thread that trains, on the first process only.

    Attributes
    ----------
    error : BaseException or None
        What the watcher raised. It never ends a training: the watcher is not asked again, and training goes on to the
        same numbers.

    Examples
    --------
    >>> class StopWhenGood(Watcher):
    ...     good = False
    ...
    ...     def on_rows(self, rows):
    ...         accuracy = rows.query("split == 'val' and metric == 'accuracy' and group == 'all'")["value"]
    ...         self.good |= (accuracy > 90).any()
    ...
    ...     def should_stop(self):
    ...         return self.good
    """

    error: BaseException | None = None

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        """Training of ``title`` begins at ``step`` of ``total_steps``."""

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        """``step`` steps are done; ``losses`` are the last one's, on the device."""

    def on_rows(self, rows: pd.DataFrame) -> None:
        """Losses of an epoch or measures, as in ``metrics.csv``; of a resumed run, first all that it had."""

    def on_network(self, network: ExplainableModel) -> None:
        """An epoch has ended; ``network`` is the one in training, to be looked at and left as it is."""

    def on_end(self, title: str) -> None:
        """Training of ``title`` has ended or stopped."""

    def should_stop(self) -> bool:
        """Whether training should save its state and stop after the present step."""
        return False


class ProgressBar(Watcher):
    """A progress bar in the terminal or notebook that vanishes when training ends.

    Examples
    --------
    ``lab.run`` shows one unless told otherwise; other programs that train may use it, too.

    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke").replace(method="kd")
    >>> lab.run(experiment, progress=False, watchers=[ProgressBar()])  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        self.close()
        self._bar = tqdm(desc=title, initial=step, total=total_steps, unit="step", leave=False, dynamic_ncols=True)

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        if self._bar is not None:
            # Reading the loss waits for the device: rarely enough not to slow it down.
            if step % 10 == 0:
                self._bar.set_postfix_str(f"loss {losses['loss'].item():.4f}", refresh=False)
            self._bar.update(step - self._bar.n)

    def on_end(self, title: str) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
