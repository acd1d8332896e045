"""Versions, device and revision of a run."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import torch


def environment_of(device: str) -> dict[str, Any]:
    """Versions, device and git revision, as ``environment.json`` records them.

    Parameters
    ----------
    device : str
        Such as ``cuda:0``.
    """
    packages = ("e2kd-lab", "torch", "torchvision", "lightning-fabric", "numpy", "pillow")
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor() or platform.machine()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "device_name": name,
        "git_revision": revision_of(Path(__file__).parents[2]),
        "packages": {package: importlib.metadata.version(package) for package in packages},
    }


def revision_of(checkout: Path) -> str | None:
    """The git revision of a checkout of the lab; None in a folder that is not the root of the lab's own repository.

    An installed or copied package may lie inside another project's repository, whose revision says nothing about it.
    """
    try:
        project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
        if project["project"]["name"] != "e2kd-lab":
            return None
        # Within a hook of git, variables point to the repository of the hook.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "-C", str(checkout), "rev-parse", "--verify", "-q", "--show-toplevel", "HEAD"]
        said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except (OSError, ValueError, KeyError):  # no checkout, or no git on this machine
        return None
    top, _, revision = said.stdout.strip().rpartition("\n")
    return revision if top and Path(top).resolve() == checkout.resolve() else None
