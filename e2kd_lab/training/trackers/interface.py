"""Trackers: watchers that send a run's numbers, pictures and configuration to a dashboard."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations import explanation_of
from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.models import ExplainableModel
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.system.registry import Registry
from e2kd_lab.training.watchers import Watcher

_EVERY = 20  # steps between two rows of losses: reading a loss waits for the device

_COLUMNS = ["split", "metric", "group", "value"]


class Tracker(Watcher):
    """Base of trackers: a subclass says how a dashboard takes numbers, pictures and tables.

    A run's losses, learning rate and images a second are sent every 20 steps, its measures when they are there,
    explanations of a few validation images every few epochs, its configuration first and its test measures last.

    Parameters
    ----------
    pictures_every : int
        Epochs between pictures; the last epoch has one, too.
    images : int
        Images in a picture.

    Attributes
    ----------
    package : str
        The package that must be installed.

    Raises
    ------
    ExperimentError
        If the package is not installed.

    Examples
    --------
    >>> @register_tracker("printer_example")
    ... class Printer(Tracker):
    ...     def numbers(self, values, step):
    ...         print(step, values)
    >>> tracker("printer_example").numbers({"loss": 0.5}, 20)
    20 {'loss': 0.5}
    """

    package: ClassVar[str] = ""

    def __init__(self, *, pictures_every: int = 5, images: int = 8) -> None:
        if pictures_every < 1 or images < 1:
            raise ExperimentError(
                f"'pictures_every' is {pictures_every} and 'images' is {images}; expected at least 1."
            )
        if self.package and importlib.util.find_spec(self.package) is None:
            raise ExperimentError(
                f"{self.package} is not installed; expected it for this tracker: pip install {self.package}"
            )
        self.pictures_every, self.images = pictures_every, images
        self._is_open = False
        self._start = self._step = self._total = 0
        self._since = (0.0, 0)

    def open(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        """A run begins; the same name may have been there before it was interrupted."""

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of a step, by names such as ``train/loss``."""

    def picture(self, name: str, picture: np.ndarray, step: int) -> None:
        """An RGB picture, (H, W, 3), bytes."""

    def table(self, name: str, rows: pd.DataFrame) -> None:
        """A table, such as the test measures."""

    def close(self) -> None:
        """The run has ended or stopped."""

    def on_run(self, folder: Path, experiment: Any) -> None:
        self._close()
        self._experiment = experiment
        self._images = _spread_images(experiment.dataset("val"), self.images)
        self.open(folder, folder.name, experiment.config())
        self._is_open = True

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        self._start, self._step, self._total = step, step, total_steps
        self._since = (time.monotonic(), step)

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        self._step = step
        if step % _EVERY and step != self._total:
            return
        began, first = self._since
        values = {f"train/{name}": value.item() for name, value in losses.items()}  # waits for the device
        values["learning_rate"] = self._experiment.recipe.rate(step - 1, self._steps_per_epoch())
        seconds = max(time.monotonic() - began, 1e-9)
        values["images_per_second"] = (step - first) * self._experiment.recipe.batch_size / seconds
        self._since = (time.monotonic(), step)
        self.numbers(values, step)

    def on_network(self, network: ExplainableModel) -> None:
        epoch = self._step // self._steps_per_epoch()
        if epoch % self.pictures_every == 0 or self._step == self._total:
            network.eval()
            self.picture(f"explanations: {explanation_of(network).title}", explained(network, self._images), self._step)

    def on_rows(self, rows: pd.DataFrame) -> None:
        # A resumed run passes all rows that it has; what a dashboard has is not sent again.
        new = rows[(rows["step"] > self._start) | (rows["split"] == "test")]
        for step, part in new.groupby("step", sort=False):
            self.numbers({_name(*row): float(value) for *row, value in part[_COLUMNS].to_numpy()}, int(cast(Any, step)))
        if len(test := new[new["split"] == "test"]):
            self.table("test", test[["group", "metric", "value"]].reset_index(drop=True))
            self._close()

    def on_end(self, title: str) -> None:
        if self._step < self._total:  # stopped or failed: there are no test measures
            self._close()

    def _steps_per_epoch(self) -> int:
        return max(1, self._total // self._experiment.recipe.epochs)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self.close()


TRACKERS: Registry[type[Tracker]] = Registry("tracker", "register_tracker")
Kind = TypeVar("Kind", bound=type[Tracker])


def register_tracker(name: str) -> Callable[[Kind], Kind]:
    """Add a tracker, for ``--log NAME`` and `tracker`.

    Parameters
    ----------
    name : str
        Its name.

    Raises
    ------
    ExperimentError
        If the name is taken, or the class is not derived from `Tracker`.
    """

    def register(kind: Kind) -> Kind:
        if not (isinstance(kind, type) and issubclass(kind, Tracker)):
            raise ExperimentError(f"Tracker '{name}' is {kind!r}; expected a class derived from Tracker.")
        TRACKERS.add(name, kind, origin=kind)
        return kind

    return register


def tracker(name: str, **options: Any) -> Tracker:
    """A tracker by its name, for ``lab.run(experiment, watchers=[...])``.

    Parameters
    ----------
    name : str
        ``tensorboard``, ``wandb``, ``trackio``, or one's own.
    **options
        See `Tracker`.

    Raises
    ------
    ExperimentError
        If there is none of this name, or its package is not installed.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.training.tracker("tensorboard", pictures_every=2)  # doctest: +SKIP
    """
    return TRACKERS[name](**options)


def explained(network: ExplainableModel, images: Tensor) -> np.ndarray:
    """Images above their explanations by a network, for the classes that it predicts.

    Parameters
    ----------
    network : ExplainableModel
        In evaluation mode.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), on any device.

    Returns
    -------
    ndarray
        RGB picture, bytes, (2 H, N W, 3).
    """
    device = next(network.parameters()).device
    maps = explain_in_parts(network, images.to(device)).maps.cpu().float()
    drawn = explanation_of(network).draw(images, {"student": maps}).pictures["student"][..., :3]  # (N, H, W, 3)
    rows = [images.permute(0, 2, 3, 1).numpy(), drawn]
    picture = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)


def _name(split: str, metric: str, group: str) -> str:
    """A measure as dashboards name it; epoch means stand beside the losses of single steps."""
    return f"{'epoch' if split == 'train' else split}/{metric}{'' if group == 'all' else f'/{group}'}"


def _spread_images(dataset: Any, count: int) -> Tensor:
    places: Sequence[int] = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int).tolist()
    return as_unit_range(torch.stack([torch.as_tensor(dataset[place]["image"]) for place in places]))
