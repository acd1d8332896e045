"""`data check`: what it read, repaired, skipped and refused, in every layout."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from e2kd_lab.cli.commands import app
from e2kd_lab.data.check import LAYOUTS, check_data, check_waterbirds
from e2kd_lab.data.waterbirds import read_waterbirds
from e2kd_lab.system.errors import DataError, LabError


def picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="JPEG")


def class_folders(root, *parts):
    for part in parts:
        for label in ("n01", "n02"):
            for number in range(3):
                picture(root / part / label / f"{number}.JPEG", number)
    return root


def sun397(root):
    for name in ("Training_01.txt", "Testing_01.txt"):
        root.mkdir(exist_ok=True)
        (root / name).write_text("/a/abbey/1.jpg\n/b/bar/indoor/1.jpg\n")
    for label in ("a/abbey", "b/bar/indoor"):
        picture(root / label / "1.jpg")
    return root


def table(root):
    rows = [f"{split}{label}.jpg,{label},{split}" for split in ("train", "val", "test") for label in "ab"]
    for row in rows:
        picture(root / row.partition(",")[0])
    (root / "labels.csv").write_text("\n".join(["path,label,split", *rows]))
    return root / "labels.csv"


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (lambda root: class_folders(root / "set", "train", "val"), "ImageNet"),
        (lambda root: class_folders(root / "set" / "Data" / "CLS-LOC", "train", "val").parents[1], "ImageNet"),
        (lambda root: class_folders(root / "set" / "ILSVRC" / "Data" / "CLS-LOC", "train", "val").parents[2], "Ima"),
        (lambda root: class_folders(root / "set", "train", "test"), "a folder of one's own"),
        (lambda root: class_folders(root / "set", ""), "a folder of one's own"),
        (lambda root: sun397(root / "set"), "SUN397"),
        (lambda root: table(root / "set"), "a table of one's own"),
    ],
)
def test_every_layout_is_recognised(tmp_path, make, layout):
    report = check_data(make(tmp_path))
    assert report.layout.startswith(layout)
    assert "images, all of them readable" in str(report)


@pytest.mark.parametrize(
    "below", ["VOC2012", "VOCdevkit/VOC2012", "VOCtrainval_11-May-2012/VOCdevkit/VOC2012"], ids=lambda text: text[:12]
)
def test_voc_is_found_below_the_roots_of_its_archives(write_voc, tmp_path, below):
    folder = write_voc(below=below)
    assert check_data(tmp_path).root == folder


def test_the_refusal_lists_every_layout(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError, match="holds no data set; the layouts that were tried are") as error:
        check_data(tmp_path)
    assert all(layout.name in str(error.value) for layout in LAYOUTS)


def test_flat_validation_images_are_told(tmp_path):
    class_folders(tmp_path, "train")
    picture(tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(DataError, match="val holds no class folders but 1 pictures; expected one per class"):
        check_data(tmp_path)


def test_the_report_counts_what_was_repaired_and_skipped(write_waterbirds):
    root = write_waterbirds(masks=True)
    waterbirds = read_waterbirds(root)
    masks = [waterbirds.mask_path(record) for record in waterbirds.records]
    for path in masks[:3]:
        Image.fromarray((np.asarray(Image.open(path)) > 127).astype(np.uint8)).save(path)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(masks[5])
    text = (root / "metadata.csv").read_text().replace("Bird_0.jpg,0,0,0,", "Bird_0.jpg,0.0,0.0,0,")
    (root / "metadata.csv").write_bytes(("\ufeff" + text.replace("\n", "\r\n") + ",,,,,\r\n").encode())
    report = check_waterbirds(root)
    assert (
        "repaired: rows with numbers such as 0.0 (1, such as line 2), masks with 0 and 1 scaled to 0 and 255 (3,"
        in str(report)
    )
    assert "skipped: empty rows (1, such as line 14)" in str(report)
    assert "noticed: masks without an object (no value above 127) (1, such as Bird_5.jpg)" in str(report)
    values = report.values()
    assert values["repaired"][1] == {
        "kind": "masks with 0 and 1 scaled to 0 and 255", "count": 3, "example": "Bird_0.jpg",
    }  # fmt: skip
    for path in masks:
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(path)
    with pytest.raises(DataError, match="none of the 12 masks has an object; expected values of 0 outside and 255"):
        check_waterbirds(root)


def test_what_was_guessed_is_said_in_full(tmp_path):
    report = check_data(class_folders(tmp_path / "set", ""))
    (guess,) = report.guesses
    assert "has no val and no test; held out 10% of each class's training pictures" in guess
    assert f"guessed: {guess}" in str(report).splitlines()
    assert report.values()["guessed"] == [guess]


def test_programs_get_json(write_waterbirds, tmp_path):
    root = write_waterbirds()
    done = CliRunner().invoke(app, ["data", "check", str(root), "--json"])
    values = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (values["layout"], values["read"], values["refused"]) == ("Waterbirds", {"images": 12}, None)
    assert values["skipped"] == values["repaired"] == values["noticed"] == []
    (root / "metadata.csv").write_bytes(b"")
    refused = CliRunner().invoke(app, ["data", "check", str(root), "--json"])
    assert refused.exit_code == 1
    assert "metadata.csv is empty" in json.loads(refused.stdout)["refused"]
    with pytest.raises(LabError, match="is empty"):
        CliRunner().invoke(app, ["data", "check", str(root)], catch_exceptions=False)
