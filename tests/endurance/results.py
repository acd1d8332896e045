"""What a run, a frozen teacher or a data set comes to, in a form that can be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path

from e2kd_lab.data.frozen import LOGITS, MANIFEST, MAPS
from e2kd_lab.models.checkpoints import read_checkpoint


def digests(folder: Path | str) -> dict[str, str]:
    """What makes up the result of a run: its metrics byte for byte, and all weights bit for bit."""
    folder = Path(folder)
    found = {"metrics": hashlib.sha256((folder / "metrics.csv").read_bytes()).hexdigest()}
    for name in ("last.ckpt", "best.ckpt"):
        digest = hashlib.sha256()
        for key, value in read_checkpoint(folder / name)["model"].items():
            digest.update(key.encode() + value.contiguous().numpy().tobytes())
        found[name] = digest.hexdigest()
    return found


def cache_digest(cache: Path) -> str:
    """What makes up a frozen teacher, byte for byte."""
    digest = hashlib.sha256()
    for name in (LOGITS, MAPS, MANIFEST):
        digest.update((cache / name).read_bytes())
    return digest.hexdigest()


def folder_digest(folder: Path) -> str:
    """Names and contents of all files below a folder."""
    digest, files = hashlib.sha256(), (path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()
