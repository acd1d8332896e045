"""Versions, device and revision of a run."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
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
    here = Path(__file__).parent
    try:
        command = ["git", "-C", str(here), "rev-parse", "--verify", "-q", "HEAD"]
        revision = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # there is no git on this machine
        revision = ""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor() or platform.machine()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "device_name": name,
        "git_revision": revision or None,
        "packages": {package: importlib.metadata.version(package) for package in packages},
    }
