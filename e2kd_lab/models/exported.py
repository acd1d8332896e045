"""Folders in the layout of Hugging Face: what their configuration says of a network of the lab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from e2kd_lab.system.errors import CheckpointError, shown
from e2kd_lab.system.json_files import read_json
from e2kd_lab.system.paths import is_file

CONFIG, KEY = "config.json", "e2kd_lab"


def exported_in(folder: str) -> dict[str, Any] | None:
    """What a folder's ``config.json`` says of a network that the lab exported; None if it is no such folder.

    Parameters
    ----------
    folder : str
        The folder.

    Returns
    -------
    dict or None
        ``network``, its name; ``num_classes``; ``image_size``, in pixels, and ``explanation``, both or either None.

    Raises
    ------
    CheckpointError
        If the configuration is damaged.
    """
    path = Path(folder) / CONFIG
    if not is_file(path):
        return None
    content = read_json(path, CheckpointError, missing="the configuration of an exported network")
    about = content.get(KEY) if isinstance(content, dict) else None
    if about is None:
        return None
    fields = {"network": str, "num_classes": int, "image_size": int | list | None, "explanation": str | None}
    for field, kind in fields.items():
        value = about.get(field) if isinstance(about, dict) else about
        if not isinstance(value, kind) or isinstance(value, bool):
            raise CheckpointError(f"{path}: '{field}' is {shown(value)!r}; expected it as 'e2kd-lab export' wrote it.")
    return {field: about[field] for field in fields}
