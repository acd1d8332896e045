"""Small sound files of every kind that the lab reads: makers, and readers of all that was made.

A maker returns the files to damage, important ones several times; a reader gets the folder and the damaged file.
"""

import argparse
import contextlib
import importlib.util
import json
import pickle
from functools import partial

import numpy as np
import torch
from data.conftest import voc_xml
from PIL import Image

from e2kd_lab import experiments
from e2kd_lab.data.frozen import FrozenTeacher, FrozenWriter
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.image_folders import read_imagenet, read_sun397
from e2kd_lab.data.images import read_image
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.masks import read_mask
from e2kd_lab.data.own_source import read
from e2kd_lab.data.splits import SPLITS
from e2kd_lab.data.voc import read_voc
from e2kd_lab.data.waterbirds import read_waterbirds
from e2kd_lab.models.checkpoints import load_weights, save_weights
from e2kd_lab.runs import Run, load_runs
from e2kd_lab.runs.evaluate import outcomes_of
from e2kd_lab.runs.shift_curves import shift_curves
from e2kd_lab.training.metrics_file import COLUMNS


def _picture(path, number, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def _waterbirds(root):
    lines = ["img_id,img_filename,y,split,place,place_filename"]
    for number, suffix in enumerate(("jpg", "png") * 3):
        lines.append(f"{number},{number % 2}.Bird/{number}.{suffix},{number % 2},{number % 3},{number % 2},/f/{number}")
        _picture(root / f"{number % 2}.Bird/{number}.{suffix}", number)
        _picture(root / f"segmentations/{number % 2}.Bird/{number}.png", number, "L")
    (root / "metadata.csv").write_text("\n".join(lines) + "\n")
    return [
        *[root / "metadata.csv"] * 8,
        root / "0.Bird/0.jpg",
        root / "1.Bird/1.png",
        root / "segmentations/0.Bird/0.png",
    ]


def _read_waterbirds(root, _):
    waterbirds = read_waterbirds(root)
    for name in SPLITS:
        list(map(waterbirds.split(name, masks=True).__getitem__, range(len(waterbirds.split(name)))))
    waterbirds.fingerprint()


def _voc(root):
    lists = root / "ImageSets" / "Main"
    for folder in (lists, root / "Annotations"):
        folder.mkdir(parents=True)
    for name, keys in {"train": "abc", "val": "d", "test": "e"}.items():
        (lists / f"{name}.txt").write_text("".join(f"{key}\n" for key in keys))
    for number, key in enumerate("abcde"):
        _picture(root / "JPEGImages" / f"{key}.jpg", number)
        boxes = (("cat", 3, 4, 10, 8), ("dog", 1.5, 1, 12, 7))
        (root / "Annotations" / f"{key}.xml").write_text(voc_xml(key, boxes, 12, 8))
    (root / "classes.txt").write_text("cat\ndog\n")
    xml = root / "Annotations" / "a.xml"
    return [
        xml,
        xml,
        xml,
        xml,
        lists / "train.txt",
        lists / "test.txt",
        root / "classes.txt",
        root / "JPEGImages/a.jpg",
    ]


def _read_voc(root, _):
    voc = read_voc(root)
    for name in ("train", "val", "test"):
        split = voc.split(name, boxes=True, masks=True)
        list(map(split.__getitem__, range(len(split))))
    voc.fingerprint()


def _imagenet(root):
    for number, name in enumerate(
        ("train/cat/1.jpg", "train/cat/2.PNG", "train/dog/1.jpeg", "val/cat/1.jpg", "val/dog/1.png")
    ):
        _picture(root / name, number)
    return [root / "train/cat/1.jpg", root / "train/cat/2.PNG", root / "train/dog/1.jpeg"]


def _read_imagenet(root, _):
    _read_labelled(read_imagenet(root))


def _sun397(root):
    for name in ("Training_01.txt", "Testing_01.txt"):
        (root / name).write_text("/a/abbey/1.jpg\n/a/abbey/2.jpg\n/b/bar/indoor/1.jpg\n")
    for number, name in enumerate(("a/abbey/1.jpg", "a/abbey/2.jpg", "b/bar/indoor/1.jpg")):
        _picture(root / name, number)
    return [root / "Training_01.txt", root / "Training_01.txt", root / "Testing_01.txt", root / "a/abbey/2.jpg"]


def _read_sun397(root, _):
    _read_labelled(read_sun397(root))


def _read_labelled(folders):
    folders.fingerprint()
    images = LabelledImages([*folders.train, *folders.test])
    list(map(images.__getitem__, range(len(images))))


def _own(root):
    for number, name in enumerate((*"abcd", *"efgh")):
        label, part = "catdog"[3 * (number % 2) :][:3], ("train", "train", "val", "test")[number // 2]
        _picture(root / part / label / f"{name}.{('jpg', 'png')[number % 2]}", number)
    return [root / "train/cat/a.jpg", root / "train/dog/b.png", root / "val/cat/e.jpg"]


def _read_own(root, _):
    data = read(root, hold_out=0.5)
    data.fingerprint()
    data.look_through()


def _table(root):
    rows = [f"{number}.jpg,{number % 2},{split},{number % 3}" for number, split in enumerate(SPLITS * 4)]
    for number in range(len(rows)):
        _picture(root / f"{number}.jpg", number)
    (root / "labels.csv").write_text("\n".join(["path,label,split,group", *rows]) + "\n")
    return [*[root / "labels.csv"] * 6, root / "0.jpg"]


def _read_table(root, _):
    data = read(root / "labels.csv", hold_out=0.5)
    data.fingerprint()
    data.look_through()


def _pictures(root):
    """Images of every format and mode that occur under the names of JPEG and PNG files."""
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8))
    kinds = [(pixels, name, {}) for name in ("GIF", "BMP", "WEBP")]
    kinds += [(pixels.convert(mode), "PNG", {}) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")]
    kinds += [(pixels, "GIF", {"save_all": True, "append_images": [pixels.rotate(90)]})]
    kinds += [(pixels.convert("CMYK"), "JPEG", {}), (pixels, "JPEG", {"progressive": True})]
    paths = [root / f"{number}.jpg" for number in range(len(kinds))]
    for path, (image, name, options) in zip(paths, kinds, strict=True):
        image.save(path, format=name, **options)
    return paths


def _read_pictures(_, damaged):
    read_image(damaged)
    read_mask(damaged)


def _run(root):
    folder = root / "waterbirds-smoke-e2kd-01234567-s0"
    folder.mkdir()
    experiment = experiments.get("waterbirds", "smoke").replace(method="e2kd", lam=5.0)
    config = {name: getattr(experiment, name) for name in (
        "name", "scale", "family", "setting", "method", "lam", "tau", "seed", "num_classes", "select", "network",
    )}  # fmt: skip
    (folder / "config.json").write_text(json.dumps({**config, "teacher": "run:teacher-s0", "recipe": {"a": [1, None]}}))
    (folder / "status.json").write_text(json.dumps({"status": "done", "error": None, "pid": 7, "time": "now"}))
    (folder / "environment.json").write_text(json.dumps({"python": "3.11", "packages": {"torch": "2.6"}}))
    rows = [f"{step},1,{split},all,accuracy,{step + 0.25}" for step in (2, 4) for split in ("train", "val", "test")]
    (folder / "metrics.csv").write_text("\n".join([",".join(COLUMNS), *rows, "4,1,test,WW,agreement,"]) + "\n")
    table = "index,label,group,prediction,teacher_prediction,explanation_cosine,dead_map\n"
    (folder / "outcomes-test.csv").write_text(table + "0,0,1,0,1,0.5,False\n1,1,3,1,1,-0.25,True\n")
    return [
        folder / name for name in ("config.json", "status.json", "metrics.csv", "outcomes-test.csv", "environment.json")
    ]


def _read_run(root, _):
    load_runs(root)
    run = Run(next(path for path in root.iterdir()))
    assert run.status in ("new", "running", "stopped", "failed", "done", "unknown")
    assert run.error is None or isinstance(run.error, str)
    run.results()
    run.checkpoint()
    outcomes_of(run, experiments.get("waterbirds", "smoke"))


class StillMissingError(Exception):
    """A file was read, but images are missing that would have to be measured."""


class Unseen:
    """Three images that cannot be read."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        raise StillMissingError


def _shifts(root):
    rows = [f"{index},{shift},{1 - shift / 10}" for index in range(3) for shift in range(4)]
    (root / "shifts-test.csv").write_text("\n".join(["index,shift,similarity", *rows]) + "\n")
    return [root / "shifts-test.csv"]


def _read_shifts(root, _):
    with contextlib.suppress(StillMissingError):
        shift_curves(torch.nn.Identity(), Unseen(), size=8, largest=3, folder=root)


FILES = [f"a/{number}.jpg" for number in range(5)]


def _frozen(root, dtype="float16"):
    spec = FrozenSpec(teacher="t", data="d", view=8, channels=2, classes=3, dtype=dtype)
    writer = FrozenWriter(root, spec, FILES, chunk=2)
    for rows in writer.missing():
        writer.write(rows, torch.randn(len(rows), 3), torch.randn(len(rows), 2, 8, 8))
    maps = ("ends.npy", "maps.bin") if spec.is_coded else ("maps.npy",)
    return [root / name for name in ("manifest.json", "manifest.json", "files.json", "logits.npy", *maps)]


def _read_frozen(root, _):
    for verify in (True, False):
        cache = FrozenTeacher(root, verify=verify)
        for name in FILES:
            if name in cache.row_of:
                assert cache.logits(name).shape == (cache.spec.classes,)
                assert cache.map(name).shape == (cache.spec.channels, cache.spec.side, cache.spec.side)


class Malicious:
    """Creates a file when unpickled carelessly, as it could do anything."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


SHARDED = "sharded"


def _network():
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))


