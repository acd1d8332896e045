"""The MiniNet maker: layout, pictures, reproducibility and behaviour when something goes wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from e2kd_lab.minidata import imagenet_layout, making, mininet
from e2kd_lab.minidata.drawing.objects import draw_object
from e2kd_lab.minidata.mininet import CLASSES, MiniNet, make_mininet
from e2kd_lab.system.errors import DataError

SMALL = MiniNet(size=32, train=3, val=2, seed=7)
TINY = MiniNet(size=16, train=1, val=1)
MAKER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell would ignore it
from e2kd_lab.minidata.mininet import MiniNet, make_mininet
make_mininet(sys.argv[1], MiniNet(size=16, train=1000), workers=2)
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_mininet(tmp_path_factory.mktemp("sets") / "small", SMALL)


def test_files_follow_the_imagenet_layout(folder: Path) -> None:
    expected = {f"train/{name}/{number:04d}.JPEG" for name in CLASSES for number in (1, 2, 3)}
    expected |= {f"val/{name}/{number:04d}.JPEG" for name in CLASSES for number in (1, 2)}
    assert len(CLASSES) == 20
    assert list(CLASSES) == sorted(CLASSES)
    assert set(contents(folder)) == expected | {"mininet.json"}


def test_spec_is_written_beside_the_pictures(folder: Path) -> None:
    described = json.loads((folder / "mininet.json").read_text(encoding="utf-8"))
    values = {"size": 32, "train": 3, "val": 2, "seed": 7}
    assert described == {"maker": "MiniNet", "version": mininet.VERSION, "spec": values}


def test_images_decode_to_their_size_and_none_is_alike(folder: Path) -> None:
    pictures = [Image.open(path) for path in folder.rglob("*.JPEG")]
    assert {(picture.mode, picture.size) for picture in pictures} == {("RGB", (32, 32))}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert min(np.asarray(picture, np.float64).std() for picture in pictures) > 8


def test_default_counts_are_those_of_the_documentation() -> None:
    recipe = imagenet_layout.imagenet_set(MiniNet(), mininet.VERSION, CLASSES, draw_object)
    filenames = [drawing.filename for drawing in recipe.plan(MiniNet())]
    assert sum(name.startswith("train/") for name in filenames) == 20 * 250
    assert sum(name.startswith("val/") for name in filenames) == 20 * 50


def test_same_spec_gives_the_same_bytes_for_one_and_two_workers(folder: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        again = make_mininet(tmp_path / str(workers), SMALL, workers=workers)
        assert contents(again) == contents(folder)


def test_another_seed_gives_other_pictures_under_the_same_names(folder: Path, tmp_path: Path) -> None:
    other = contents(make_mininet(tmp_path / "other", MiniNet(size=32, train=3, val=2, seed=8)))
    one = contents(folder)
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


def test_a_larger_set_holds_the_pictures_of_a_smaller_one(folder: Path, tmp_path: Path) -> None:
    larger = contents(make_mininet(tmp_path / "larger", MiniNet(size=32, train=4, val=3, seed=7)))
    assert all(larger[name] == data for name, data in contents(folder).items() if name.endswith(".JPEG"))


def drawn(shown: str, count: int) -> list[np.ndarray]:
    label = CLASSES.index(shown)
    return [np.asarray(draw_object(shown, 64, np.random.default_rng([1, label, n])), float) for n in range(count)]


def test_colours_and_brightness_hardly_tell_the_class() -> None:
    pictures = np.array([drawn(name, 40) for name in CLASSES])
    gray = np.array([[np.histogram(p.mean(-1), 16, (0, 256))[0] for p in row] for row in pictures]) / 64**2
    colour = np.concatenate([pictures.mean((2, 3)), pictures.std((2, 3))], -1)
    for features in (gray, colour):
        means = features[:, :25].mean(1)
        distances = np.linalg.norm(features[:, 25:, None] - means, axis=-1)
        accuracy = np.mean(distances.argmin(-1) == np.arange(20)[:, None])
        # Chance is 0.05; both reach 0.07 here, and gray histograms 0.09 on a whole default set.
        assert accuracy < 0.15


def test_existing_set_is_reused_without_drawing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(making, "_draw", refuse)
    assert make_mininet(folder, SMALL) == folder
    assert make_mininet(str(folder), SMALL, overwrite=True) == folder


def test_set_without_one_of_its_classes_is_not_reused(tmp_path: Path) -> None:
    made = make_mininet(tmp_path / "net", TINY)
    (made / "val" / "mug" / "0001.JPEG").unlink()
    (made / "val" / "mug").rmdir()
    with pytest.raises(FileExistsError, match="holds a MiniNet set"):
        make_mininet(made, TINY)
    assert (make_mininet(made, TINY, overwrite=True) / "val" / "mug" / "0001.JPEG").is_file()


def test_nothing_is_left_behind_when_drawing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def fail_midway(*arguments: object) -> Image.Image:
        nonlocal count
        count += 1
        if count > 10:
            raise OSError("no space left")
        return draw_object(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(mininet, "draw_object", fail_midway)
    with pytest.raises(DataError, match=r"MiniNet could not be written to .*: no space left"):
        make_mininet(tmp_path / "net", SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT and SIGKILL: killed makers are not tested")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind_by_an_interrupted_or_killed_maker(tmp_path: Path, how: signal.Signals) -> None:
    maker = subprocess.Popen([sys.executable, "-c", MAKER, str(tmp_path / "net")], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(tmp_path.glob(".net.partial-*/new/train/anchor/*2.JPEG")))
        maker.send_signal(how)
        assert maker.wait(60) != 0
    finally:
        maker.kill()
    wait_until(lambda: not list(tmp_path.iterdir()))


def test_foreign_files_are_refused_and_kept_unless_overwritten(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    note = tmp_path / "net" / "notes.txt"
    note.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="holds other files; expected an empty folder"):
        make_mininet(tmp_path / "net", TINY)
    assert note.read_text(encoding="utf-8") == "mine"
    made = make_mininet(tmp_path / "net", TINY, overwrite=True)
    assert not note.exists()
    assert list(tmp_path.iterdir()) == [made]


def test_set_of_another_spec_or_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_mininet(tmp_path / "net", TINY)
    with pytest.raises(FileExistsError, match="a MiniNet set of another spec or version"):
        make_mininet(made, MiniNet(size=16, train=1, val=1, seed=1))
    monkeypatch.setattr(mininet, "VERSION", 999)
    with pytest.raises(FileExistsError, match="a MiniNet set of another spec or version"):
        make_mininet(made, TINY)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net").write_text("a file", encoding="utf-8")
    with pytest.raises(FileExistsError, match="is a file, expected a folder for MiniNet"):
        make_mininet(tmp_path / "net", TINY, overwrite=True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": 15}, r"MiniNet size is 15, expected a whole number from 16 to 1024"),
        ({"size": 64.0}, r"MiniNet size is 64.0, expected a whole number"),
        ({"size": (64, 64)}, r"MiniNet size is \(64, 64\), expected a whole number"),
        ({"train": 0}, r"MiniNet train is 0, expected a whole number from 1"),
        ({"val": True}, r"MiniNet val is True, expected a whole number from 1"),
        ({"seed": -1}, r"MiniNet seed is -1, expected a whole number from 0"),
    ],
)
def test_invalid_spec_is_refused_by_name(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MiniNet(**values)  # type: ignore[arg-type]


def test_invalid_number_of_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers is 0, expected at least 1"):
        make_mininet(tmp_path / "net", TINY, workers=0)


@settings(max_examples=10, deadline=None)
@given(size=st.integers(16, 75), train=st.integers(1, 2), val=st.integers(1, 2), seed=st.integers(0, 2**32 - 1))
def test_any_valid_spec_gives_a_complete_set(size: int, train: int, val: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as parent:
        made = make_mininet(Path(parent) / "net", MiniNet(size=size, train=train, val=val, seed=seed))
        images = list(made.rglob("*.JPEG"))
        assert len(images) == 20 * (train + val)
        assert {Image.open(path).size for path in images} == {(size, size)}
