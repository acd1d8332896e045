"""The MiniScenes maker: layout, pictures and reproducibility; `test_mininet` covers the machinery they share."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from e2kd_lab.minidata import imagenet_layout, making, miniscenes
from e2kd_lab.minidata.drawing.scenes import draw_scene
from e2kd_lab.minidata.mininet import MiniNet, make_mininet
from e2kd_lab.minidata.miniscenes import CLASSES, MiniScenes, make_miniscenes
from e2kd_lab.system.errors import DataError

SMALL = MiniScenes(size=32, train=4, val=2, seed=7)
TINY = MiniScenes(size=16, train=1, val=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_miniscenes(tmp_path_factory.mktemp("sets") / "small", SMALL)


def test_files_follow_the_imagenet_layout(folder: Path) -> None:
    expected = {f"train/{name}/{number:04d}.JPEG" for name in CLASSES for number in (1, 2, 3, 4)}
    expected |= {f"val/{name}/{number:04d}.JPEG" for name in CLASSES for number in (1, 2)}
    assert len(CLASSES) == 10
    assert list(CLASSES) == sorted(CLASSES)
    assert set(contents(folder)) == expected | {"miniscenes.json"}
    described = json.loads((folder / "miniscenes.json").read_text(encoding="utf-8"))
    values = {"size": 32, "train": 4, "val": 2, "seed": 7}
    assert described == {"maker": "MiniScenes", "version": miniscenes.VERSION, "spec": values}


def test_images_decode_to_their_size_and_none_is_alike(folder: Path) -> None:
    pictures = [Image.open(path) for path in folder.rglob("*.JPEG")]
    assert {(picture.mode, picture.size) for picture in pictures} == {("RGB", (32, 32))}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_default_counts_are_those_of_the_documentation() -> None:
    recipe = imagenet_layout.imagenet_set(MiniScenes(), miniscenes.VERSION, CLASSES, draw_scene)
    assert len(list(recipe.plan(MiniScenes()))) == 10 * (250 + 50)


def test_same_spec_gives_the_same_bytes_for_one_and_two_workers(folder: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        again = make_miniscenes(tmp_path / str(workers), SMALL, workers=workers)
        assert contents(again) == contents(folder)


def test_another_seed_gives_other_pictures_under_the_same_names(folder: Path, tmp_path: Path) -> None:
    other = contents(make_miniscenes(tmp_path / "other", MiniScenes(size=32, train=4, val=2, seed=8)))
    one = contents(folder)
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


@pytest.mark.parametrize("scene", CLASSES)
def test_no_picture_of_a_scene_is_bare(scene: str) -> None:
    # The frame of the drawing is black; the camera's cut must not show it.
    for number in range(30):
        picture = np.asarray(draw_scene(scene, 32, np.random.default_rng([5, number])), np.float64)
        assert picture.std() > 5


def test_mean_colours_do_not_tell_the_scene() -> None:
    pictures = np.array(
        [
            [np.asarray(draw_scene(name, 32, np.random.default_rng([2, label, n])), float) for n in range(50)]
            for label, name in enumerate(CLASSES)
        ]
    )
    colour = pictures.mean((2, 3))
    means = colour[:, :30].mean(1)
    distances = np.linalg.norm(colour[:, 30:, None] - means, axis=-1)
    # Chance is 0.10; dark skies and dark caves bring it to 0.32 here.
    assert np.mean(distances.argmin(-1) == np.arange(10)[:, None]) < 0.45


def test_existing_set_is_reused_without_drawing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(making, "_draw", refuse)
    assert make_miniscenes(folder, SMALL) == folder


def test_nothing_is_left_behind_when_drawing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Image.Image:
        raise OSError("no space left")

    monkeypatch.setattr(miniscenes, "draw_scene", fail)
    with pytest.raises(DataError, match=r"MiniScenes could not be written to .*: no space left"):
        make_miniscenes(tmp_path / "scenes", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_folder_of_another_maker_is_refused_unless_overwritten(tmp_path: Path) -> None:
    made = make_mininet(tmp_path / "set", MiniNet(size=16, train=1, val=1))
    with pytest.raises(FileExistsError, match="holds other files; expected an empty folder"):
        make_miniscenes(made, TINY)
    assert (made / "mininet.json").is_file()
    make_miniscenes(made, TINY, overwrite=True)
    assert not (made / "mininet.json").exists()
    with pytest.raises(FileExistsError, match="a MiniScenes set of another spec or version"):
        make_miniscenes(made, SMALL)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": 2000}, r"MiniScenes size is 2000, expected a whole number from 16 to 1024"),
        ({"train": 1.5}, r"MiniScenes train is 1.5, expected a whole number from 1"),
        ({"val": 0}, r"MiniScenes val is 0, expected a whole number from 1"),
        ({"seed": 2**32}, r"MiniScenes seed is 4294967296, expected a whole number from 0"),
    ],
)
def test_invalid_spec_is_refused_by_name(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MiniScenes(**values)  # type: ignore[arg-type]


@settings(max_examples=10, deadline=None)
@given(size=st.integers(16, 75), train=st.integers(1, 3), val=st.integers(1, 2), seed=st.integers(0, 2**32 - 1))
def test_any_valid_spec_gives_a_complete_set(size: int, train: int, val: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as parent:
        made = make_miniscenes(Path(parent) / "scenes", MiniScenes(size=size, train=train, val=val, seed=seed))
        images = list(made.rglob("*.JPEG"))
        assert len(images) == 10 * (train + val)
        assert {Image.open(path).size for path in images} == {(size, size)}