def _checkpoints(root):
    torch.manual_seed(0)
    state, evil = _network().state_dict(), Malicious(root / "was-executed")
    paths = []
    for content, stem in (
        (state, "bare"),
        ({"model": state, "F-Score": 0.5}, "model"),
        ({"a": [evil], **state}, "evil"),
    ):
        for zipped in (True, False):
            paths.append(root / f"{stem}-{'zip' if zipped else 'legacy'}.pt")
            torch.save(content, paths[-1], _use_new_zipfile_serialization=zipped)
    paths.append(root / "pickle.pt")
    paths[-1].write_bytes(pickle.dumps({"model": {"weight": evil}}))
    paths.append(root / "beside.pt")
    torch.save({"args": argparse.Namespace(a=np.arange(3.0), b=np.float32(1)), "model": state}, paths[-1])
    return paths + (_safetensors_of(state, root) if importlib.util.find_spec("safetensors") else [])


def _safetensors_of(state, root):
    """A safetensors file, and a Hugging Face folder with the same weights in two shards."""
    save_weights(state, root / "whole.safetensors")
    halves, folder = [dict(list(state.items())[:3]), dict(list(state.items())[3:])], root / SHARDED
    for number, half in enumerate(halves):
        save_weights(half, folder / f"{number}.safetensors")
    index = {key: f"{number}.safetensors" for number, half in enumerate(halves) for key in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return [root / "whole.safetensors", folder / "0.safetensors", folder / "model.safetensors.index.json"]


def _read_checkpoints(_, damaged):
    load_weights(_network(), "acme", str(damaged.parent if damaged.parent.name == SHARDED else damaged))


READERS = {
    "waterbirds": (_waterbirds, _read_waterbirds),
    "voc": (_voc, _read_voc),
    "imagenet": (_imagenet, _read_imagenet),
    "sun397": (_sun397, _read_sun397),
    "own": (_own, _read_own),
    "table": (_table, _read_table),
    "pictures": (_pictures, _read_pictures),
    "run": (_run, _read_run),
    "shifts": (_shifts, _read_shifts),
    "frozen": (_frozen, _read_frozen),
    "codes": (partial(_frozen, dtype="cos0.99"), _read_frozen),
    "checkpoints": (_checkpoints, _read_checkpoints),
}
