"""A run is a folder: its configuration, metrics, checkpoints and status."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import pandas as pd
import torch

from e2kd_lab.experiments import Experiment
from e2kd_lab.models import ExplainableModel, build_model
from e2kd_lab.models.checkpoints import save_weights
from e2kd_lab.runs.environment import environment_of
from e2kd_lab.runs.plugin_record import places_of_plugins, require_plugins
from e2kd_lab.system.atomic_write import remove_unfinished, write_json, write_text
from e2kd_lab.system.errors import RunError, shown
from e2kd_lab.system.folder_lock import folder_lock, is_locked
from e2kd_lab.system.json_files import read_json
from e2kd_lab.system.paths import readable
from e2kd_lab.training.metrics_file import read_metrics
from e2kd_lab.training.trainer import BEST, LAST, METRICS

CONFIG, ENVIRONMENT, STATUS, LOCK = "config.json", "environment.json", "status.json", ".lock"
TRAINING_FILES = "training_files.csv"
Status = Literal["new", "running", "stopped", "failed", "done", "unknown"]
# Of runs that another process trains, or may train.
ELSEWHERE: tuple[Status, ...] = ("running", "unknown")

# What the system says of a file that is not there; anything else hides whether it is.
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}

# Fields of a configuration that other code reads, and their types.
_TEXTS, _NUMBERS = ("name", "scale", "family", "setting", "method", "select", "network"), ("lam", "tau")
_CONFIG_TYPES: dict[str, Any] = {
    **dict.fromkeys(_TEXTS, str), **dict.fromkeys(_NUMBERS, (int, float)), **dict.fromkeys(("seed", "num_classes"), int)
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run's folder: configuration, metrics, checkpoints and status.

    Attributes
    ----------
    folder : Path
        ``<experiment>-<scale>-<method>-<hash>-s<seed>``, with ``config.json``, ``environment.json``, ``metrics.csv``,
        ``last.ckpt``, ``best.ckpt`` and ``status.json``; ``training_files.csv`` where training images were chosen;
        ``outcomes-<split>.csv`` and ``shifts-<split>.csv`` once single images or shifts were evaluated;
        ``estimate.json`` if it was planned (see `e2kd_lab.plan`).

    Examples
    --------
    >>> from pathlib import Path
    >>> Run(Path("runs/waterbirds-lab-kd-0123abcd-s0")).status
    'new'
    """

    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """Everything that determines the result (see `Experiment.config`)."""
        return _checked_config(self.folder / CONFIG, _read_json(self.folder / CONFIG))

    @property
    def status(self) -> Status:
        """``new``, ``running``, ``stopped``, ``failed`` or ``done``; a run whose process died counts as stopped.

        ``unknown`` if this process may not read it, or if it was running at last, and this process lacks the rights to
        find out whether it still does.
        """
        if (there := _is_there(self.folder / STATUS)) is not True:
            return "unknown" if there is None else "new"
        status = _status(self.folder / STATUS)
        if status == "running" and not (locked := is_locked(self.folder / LOCK)):
            # It may have ended between reading and asking for the lock.
            status = _status(self.folder / STATUS)
            if status == "running":
                return "unknown" if locked is None else "stopped"
        return status

    @property
    def whereabouts(self) -> str:
        """The status in words: where a run is at work and when it last wrote a file, if it may be at work.

        Examples
        --------
        >>> from pathlib import Path
        >>> Run(Path("runs/waterbirds-lab-kd-0123abcd-s0")).whereabouts
        'new'
        """
        status = self.status
        if status not in ("running", "unknown"):
            return status
        if not _is_there(self.folder / STATUS):
            return f"{status} ({self.folder / STATUS} cannot be read)"
        author = _read_json(self.folder / STATUS)
        process, host = author.get("pid", "?"), author.get("host", "?")
        here = (process, host) == (os.getpid(), socket.gethostname())
        words = f"running {'here' if here else 'elsewhere'}" if status == "running" else status
        with readable(self.folder, RunError):
            # Those who wait for the lock touch its file.
            last = max(path.stat().st_mtime for path in self.folder.iterdir() if path.name != LOCK)
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last))
        return f"{words} (process {process} on {host}, last sign of life {moment})"

    @property
    def error(self) -> str | None:
        """The error of a failed run."""
        error = _read_json(self.folder / STATUS).get("error") if _is_there(self.folder / STATUS) else None
        return None if error is None else str(error)

    @property
    def seconds(self) -> float | None:
        """Time that a finished run took; None if it was interrupted, because the parts are not added up."""
        if self.status != "done":
            return None
        written = _read_json(self.folder / STATUS)
        seconds = written.get("seconds")
        return float(seconds) if isinstance(seconds, int | float) and not written.get("resumed") else None

    def metrics(self) -> pd.DataFrame:
        """All rows of ``metrics.csv``: ``step``, ``epoch``, ``split``, ``group``, ``metric``, ``value``."""
        return read_metrics(self.folder / METRICS)

    def results(self) -> pd.DataFrame:
        """Validation and test measures of the selected checkpoint; of the last validation in an unfinished run."""
        rows = self.metrics()
        measured = rows[rows["split"] == "test"]
        if measured.empty:
            measured = rows[rows["split"] == "val"]
        step = measured["step"].max() if len(measured) else None
        return rows[(rows["step"] == step) & rows["split"].isin(["val", "test"])].reset_index(drop=True)

    def checkpoint(self) -> Path:
        """The selected checkpoint, whose ``model`` is the result of the run."""
        return self.folder / (BEST if self.config["select"] == "best" else LAST)

    def load_model(self, device: torch.device | str = "cpu") -> ExplainableModel:
        """The trained network, in evaluation mode.

        Raises
        ------
        RunError
            If it was trained with a plug-in that is not loaded here.
        """
        config = self.config
        require_plugins(self.folder, config)
        size = config.get("image_size")
        model = build_model(
            config["network"],
            config["num_classes"],
            weights=str(self.checkpoint()),
            image_size=tuple(size) if isinstance(size, list) else size,
        )
        if "explanation" in config:
            model.explanation = config["explanation"]
        return model.to(device).eval()

    def export(self, path: Path | str) -> Path:
        """Write the trained network's weights as safetensors, with the run's configuration in the metadata.

        The keys are the network's own, so that timm and torchvision load the file of one of theirs.

        Parameters
        ----------
        path : Path or str
            The file, for instance ``student.safetensors``; replaced if it exists.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        RunError
            If the run is not done, or was trained with a plug-in that is not loaded here.

        Examples
        --------
        >>> run.export("student.safetensors")  # doctest: +SKIP
        >>> lab.build_model("resnet_mini", num_classes=2, weights="student.safetensors")  # doctest: +SKIP
        """
        if self.status != "done":
            raise RunError(f"{self.folder} is {self.whereabouts}; expected a finished run to export.")
        config, model = self.config, self.load_model()
        about = {
            "network": config["network"],
            "num_classes": str(config["num_classes"]),
            "run": self.folder.name,
            "config": json.dumps(config),
            "made_by": f"e2kd-lab {importlib.metadata.version('e2kd-lab')}",
        }
        save_weights(model, Path(path), about)
        return Path(path)

    def begin(self, experiment: Experiment, device: str) -> None:
        """Write configuration, environment and the status ``running``."""
        remove_unfinished(self.folder)
        write_json(self.folder / CONFIG, experiment.config())
        if (files := experiment.training_files()) is not None:
            rows = pd.DataFrame({"file": files}).to_csv(index=False, lineterminator="\n")
            write_text(self.folder / TRAINING_FILES, rows)
        write_json(self.folder / ENVIRONMENT, environment_of(device) | places_of_plugins(experiment.plugins()))
        self.set_status("running")

    def set_status(self, status: Status, error: str | None = None, **details: Any) -> None:
        """Write ``status.json``, signed by this process."""
        author = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        write_json(self.folder / STATUS, {"status": status, "error": error, **author, **details})

    @contextmanager
    def locked(self, *, wait: Callable[[], bool] | None = None) -> Iterator[None]:
        """Lock the folder for this process; the lock ends with the process, however that ends.

        Parameters
        ----------
        wait : callable, optional
            Whether to wait on for another process, asked every other second; by default, that is an error.

        Raises
        ------
        RunError
            If another process or thread has the lock, or the folder cannot be made.
        """
        with folder_lock(self.folder, self.folder / LOCK, "working on this run", RunError, wait=wait):
            yield


