import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.v2 import RandomHorizontalFlip

from e2kd_lab.data.check import check_waterbirds
from e2kd_lab.data.splits import SPLITS
from e2kd_lab.data.waterbirds import read_waterbirds
from e2kd_lab.system.errors import DataError, LabNote


def edit(root, line, column, value):
    """Replace one value of ``metadata.csv``; lines count from 1, the header's."""
    lines = (root / "metadata.csv").read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[column] = value
    lines[line - 1] = ",".join(cells)
    (root / "metadata.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("parents", ["", "data", "cub/data"])
def test_finds_the_folder_below_every_usual_root(write_waterbirds, tmp_path, parents):
    root = write_waterbirds(
        folder=f"{parents}/waterbird_1.0_forest2water2" if parents else "waterbird_1.0_forest2water2"
    )
    for path in (root, tmp_path):
        assert read_waterbirds(path).folder == root
    assert read_waterbirds(tmp_path, "waterbird_1.0_forest2water2").folder == root


def test_reads_labels_places_and_groups(write_waterbirds):
    rows = [("1.A/a.jpg", 0, 0, 0), ("1.A/b.jpg", 0, 1, 1), ("2.B/c.jpg", 1, 1, 0), ("2.B/d.png", 1, 2, 1)]
    waterbirds = read_waterbirds(write_waterbirds(rows))
    assert [r.group for r in waterbirds.records] == [0, 1, 2, 3]
    val = waterbirds.split("val")
    assert val.labels.tolist() == [0, 1]
    assert val.groups.tolist() == [1, 2]
    sample = val[1]
    assert sample["image"].shape == (3, 20, 30)
    assert sample["image"].dtype == torch.uint8
    assert (sample["label"], sample["group"], sample["index"]) == (1, 2, 1)


def test_masks_are_optional_and_follow_the_transform(write_waterbirds, minibirds):
    without = read_waterbirds(write_waterbirds())
    with pytest.raises(DataError, match="has no masks"):
        without.split("train", masks=True)[0]
    flip = RandomHorizontalFlip(1.0)
    plain = read_waterbirds(minibirds).split("test", masks=True)[0]
    flipped = read_waterbirds(minibirds).split("test", masks=True, transform=flip, cache=True)[0]
    assert torch.equal(flipped["image"], plain["image"].flip(-1))
    assert torch.equal(flipped["mask"], plain["mask"].flip(-1))
    assert plain["mask"].shape == (1, 24, 24)


def test_fingerprint_sees_changes_of_metadata_and_images(write_waterbirds):
    root = write_waterbirds()
    before = read_waterbirds(root).fingerprint()
    assert read_waterbirds(root).fingerprint() == before
    Image.new("RGB", (99, 99)).save(next(root.glob("*/*.jpg")))
    changed = read_waterbirds(root).fingerprint()
    edit(root, 2, 3, "1")
    assert len({before, changed, read_waterbirds(root).fingerprint()}) == 3


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda r: edit(r, 4, 2, "5"), r"metadata\.csv, line 4 \(img_id 3\): column 'y' has the value '5'; expected 0"),
        (lambda r: edit(r, 5, 3, "7"), r"line 5 \(img_id 4\): column 'split' has the value '7'; expected 0 \(train\)"),
        (lambda r: edit(r, 5, 4, ""), "column 'place' has the value ''"),
        (lambda r: edit(r, 1, 4, "pl"), "lacks the column 'place'; found img_id, img_filename, y, split, pl"),
        (
            lambda r: edit(r, 3, 1, "../outside/o.jpg"),
            r"line 3 \(img_id 2\): the path '../outside/o.jpg' is empty or points",
        ),
        (lambda r: edit(r, 3, 1, "/etc/passwd"), "the path '/etc/passwd' is empty or points"),
        (lambda r: edit(r, 3, 1, "000.Bird/Bird_0.jpg"), "'000.Bird/Bird_0.jpg' is already in line 2"),
        (lambda r: edit(r, 3, 5, "a,b"), "another number of values than the header"),
        (lambda r: next(r.glob("003*/*.jpg")).unlink(), r"line 5 \(img_id 4\): the image .*Bird_3.jpg is not there"),
        (lambda r: (r / "metadata.csv").write_bytes(b""), r"metadata\.csv is empty"),
        (lambda r: (r / "metadata.csv").write_text("img_id,img_filename,y,split,place\n"), "a header but no rows"),
        (
            lambda r: (r / "metadata.csv").write_bytes(
                (r / "metadata.csv").read_bytes().replace(b"/f/forest/3", b"/\xe2/3")
            ),
            r"metadata\.csv, line 4, byte \d+: 0xE2 is not UTF-8",
        ),
        (lambda r: (r / "metadata.csv").unlink(), "holds no Waterbirds set"),
    ],
    ids=lambda value: None if callable(value) else value[:30],
)
def test_each_damage_has_its_sentence(write_waterbirds, damage, says):
    root = write_waterbirds()
    damage(root)
    with pytest.raises(DataError, match=says):
        read_waterbirds(root)


