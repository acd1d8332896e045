"""Reading JSON files that may be damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from e2kd_lab.system.errors import LabError


def read_json(path: Path, error: type[LabError], *, missing: str) -> Any:
    """Read a JSON document.

    Parameters
    ----------
    path : Path
        The file, UTF-8.
    error : type of LabError
        The error to raise.
    missing : str
        What to expect, for the message if there is no file.

    Raises
    ------
    LabError
        If the file is missing, cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path} is not there; expected {missing}.") from None
    except OSError as cause:
        raise error(f"{path} cannot be read: {cause.strerror or cause}.") from cause
    except RecursionError as cause:
        raise error(f"{path} cannot be read as JSON: it is nested too deeply.") from cause
    except ValueError as cause:
        raise error(f"{path} cannot be read as JSON: {cause}.") from cause
