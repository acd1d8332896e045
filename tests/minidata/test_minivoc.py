"""The MiniVOC maker: layout, boxes, surroundings, reproducibility and behaviour when something goes wrong."""

from __future__ import annotations

import json
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import VOCDetection
from typer.testing import CliRunner

from e2kd_lab.cli.commands import app
from e2kd_lab.data.voc import read_voc
from e2kd_lab.minidata import making, minivoc
from e2kd_lab.minidata.drawing import arrangements
from e2kd_lab.minidata.drawing.arrangements import Seen, arrange
from e2kd_lab.minidata.drawing.companions import COMPANIONS
from e2kd_lab.minidata.drawing.grounds import GROUNDS, paint_ground
from e2kd_lab.minidata.drawing.objects import SHAPES
from e2kd_lab.minidata.minivoc import CLASSES, COMPANY, HABITATS, MiniVoc, make_minivoc
from e2kd_lab.system.errors import DataError

SMALL = MiniVoc(size=48, train=12, val=3, test=5, seed=7)
TINY = MiniVoc(size=32, train=1, val=1, test=1)
FOLDER = "VOCdevkit/VOC2012"


def _drawn(
    things: Sequence[str], companions: Sequence[str], ground: str, size: int, rng: np.random.Generator
) -> tuple[Image.Image, list[Seen]]:
    arrangement = arrange(things, companions, ground, size, rng)
    picture, masks = arrangement.paint()
    return picture, arrangement.seen(masks)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_minivoc(tmp_path_factory.mktemp("sets") / "small", SMALL)


def test_files_follow_the_voc_layout(folder: Path) -> None:
    ids = {
        split: [f"{split}_{number:06d}" for number in range(1, count + 1)]
        for split, count in (("train", 12), ("val", 3), ("test", 5))
    }
    ids["trainval"] = ids["train"] + ids["val"]
    lists = {name: (folder / FOLDER / "ImageSets" / "Main" / f"{name}.txt").read_text().split() for name in ids}
    assert lists == ids
    expected = {f"{FOLDER}/JPEGImages/{key}.jpg" for name in ("trainval", "test") for key in ids[name]}
    expected |= {f"{FOLDER}/Annotations/{key}.xml" for name in ("trainval", "test") for key in ids[name]}
    expected |= {f"{FOLDER}/ImageSets/Main/{name}.txt" for name in ids}
    expected |= {f"{FOLDER}/ImageSets/Main/{shown}_{name}.txt" for name in ids for shown in CLASSES}
    assert set(contents(folder)) == expected | {f"{FOLDER}/classes.txt", "minivoc.json"}


def test_spec_is_written_beside_the_pictures(folder: Path) -> None:
    described = json.loads((folder / "minivoc.json").read_text(encoding="utf-8"))
    values = {"size": 48, "train": 12, "val": 3, "test": 5, "seed": 7}
    assert described == {"maker": "MiniVoc", "version": minivoc.VERSION, "spec": values}


def test_the_reader_reads_it(folder: Path) -> None:
    voc = read_voc(folder)
    assert voc.classes == CLASSES
    assert {name: len(images) for name, images in voc.splits.items()} == {
        "train": 12, "val": 3, "trainval": 15, "test": 5,
    }  # fmt: skip
    plan = {picture.id: picture for picture in minivoc.pictures(SMALL)}
    for image in (*voc.splits["trainval"], *voc.splits["test"]):
        assert tuple(CLASSES[label] for label in image.labels) == plan[image.path.stem].things
        assert (image.width, image.height) == (48, 48)
    sample = voc.split("train", masks=True)[0]
    assert sample["image"].shape == (3, 48, 48)
    assert (sample["box_mask"].any(-1).any(-1) == sample["label"].bool()).all()