def test_a_path_that_leaves_the_folder_is_not_opened(write_waterbirds, tmp_path):
    root = write_waterbirds()
    (tmp_path / "outside").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "outside" / "o.jpg")
    edit(root, 3, 1, "../outside/o.jpg")
    with pytest.raises(DataError, match="points outside the data folder"):
        read_waterbirds(root)


@pytest.mark.parametrize(("name", "cut"), [("a.jpg", 0.4), ("b.png", 0.4), ("c.jpg", 0.0)])
def test_a_truncated_image_is_named(write_waterbirds, name, cut):
    root = write_waterbirds([(f"1.A/{name}", 0, 0, 0)])
    content = (root / "1.A" / name).read_bytes()
    (root / "1.A" / name).write_bytes(content[: int(cut * len(content))])
    with pytest.raises(DataError, match=rf"{name} is (truncated or damaged|not an image)"):
        read_waterbirds(root).split("train")[0]
    with pytest.raises(DataError, match=name):
        check_waterbirds(root)


def test_several_sets_in_one_root_are_not_guessed_between(write_waterbirds, tmp_path):
    write_waterbirds(folder="waterbird_1.0_forest2water2")
    write_waterbirds(folder="waterbird_complete95_forest2water2")
    with pytest.raises(DataError, match="several Waterbirds sets"):
        read_waterbirds(tmp_path)
    assert read_waterbirds(tmp_path, "waterbird_complete95_forest2water2").folder.name.startswith(
        "waterbird_complete95"
    )
    with pytest.raises(DataError, match="is not a folder"):
        read_waterbirds(tmp_path / "nowhere")


def test_an_empty_split_is_named(write_waterbirds):
    root = write_waterbirds([("1.A/a.jpg", 0, 0, 0)])
    with pytest.raises(DataError, match="no image in split 'test'"):
        read_waterbirds(root).split("test")


