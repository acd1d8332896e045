"""What may stand in a file's place, or beside it: links, loops, hidden and odd names, other types."""

import os
import shutil
from pathlib import Path

from endurance.mutations import OF_ARCHIVES, OF_BYTES, OF_JSON, OF_SAFETENSORS, OF_TABLES, OF_TEXT, OF_XML, mutated
from endurance.picture_mutations import OF_PICTURES

_KINDS = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".PNG"), OF_PICTURES),
    ".csv": OF_TABLES, ".txt": OF_TEXT, ".json": OF_JSON, ".xml": OF_XML, ".pt": OF_ARCHIVES, ".ckpt": OF_ARCHIVES,
    ".safetensors": OF_SAFETENSORS,
}  # fmt: skip


def _loop(path):
    path.symlink_to(path.name)


IN_PLACE = {
    "nothing at all": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a loop of links": _loop,
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "other capitals": lambda path: path.with_name(path.name.swapcase()).write_bytes(b""),
}
# Names of entries beside a file: of systems, odd and long ones, ones that are not UTF-8, and other types.
FILES = (
    *("._a.jpg", ".DS_Store", "Thumbs.db", "x" * 251 + ".jpg", "a\nb.jpg", "-", "*.jpg", "名.png", " .jpg"),
    *(os.fsdecode(name) for name in (b"caf\xe9.jpg", b"\xff\xfe.jpg", b"a\xed\xb2\x80.jpg")),
    *("a.tif", "a.webp", "a.txt", "a", "a.jpg.zip"),
)
FOLDERS = (".ipynb_checkpoints", "__MACOSX", "lost+found", "class", "名", "a.jpg")
LINKS = ("nowhere", "..", ".", "../..", "/", "link")


def _put_beside(rng, folder):
    """Put an entry into a folder; returns its path, or None if it is there or the file system refuses it."""
    kind = rng.random()
    path = folder / rng.choice(FILES if kind < 0.5 else FOLDERS if kind < 0.7 else ("link", "link.jpg"))
    try:
        if kind < 0.5:
            with path.open("xb") as file:
                file.write(rng.choice((b"", b"\xff\xd8\xff", b"noise" * 9)))
        elif kind < 0.7:
            path.mkdir()
        else:
            path.symlink_to(rng.choice(LINKS))
    except OSError:
        return None
    return path


def spoil(rng, path, root):
    """Damage a file, or put something in its place, beside it or into the root; what was done, and how to undo it."""
    content = path.read_bytes()
    if rng.random() < 0.12:
        beside = _put_beside(rng, rng.choice((path.parent, root)))
        return f"beside it: {beside!r}", lambda: beside and _remove(beside)
    if rng.random() < 0.05:
        what = rng.choice(list(IN_PLACE))
        path.unlink()
        IN_PLACE[what](path)
        return what, lambda: _restore(path, content)
    changed = mutated(rng, content, _KINDS.get(path.suffix, OF_BYTES))
    path.write_bytes(changed)
    return changed[:2000], lambda: _restore(path, content)


def _remove(path: Path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _restore(path, content):
    for changed in (path, path.with_name(path.name.swapcase())):
        _remove(changed)
    path.write_bytes(content)