def test_torchvision_reads_the_same(folder: Path) -> None:
    voc = read_voc(folder)
    theirs = VOCDetection(str(folder), year="2012", image_set="train")
    assert len(theirs) == 12
    for (picture, target), ours in zip(theirs, voc.splits["train"], strict=True):
        found = target["annotation"]["object"]
        assert picture.size == (48, 48)
        assert [thing["name"] for thing in found] == [CLASSES[label] for label in ours.labels]
        boxes = [[int(thing["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")] for thing in found]
        assert [[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in boxes] == [list(box) for box in ours.boxes]


def test_lists_of_classes_agree_with_annotations(folder: Path) -> None:
    main = folder / FOLDER / "ImageSets" / "Main"
    for shown in CLASSES:
        for line in (main / f"{shown}_trainval.txt").read_text().splitlines():
            key, present = line.split()
            annotation = ElementTree.parse(folder / FOLDER / "Annotations" / f"{key}.xml")
            named = [element.text for element in annotation.iterfind("object/name")]
            assert (present == "1") == (shown in named)


def test_default_counts_are_those_of_the_documentation() -> None:
    plan = list(minivoc.pictures(MiniVoc()))
    assert Counter(picture.split for picture in plan) == {"train": 1200, "val": 150, "test": 400}
    assert {len(picture.things) for picture in plan} == {1, 2, 3}
    assert all(len(set(picture.things)) == len(picture.things) for picture in plan)
    shown = Counter(name for picture in plan for name in picture.things)
    assert set(shown) == set(CLASSES)
    assert min(shown.values()) > 250


@pytest.mark.parametrize("split", ["train", "test"])
def test_surroundings_go_with_some_classes_often_but_not_always(split: str) -> None:
    plan = [picture for picture in minivoc.pictures(MiniVoc()) if picture.split == split]

    def share(name: str, there: bool, surroundings: str) -> float:
        chosen = [picture for picture in plan if (name in picture.things) is there]
        return float(np.mean([surroundings in (picture.ground, *picture.companions) for picture in chosen]))

    for name, surroundings in (HABITATS | COMPANY).items():
        assert 0.6 < share(name, True, surroundings) < 0.97
        assert share(name, False, surroundings) < 0.25
    for name in ("car", "umbrella"):
        for surroundings in (*GROUNDS, *COMPANIONS):
            assert abs(share(name, True, surroundings) - share(name, False, surroundings)) < 0.15


def test_same_spec_gives_the_same_bytes_for_one_and_two_workers(folder: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        again = make_minivoc(tmp_path / str(workers), SMALL, workers=workers)
        assert contents(again) == contents(folder)


def test_another_seed_gives_other_pictures_under_the_same_names(folder: Path, tmp_path: Path) -> None:
    spec = MiniVoc(size=48, train=12, val=3, test=5, seed=8)
    one, other = contents(folder), contents(make_minivoc(tmp_path / "other", spec))
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one if name.endswith(".jpg"))


def test_a_larger_set_holds_the_pictures_of_a_smaller_one(folder: Path, tmp_path: Path) -> None:
    larger = contents(make_minivoc(tmp_path / "larger", MiniVoc(size=48, train=14, val=4, test=6, seed=7)))
    assert all(larger[name] == data for name, data in contents(folder).items() if name.endswith((".jpg", ".xml")))


@pytest.mark.parametrize("name", CLASSES)
def test_boxes_are_tight(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same picture with and without the thing: what differs beyond its soft shadow is the thing.
    paint_over = arrangements._paint_over
    for seed in range(4):
        picture, (seen,) = _drawn([name], [], "plaster", 64, np.random.default_rng(seed))
        with monkeypatch.context() as patch:
            patch.setattr(arrangements, "_paint_over", lambda below, *rest: (below, paint_over(below, *rest)[1]))
            empty, _ = _drawn([name], [], "plaster", 64, np.random.default_rng(seed))
        change = np.abs(np.asarray(picture, float) - np.asarray(empty, float)).max(-1)
        left, top, right, bottom = seen.box
        inside = np.zeros((64, 64), bool)
        inside[top:bottom, left:right] = True
        assert 0 <= left < right <= 64
        assert 0 <= top < bottom <= 64
        assert change[inside].mean() > 4 * change[~inside].mean()
        rim = [change[top : top + 2, left:right], change[bottom - 2 : bottom, left:right]]
        rim += [change[top:bottom, left : left + 2], change[top:bottom, right - 2 : right]]
        assert min(side.max() for side in rim) > 15


def test_companions_lie_outside_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = 0
    paint_over = arrangements._paint_over
    for seed in range(20):
        masks: dict[str, np.ndarray] = {}

        def remember(below, thing, *rest, masks=masks):  # type: ignore[no-untyped-def]
            result = paint_over(below, thing, *rest)
            masks[thing.name] = result[1]
            return result

        monkeypatch.setattr(arrangements, "_paint_over", remember)
        _, seen = _drawn(["house", "fish"], ["fir", "bubbles"], "sand", 64, np.random.default_rng(seed))
        for name in {"fir", "bubbles"} & set(masks):
            drawn += 1
            for thing in seen:
                left, top, right, bottom = thing.box
                # Outlines are drawn around the places that are kept apart.
                assert (masks[name][top + 1 : bottom - 1, left + 1 : right - 1] > 0.5).sum() <= 4
    assert drawn > 30


@pytest.mark.parametrize("ground", GROUNDS)
def test_grounds_are_textures_of_any_colour(ground: str) -> None:
    pictures = [paint_ground(ground, 48, np.random.default_rng(seed)) for seed in range(12)]
    assert {picture.shape for picture in pictures} == {(48, 48, 3)}
    assert min(picture.min() for picture in pictures) >= 0
    assert max(picture.max() for picture in pictures) <= 1
    assert min(picture.std((0, 1)).max() for picture in pictures) > 0.03
    assert len({picture.tobytes() for picture in pictures}) == 12


def test_existing_set_is_reused_without_drawing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(making, "_draw", refuse)
    assert make_minivoc(folder, SMALL) == folder
    assert make_minivoc(str(folder), SMALL, overwrite=True) == folder


def test_nothing_is_left_behind_when_drawing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, drawn = minivoc._draw_picture, []

    def fail_midway(*arguments: object) -> None:
        drawn.append(arguments)
        if len(drawn) > 10:
            raise OSError("no space left")
        draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(minivoc, "_draw_picture", fail_midway)
    with pytest.raises(DataError, match=r"MiniVoc could not be written to .*: no space left"):
        make_minivoc(tmp_path / "voc", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_and_other_specs_are_refused_unless_overwritten(tmp_path: Path) -> None:
    (tmp_path / "voc").mkdir()
    (tmp_path / "voc" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="holds other files; expected an empty folder"):
        make_minivoc(tmp_path / "voc", TINY)
    made = make_minivoc(tmp_path / "voc", TINY, overwrite=True)
    with pytest.raises(FileExistsError, match="a MiniVoc set of another spec or version"):
        make_minivoc(made, MiniVoc(size=32, train=1, val=1, test=1, seed=1))
    (made / FOLDER / "classes.txt").unlink()
    with pytest.raises(FileExistsError, match="a MiniVoc set of another spec or version"):
        make_minivoc(made, TINY)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size": 31}, r"MiniVoc size is 31, expected a whole number from 32 to 1024"),
        ({"train": 0}, r"MiniVoc train is 0, expected a whole number from 1"),
        ({"val": True}, r"MiniVoc val is True, expected a whole number from 1"),
        ({"test": 2.5}, r"MiniVoc test is 2.5, expected a whole number from 1"),
        ({"seed": -1}, r"MiniVoc seed is -1, expected a whole number from 0"),
    ],
)
def test_invalid_spec_is_refused_by_name(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MiniVoc(**values)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    things=st.permutations(CLASSES).flatmap(lambda names: st.integers(1, 3).map(lambda count: names[:count])),
    companions=st.sets(st.sampled_from(sorted(COMPANIONS))).map(sorted),
    ground=st.sampled_from(sorted(GROUNDS)),
    size=st.integers(32, 80),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_thing_can_be_seen(things: list[str], companions: list[str], ground: str, size: int, seed: int) -> None:
    picture, seen = _drawn(things, companions, ground, size, np.random.default_rng(seed))
    assert (picture.mode, picture.size) == ("RGB", (size, size))
    assert [thing.name for thing in seen] == things
    for left, top, right, bottom in (thing.box for thing in seen):
        assert 0 <= left < right <= size
        assert 0 <= top < bottom <= size
        assert (right - left) * (bottom - top) >= 0.01 * size**2


@settings(max_examples=8, deadline=None)
@given(size=st.integers(32, 75), counts=st.tuples(*[st.integers(1, 3)] * 3), seed=st.integers(0, 2**32 - 1))
def test_any_valid_spec_gives_a_set_that_is_read(size: int, counts: tuple[int, int, int], seed: int) -> None:
    train, val, test = counts
    with tempfile.TemporaryDirectory() as parent:
        made = make_minivoc(Path(parent) / "voc", MiniVoc(size=size, train=train, val=val, test=test, seed=seed))
        voc = read_voc(made)
        assert tuple(len(voc.images(name)) for name in ("train", "val", "test")) == counts
        assert {Image.open(path).size for path in made.rglob("*.jpg")} == {(size, size)}


def test_classes_and_surroundings_exist() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 10
    assert set(CLASSES) <= set(SHAPES)
    assert set(HABITATS.values()) < set(GROUNDS)
    assert set(COMPANY.values()) == set(COMPANIONS)


def test_the_command_line_makes_and_checks_it(tmp_path: Path) -> None:
    out = tmp_path / "minivoc"
    arguments = ["--out", str(out), "--size", "32", "--train", "4", "--val", "1", "--test", "2"]
    made = CliRunner().invoke(app, ["data", "make", "minivoc", *arguments], catch_exceptions=False)
    assert made.exit_code == 0
    assert "holds minivoc, seed 0" in made.output
    checked = CliRunner().invoke(app, ["data", "check", str(out)], catch_exceptions=False)
    assert "7 images, all of them readable" in checked.output
    assert "lists: train 4, val 1, trainval 5, test 2" in checked.output