@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda t: t.encode(errors="replace"))))
def test_any_metadata_ends_in_success_or_the_readers_error(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("fuzz")
    (root / "metadata.csv").write_bytes(b"img_id,img_filename,y,split,place,place_filename\n" + content)
    with pytest.raises(DataError):  # no image is there, so that every row is wrong
        read_waterbirds(root)


def test_check_prints_counts_beside_the_known_ones(minibirds):
    report = str(check_waterbirds(minibirds))
    assert "48 images, all of them readable" in report
    rows = [line.split() for line in report.splitlines()]
    assert ["train", "22", "0", "0", "10"] in rows
    assert ["test", "2", "2", "2", "2"] in rows
    assert ["train", "3694", "0", "0", "1101"] in rows
    assert ["train", "3498", "184", "56", "1057"] in rows
    assert "segmentations" in report


def test_check_names_upstream_mislabelling(write_waterbirds):
    root = write_waterbirds([(f"021.Eastern_Towhee/{s}.jpg", 1, s, 0) for s in range(3)])
    assert "Eastern_Towhee are landbirds" in str(check_waterbirds(root))


def test_every_split_of_the_embedded_set_is_read(minibirds):
    for root in (minibirds, minibirds / "teacher"):
        waterbirds = read_waterbirds(root)
        for split in SPLITS:
            assert len(waterbirds.split(split)) > 0


def test_names_that_no_file_system_takes_are_named(write_waterbirds):
    root = write_waterbirds()
    edit(root, 3, 1, "x" * 300 + ".jpg")
    with pytest.raises(DataError, match=r"metadata\.csv, line 3 \(img_id 2\): the image .*xxx\.jpg is not there"):
        read_waterbirds(root)
    for reader in (read_waterbirds, check_waterbirds):
        with pytest.raises(DataError, match="xxx is not a folder"):
            reader(root / ("x" * 300))


def test_a_message_stays_on_one_line_whatever_a_row_holds(write_waterbirds):
    root = write_waterbirds()
    path = root / "metadata.csv"
    path.write_text(path.read_text().replace("\n2,", '\n"2\n\r\x1b[31m",').replace(",1,1,0,", ",5,1,0,"))
    with pytest.raises(DataError, match=r"metadata\.csv, line \d+ ") as error:
        read_waterbirds(root)
    assert str(error.value).isprintable()


def test_a_mask_of_another_size_is_named(write_waterbirds):
    root = write_waterbirds(masks=True)
    waterbirds = read_waterbirds(root)
    record = next(record for record in waterbirds.records if record.split == "train")
    assert waterbirds.split("train", masks=True)[0]["mask"].shape == (1, 20, 30)
    Image.new("L", (31, 20)).save(waterbirds.mask_path(record))
    with pytest.raises(DataError, match=r"Mask .*\.png has 31x20 pixels; expected its image's 30x20"):
        waterbirds.split("train", masks=True)[0]


def test_a_name_of_other_capitals_or_accents_is_named(write_waterbirds):
    root = write_waterbirds([("1.A/a_1.JPG", 0, 0, 0), ("1.A/caf\u00e9.jpg", 0, 0, 0)])
    edit(root, 2, 1, "1.a/A_1.jpg")
    with pytest.raises(DataError, match=r"A_1\.jpg is not there, but '1\.A/a_1\.JPG' is; expected the same small and"):
        read_waterbirds(root)
    edit(root, 2, 1, "1.A/a_1.JPG")
    edit(root, 3, 1, "1.A/cafe\u0301.jpg")
    with pytest.raises(DataError, match="is not there, but '1\\.A/caf\u00e9\\.jpg' is"):
        read_waterbirds(root)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_metadata_of_every_dialect_mean_the_same(write_waterbirds, separator, newline, bom):
    root = write_waterbirds()
    expected = [(record.image, record.group, record.split) for record in read_waterbirds(root).records]
    header, *lines = (root / "metadata.csv").read_text().splitlines()
    rows = [f",{header.upper()}"]  # the index of pandas has no name
    for number, line in enumerate(lines):
        decimal = re.sub(",([01]),([012]),([01]),", r",\1.0,\2.0, \3.0,", line)
        rows.append(f"{number},{decimal}")
    text = newline.join(row.replace(",", separator) for row in rows) + newline
    (root / "metadata.csv").write_bytes((bom + text).encode())
    with pytest.warns(LabNote, match=r"rows with numbers such as 0\.0 \(12, such as line 2\)"):
        found = read_waterbirds(root).records
    assert [(record.image, record.group, record.split) for record in found] == expected


def test_a_column_that_is_there_twice_is_refused(write_waterbirds):
    root = write_waterbirds()
    edit(root, 1, 5, "Y")
    with pytest.raises(DataError, match=r"metadata\.csv has the column 'y' twice; expected each column once"):
        read_waterbirds(root)


def test_masks_of_other_types_than_png_are_read(write_waterbirds):
    waterbirds = read_waterbirds(write_waterbirds(masks=True))
    before = [waterbirds.split("train", masks=True)[index]["mask"] for index in range(2)]
    for record in waterbirds.records[:4]:
        path = waterbirds.mask_path(record)
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    after = [waterbirds.split("train", masks=True)[index]["mask"] for index in range(2)]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
