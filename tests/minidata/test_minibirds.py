"""The MiniBirds maker: layout, bias, pictures, reproducibility and behaviour when something goes wrong."""

from __future__ import annotations

import csv
import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from e2kd_lab.minidata import making, minibirds
from e2kd_lab.minidata.drawing.birds import LANDBIRDS, WATERBIRDS, Species, draw_picture
from e2kd_lab.minidata.drawing.places import LAND_TEXTURES, WATER_TEXTURES
from e2kd_lab.minidata.minibirds import MiniBirds, make_minibirds
from e2kd_lab.system.errors import DataError

SMALL = MiniBirds(size=32, train=(9, 5), val=2, test=4, teacher=3, seed=7)
BIASED = "waterbird_1.0_forest2water2"
UNBIASED = "teacher/waterbird_0.5_forest2water2"


def rows_of(folder: Path, collection: str) -> list[dict[str, str]]:
    with (folder / collection / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def groups(rows: list[dict[str, str]], split: int) -> Counter[tuple[int, int]]:
    return Counter((int(row["y"]), int(row["place"])) for row in rows if row["split"] == str(split))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_minibirds(tmp_path_factory.mktemp("sets") / "small", SMALL)


@pytest.mark.parametrize("collection", [BIASED, UNBIASED])
def test_metadata_follows_the_waterbirds_layout(folder: Path, collection: str) -> None:
    header = (folder / collection / "metadata.csv").read_text(encoding="utf-8").splitlines()[0]
    rows = rows_of(folder, collection)
    names = [row["img_filename"] for row in rows]
    assert header == "img_id,img_filename,y,split,place,place_filename"
    assert [row["img_id"] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    assert names == sorted(set(names))
    files = {path.relative_to(folder / collection).as_posix() for path in (folder / collection).rglob("*.*")}
    assert {file for file in files if file.endswith((".jpg", ".csv"))} == {"metadata.csv", *names}


@pytest.mark.parametrize("collection", [BIASED, UNBIASED])
def test_every_row_has_an_image_and_a_mask_of_the_same_size(folder: Path, collection: str) -> None:
    segmentations = (folder / collection).parent / "segmentations"
    for row in rows_of(folder, collection):
        image = Image.open(folder / collection / row["img_filename"])
        mask = Image.open((segmentations / row["img_filename"]).with_suffix(".png"))
        assert (image.mode, image.size) == ("RGB", (32, 32))
        assert (mask.mode, mask.size) == ("L", (32, 32))


def test_place_follows_the_bird_in_the_biased_training_split_only(folder: Path) -> None:
    rows = rows_of(folder, BIASED)
    assert groups(rows, 0) == {(0, 0): 9, (1, 1): 5}
    assert groups(rows, 1) == dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 2)
    assert groups(rows, 2) == dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 4)


def test_teacher_set_is_balanced_in_every_split(folder: Path) -> None:
    rows = rows_of(folder, UNBIASED)
    for split, count in ((0, 3), (1, 2), (2, 2)):
        assert groups(rows, split) == dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], count)


def test_teacher_pictures_are_none_of_the_students(folder: Path) -> None:
    pictures = [path.read_bytes() for path in folder.rglob("*.jpg")]
    assert len(set(pictures)) == len(pictures)


def test_default_counts_are_those_of_the_documentation() -> None:
    plan = list(minibirds.pictures(MiniBirds()))
    assert sum(picture.collection == BIASED and picture.split == 0 for picture in plan) == 1600
    assert len(plan) == 1600 + 4 * (60 + 150) + 4 * (400 + 60 + 60)


def test_same_spec_gives_the_same_bytes_for_one_and_two_workers(folder: Path, tmp_path: Path) -> None:
    again = make_minibirds(tmp_path / "again", SMALL, workers=2)
    assert contents(again) == contents(folder)


def test_another_seed_gives_other_pictures_under_the_same_names(folder: Path, tmp_path: Path) -> None:
    spec = MiniBirds(size=32, train=(9, 5), val=2, test=4, teacher=3, seed=8)
    one, other = contents(folder), contents(make_minibirds(tmp_path / "other", spec))
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one if name.endswith(".jpg"))


@pytest.mark.parametrize("bird", LANDBIRDS + WATERBIRDS, ids=lambda bird: bird.name)
def test_mask_covers_the_bird_and_nothing_else(bird: Species) -> None:
    for seed in range(6):
        picture, mask = draw_picture(
            bird, lambda size, rng: (np.zeros((size, size)),) * 2, 64, np.random.default_rng(seed)
        )
        pixels, alpha = np.asarray(picture, np.float64), np.asarray(mask)
        plain = np.median(pixels[alpha == 0], axis=0)
        change = np.abs(pixels - plain).max(-1)
        assert 0.12 <= alpha.mean() / 255 <= 0.30
        assert change[alpha == 255].mean() > 40
        assert change[alpha == 255].mean() > 3 * change[alpha == 0].mean()
        assert max(alpha[0].max(), alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max()) < 255


def test_birds_of_both_classes_are_equally_large() -> None:
    def mean_cover(birds: tuple[Species, ...]) -> float:
        texture = WATER_TEXTURES["ripples"]
        masks = [draw_picture(birds[i % 4], texture, 32, np.random.default_rng(i))[1] for i in range(200)]
        return float(np.mean([np.asarray(mask).mean() / 255 for mask in masks]))

    assert mean_cover(LANDBIRDS) == pytest.approx(mean_cover(WATERBIRDS), abs=0.025)


