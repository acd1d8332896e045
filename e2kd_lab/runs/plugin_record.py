"""The plug-ins of a run: recorded by content, required when its network is rebuilt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS
from e2kd_lab.models import MODELS
from e2kd_lab.system.errors import LabError, LabNote, RunError
from e2kd_lab.system.json_files import read_json
from e2kd_lab.system.registry import Registry

_REGISTRIES: Mapping[str, Registry] = {"model": MODELS, "method": METHODS, "explanation": EXPLANATIONS}


def places_of_plugins(plugins: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Files of these plug-ins (such as ``model my_net``), as an entry of ``environment.json``."""
    places = {}
    for entry in plugins:
        kind, _, name = entry.partition(" ")
        places[entry] = _REGISTRIES[kind].place(name)
    return {"plugins": places} if places else {}


def require_plugins(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse to rebuild a network whose code is not loaded; warn if the code has changed.

    Raises
    ------
    RunError
        Names the missing plug-in.
    """
    for entry, content in config.get("plugins", {}).items():
        kind, _, name = entry.partition(" ")
        if kind == "method":  # only training needs it
            continue
        registry = _REGISTRIES[kind]
        if name not in registry:
            raise RunError(
                f"{folder} was made with the {kind} '{name}' of {_place(folder, entry)}, which is not loaded; expected "
                "lab.use(FILE) of that file first, or --plugin FILE on the command line."
            )
        if registry.identity(name) != content:
            warnings.warn(
                f"{folder} was made with another version of the {kind} '{name}': the code in {registry.place(name)} "
                "has changed since, so that the network may compute something else.",
                LabNote,
                stacklevel=3,
            )


def _place(folder: Path, entry: str) -> str:
    try:
        places = read_json(folder / "environment.json", RunError, missing="it in a run's folder").get("plugins", {})
    except LabError:
        return "a plug-in"
    return str(places.get(entry, "a plug-in"))