def _is_there(path: Path) -> bool | None:
    """Whether a file is there; None if this process may not see that, or not read the file."""
    try:
        path.open("rb").close()
    except OSError as error:
        return False if error.errno in _NOT_THERE else None
    return True


def _read_json(path: Path) -> dict[str, Any]:
    value = read_json(path, RunError, missing="it in a run's folder")
    if not isinstance(value, dict):
        raise RunError(f"{path} holds {type(value).__name__}; expected a JSON object.")
    return value


def _checked_config(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    for field, kind in _CONFIG_TYPES.items():
        value = config.get(field)
        if not isinstance(value, kind) or isinstance(value, bool) or value in (math.inf, -math.inf) or value != value:
            expected = "a text" if kind is str else "a whole number" if kind is int else "a finite number"
            raise RunError(f"{path}: '{field}' is {shown(value)!r}; expected {expected}.")
    if not isinstance(config.get("options", {}), dict):
        raise RunError(f"{path}: 'options' is {shown(config['options'])!r}; expected hyper-parameters, or nothing.")
    if not isinstance(config.get("teacher", ""), str):
        raise RunError(f"{path}: 'teacher' is {shown(config['teacher'])!r}; expected a text, or nothing.")
    return config


def _status(path: Path) -> Status:
    status = _read_json(path).get("status", "new")
    if status not in get_args(Status):
        raise RunError(f"{path}: 'status' is {shown(status)!r}; expected one of {', '.join(get_args(Status))}.")
    return cast(Status, status)