def linear_accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy on the second half of a least-squares classifier fitted to the first half."""
    design = np.column_stack([features, np.ones(len(features))])
    half = len(labels) // 2
    weights = np.linalg.lstsq(design[:half], 2.0 * labels[:half] - 1, rcond=None)[0]
    return float(np.mean((design[half:] @ weights > 0) == labels[half:]))


def test_colour_hardly_tells_the_place_or_the_bird() -> None:
    features, places, classes = [], [], []
    for number in range(480):
        rng = np.random.default_rng([3, number])
        y, place = int(rng.integers(2)), int(rng.integers(2))
        texture = list((LAND_TEXTURES, WATER_TEXTURES)[place].values())[rng.integers(3)]
        picture, _ = draw_picture((LANDBIRDS, WATERBIRDS)[y][rng.integers(4)], texture, 32, rng)
        pixels = np.asarray(picture, np.float64).reshape(-1, 3) / 255
        features.append(np.concatenate([pixels.mean(0), pixels.std(0)]))
        places.append(place)
        classes.append(y)
    assert linear_accuracy(np.array(features), np.array(places)) < 0.70
    assert linear_accuracy(np.array(features), np.array(classes)) < 0.70


def test_existing_set_is_reused_without_drawing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(making, "_draw", refuse)
    assert make_minibirds(folder, SMALL) == folder
    assert make_minibirds(str(folder), SMALL, overwrite=True) == folder


def test_nothing_is_left_behind_when_drawing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, drawn = minibirds._draw_picture, []

    def fail_midway(*arguments: object) -> None:
        drawn.append(arguments)
        if len(drawn) > 10:
            raise OSError("no space left")
        draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(minibirds, "_draw_picture", fail_midway)
    with pytest.raises(DataError, match=r"MiniBirds could not be written to .*: no space left"):
        make_minibirds(tmp_path / "birds", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_failing_drawing_process_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "_DRAWING_PROCESS", "raise SystemExit(3)")
    with pytest.raises(DataError, match=r"process 1 of 2 .* status 3, expected 0"):
        make_minibirds(tmp_path / "birds", SMALL, workers=2)
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_are_refused_and_kept_unless_overwritten(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    note = tmp_path / "birds" / "notes.txt"
    note.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="holds other files; expected an empty folder"):
        make_minibirds(tmp_path / "birds", SMALL)
    assert note.read_text(encoding="utf-8") == "mine"
    made = make_minibirds(tmp_path / "birds", SMALL, overwrite=True)
    assert not note.exists()
    assert (made / BIASED / "metadata.csv").is_file()
    assert list(tmp_path.iterdir()) == [made]


def test_set_of_another_spec_or_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = MiniBirds(size=16, train=(1, 1), val=1, test=1, teacher=1)
    made = make_minibirds(tmp_path / "birds", tiny)
    assert json.loads((made / "minibirds.json").read_text(encoding="utf-8"))["spec"]["size"] == 16
    with pytest.raises(FileExistsError, match="another spec or version"):
        make_minibirds(made, MiniBirds(size=16, train=(1, 1), val=1, test=1, teacher=1, seed=1))
    monkeypatch.setattr(minibirds, "VERSION", 999)
    with pytest.raises(FileExistsError, match="another spec or version"):
        make_minibirds(made, tiny)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "birds").write_text("a file", encoding="utf-8")
    with pytest.raises(FileExistsError, match="is a file"):
        make_minibirds(tmp_path / "birds", SMALL, overwrite=True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": 15}, r"size is 15, expected a whole number from 16 to 1024"),
        ({"size": 64.0}, r"size is 64.0, expected a whole number"),
        ({"train": (0, 5)}, r"train is \(0, 5\), expected two whole numbers, each from 1"),
        ({"train": (5,)}, r"train is \(5,\), expected two counts"),
        ({"val": 0}, r"val is 0, expected a whole number from 1"),
        ({"test": -3}, r"test is -3, expected a whole number from 1"),
        ({"teacher": True}, r"teacher is True, expected a whole number from 1"),
        ({"seed": -1}, r"seed is -1, expected a whole number from 0"),
    ],
)
def test_invalid_spec_is_refused_by_name(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MiniBirds(**values)  # type: ignore[arg-type]


def test_invalid_number_of_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers is 0, expected at least 1"):
        make_minibirds(tmp_path / "birds", SMALL, workers=0)


@settings(max_examples=10, deadline=None)
@given(
    size=st.integers(16, 75),
    train=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    counts=st.tuples(*[st.integers(1, 3)] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_valid_spec_gives_a_complete_set(
    size: int, train: tuple[int, int], counts: tuple[int, int, int], seed: int
) -> None:
    val, test, teacher = counts
    spec = MiniBirds(size=size, train=train, val=val, test=test, teacher=teacher, seed=seed)
    with tempfile.TemporaryDirectory() as parent:
        made = make_minibirds(Path(parent) / "birds", spec)
        images, masks = list(made.rglob("*.jpg")), list(made.rglob("*.png"))
        assert len(images) == len(masks) == sum(train) + 4 * (val + test + teacher + 2 * val)
        assert {Image.open(path).size for path in images + masks} == {(size, size)}
