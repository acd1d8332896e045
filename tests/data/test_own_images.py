"""Data of one's own as people have them: folders with leftovers, tables out of spreadsheets, torch data sets."""

import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset
from torchvision.datasets import FakeData

from e2kd_lab.data.image_folders import LabelledImage, hold_out
from e2kd_lab.data.own_source import describe, read
from e2kd_lab.data.transforms import eval_transform, train_transform
from e2kd_lab.system.errors import DataError, ExperimentError, LabNote


def write(path, seed=0, mode="RGB", size=(30, 20), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def folder(root, splits=("train", "val", "test"), classes=("dog", "cat"), count=3):
    for split in splits:
        for number, label in enumerate(classes):
            for index in range(count):
                write(root / split / label / f"{label}{index}.png", 10 * number + index)
    return root


def quiet(data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read(data, **options)


def table(root, rows, header="path,label,split", newline="\n", encoding="utf-8"):
    for row in rows:
        name = row.split(",")[0]
        if name and not (root / name).exists():
            write(root / name, len(name))
    (root / "labels.csv").write_bytes((newline.join([header, *rows]) + newline).encode(encoding))
    return root / "labels.csv"


ROWS = [f"{split}{n}_{label}.png,{label},{split}" for split in ("train", "val", "test") for label in "ba" for n in "12"]


def test_three_folders_of_classes(tmp_path):
    found = quiet(folder(tmp_path))
    assert found.classes == ("cat", "dog")
    assert [image.path.name for image in found.val] == [f"{label}{i}.png" for label in ("cat", "dog") for i in range(3)]
    assert [len(found.train), len(found.val), len(found.test)] == [6, 6, 6]
    sample = found.split("test")[3]
    assert sample["image"].shape == (3, 20, 30)
    assert (sample["label"], sample["index"]) == (1, 3)
    assert "group" not in sample
    assert found.notes == ()


@pytest.mark.parametrize("name", ["valid", "Validation", "VAL"])
def test_validation_has_several_names(tmp_path, name):
    found = quiet(folder(tmp_path, ("Train", name, "test")))
    assert len(found.val) == 6
    assert {image.path.parent.parent.name for image in found.val} == {name}


def test_leftovers_are_skipped_and_counted_in_one_note(tmp_path):
    folder(tmp_path)
    for name in (".ipynb_checkpoints/a.png", "train/.ipynb_checkpoints/a.png", "val/__MACOSX/dog/b.png"):
        write(tmp_path / name)
    (tmp_path / "train" / "lost+found").mkdir()
    for name in ("train/dog/._dog0.png", "train/dog/.DS_Store", "test/Thumbs.db", "train/dog/notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.warns(LabNote) as noted:
        found = read(tmp_path)
    assert len(noted) == 1
    assert "skipped: hidden or system entries (7, such as .ipynb_checkpoints)" in str(noted[0].message)
    assert "entries other than pictures and their folders (1, such as notes.txt)" in str(noted[0].message)
    assert found.classes == ("cat", "dog")
    assert found.fingerprint() == quiet(folder(tmp_path / "clean")).fingerprint()


def test_missing_splits_are_held_out_by_class_and_always_the_same(tmp_path):
    folder(tmp_path / "all", ("train",), ("a", "b"), count=20)
    for number in range(20):  # an imbalanced class
        write(tmp_path / "all" / "train" / "b" / f"more{number}.png", number)
    with pytest.warns(LabNote, match=r"has no val and no test; held out 10% .* 6 for val and 6 for test, .* left 48"):
        found = read(tmp_path / "all")
    assert found.labels("test").bincount().tolist() == [2, 4]
    parts = [set(found.train), set(found.val), set(found.test)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 60
    with pytest.warns(LabNote):
        assert read(tmp_path / "all") == found
    with pytest.warns(LabNote, match="held out 20%"):
        assert read(tmp_path / "all", hold_out=0.2).labels("val").bincount().tolist() == [3, 6]
    (tmp_path / "all" / "train").rename(tmp_path / "classes")
    with pytest.warns(LabNote):
        bare = read(tmp_path / "classes")  # one folder of classes
    assert [image.path.name for image in bare.val] == [image.path.name for image in found.val]


@pytest.mark.parametrize(("given", "missing"), [(("train", "val"), "test"), (("train", "test"), "val")])
def test_the_split_that_is_there_stays_whole(tmp_path, given, missing):
    with pytest.warns(LabNote, match=f"has no {missing}; held out"):
        found = read(folder(tmp_path, given))
    assert len(found.val if missing == "test" else found.test) == 6
    assert len(found.val if missing == "val" else found.test) == 2


def test_links_back_to_a_folder_above_are_counted_not_followed(tmp_path):
    folder(tmp_path)
    expected = quiet(tmp_path)
    (tmp_path / "train" / "dog" / "again").symlink_to("..")
    (tmp_path / "val" / "cat" / "gone.png").symlink_to("nowhere")
    with pytest.warns(LabNote) as noted:
        assert read(tmp_path) == expected
    said = "links back to a folder above (1, such as again), links that lead nowhere (1, such as gone.png)"
    assert said in str(noted[0].message)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda root: write(root / "val" / "emu" / "a.png"), "val has the class 'emu', which .*train lacks"),
        (lambda root: (root / "train").rename(root / "old"), "has test, but no train"),
        (lambda root: write(root / "valid" / "dog" / "a.png"), "has val and valid, both for val"),
        (lambda root: (root / "train" / "emu").mkdir(), "emu holds no images"),
        (lambda root: [write(root / part / "mean" / f"{i}.png") for part in ("train", "val") for i in "ab"],
         "a class is named 'mean', under which tables have another number"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused(tmp_path, damage, says):
    damage(folder(tmp_path))
    with pytest.raises(DataError, match=says):
        read(tmp_path)


def test_too_small_or_missing_folders_are_named(tmp_path):
    with pytest.raises(DataError, match="labels\\.csv is not there; expected a folder of pictures, or a CSV file"):
        read(tmp_path / "labels.csv")
    folder(tmp_path, ("train",), count=1)
    with pytest.raises(DataError, match="Class cat has 1 training images, of which 1 were to be held out"):
        read(tmp_path)
    with pytest.raises(DataError, match="has the class 'only' only; expected at least two"):
        read(folder(tmp_path / "outer", ("train",), ("only",)))
    with pytest.raises(ExperimentError, match="'hold_out' is 2"):
        read(tmp_path, hold_out=2)


def test_pictures_of_every_kind_become_rgb(tmp_path):
    folder(tmp_path)
    kinds = {"l.tif": "L", "p.gif": "P", "rgba.webp": "RGBA", "cmyk.JPG": "CMYK", "one.bmp": "1", "la.png": "LA"}
    for name, mode in kinds.items():
        write(tmp_path / "test" / "cat" / name, mode=mode)
    write(tmp_path / "test" / "cat" / "deeper" / "x.jpeg")
    found = quiet(tmp_path)
    samples = [found.split("test")[index]["image"] for index in range(len(found.test))]
    assert len(samples) == 6 + len(kinds) + 1
    assert {(*image.shape, image.dtype) for image in samples} == {(3, 20, 30, torch.uint8)}
    assert describe(tmp_path).splitlines() == [
        f"{tmp_path}: 25 images of 2 classes, all of them readable",
        "  train 6 images, 3 to 3 a class",
        "  val   6 images, 3 to 3 a class",
        "  test  13 images, 3 to 10 a class",
        "  repaired: converted from CMYK, without a colour profile (1, such as cmyk.JPG)",
    ]


def test_describe_names_the_picture_that_cannot_be_read(tmp_path):
    (folder(tmp_path) / "val" / "cat" / "cat0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"cat0\.png is not an image that can be decoded"):
        describe(tmp_path)


def test_the_fingerprint_is_of_content(tmp_path):
    before = quiet(folder(tmp_path / "a")).fingerprint()
    assert quiet(folder(tmp_path / "b")).fingerprint() == before  # wherever it lies
    write(tmp_path / "b" / "val" / "cat" / "cat0.png", size=(31, 20))
    assert quiet(tmp_path / "b").fingerprint() != before
    (tmp_path / "a" / "val" / "cat" / "cat0.png").rename(tmp_path / "a" / "test" / "cat" / "new.png")
    assert quiet(tmp_path / "a").fingerprint() != before


def test_a_table_in_the_order_of_its_rows(tmp_path):
    found = quiet(table(tmp_path, ROWS))
    assert found.classes == ("a", "b")
    assert [image.path.name for image in found.train] == [f"train{n}_{c}.png" for c in "ba" for n in "12"]
    assert found.labels("train").tolist() == [1, 1, 0, 0]
    assert found.groups == ()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_tables_as_spreadsheets_and_pandas_write_them(tmp_path, newline, encoding):
    rows = [
        f"{i}.png,{i},{i % 2}.0,{split.upper()},{i % 3}.0" for i, split in enumerate(["train", "valid", "Test"] * 4)
    ]
    for i in range(12):
        write(tmp_path / f"{i}.png", i)
    header = " Path ,Unnamed: 0,LABEL,split,group"
    with pytest.warns(LabNote, match=r"labels such as 0\.0 were read as whole numbers"):
        found = read(table(tmp_path, rows, header, newline, encoding))
    assert found.classes == ("0", "1")
    assert found.groups == ("group 0", "group 1", "group 2")


def test_quotation_marks_may_follow_a_space(tmp_path):
    path = table(tmp_path, ROWS)
    plain = quiet(path).fingerprint()
    rows = [", ".join(f'"{value}"' for value in row.split(",")) for row in path.read_text().splitlines()]
    path.write_text("\n".join(rows))
    assert quiet(path).fingerprint() == plain


def test_group_names_are_kept_and_must_be_whole(tmp_path):
    rows = [f"{row},{'sea' if 'a' in row.split(',')[1] else 'sand'}" for row in ROWS]
    found = quiet(table(tmp_path, rows, "path,label,split,place"), groups="place")
    assert found.groups == ("sand", "sea")
    dataset = found.split("val")
    assert dataset.groups.tolist() == [0, 0, 1, 1]
    assert dataset[2]["group"] == 1
    assert quiet(tmp_path / "labels.csv").fingerprint() != found.fingerprint()  # the same without groups
    with pytest.raises(DataError, match="lacks the column 'realm'; found path, label, split, place"):
        read(tmp_path / "labels.csv", groups="realm")
    with pytest.raises(DataError, match="line 4: the group is missing"):
        read(table(tmp_path, [*rows[:2], f"{ROWS[2]},", *rows[3:]], "path,label,split,group"))
    with pytest.raises(DataError, match="a group is named 'a', under which"):
        read(table(tmp_path, [f"{row},a" for row in ROWS], "path,label,split,group"))


def test_labels_that_are_numbers_but_no_class_numbers_are_told(tmp_path):
    rows = [f"{i}.png,{7 if i % 2 else 12},train" for i in range(8)]
    with pytest.warns(LabNote, match="labels are numbers from 7 to 12, 2 of them, so that class 0 is '7'"):
        found = read(table(tmp_path, rows))
    assert found.classes == ("7", "12")
    assert found.val


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("gone.png,a,train", r"line 14: the picture .*gone\.png is not there\."),
        ("TRAIN1_a.png,a,train", r"is not there, but 'train1_a\.png' is; expected the same small and capital"),
        ("../secret.png,a,train", "line 14: the path '../secret.png' is empty or points outside the data folder"),
        (
            "/etc/passwd,a,train",
            "line 14: the path '/etc/passwd' is empty or points outside .* or data_root",
        ),
        ("train1_a.png,b,val", "line 14: the picture 'train1_a.png' is already in line 4"),
        ("x.png,,train", "line 14: the label is missing"),
        ("x.png,a,holdout", "line 14: the split is 'holdout'; expected train, val or test"),
        ("x.png,a", "line 14: the row has another number of values"),
        ("x.png,emu,test", "line 14: no training picture has the label 'emu'"),
    ],
)
def test_wrong_rows_are_named_by_their_line(tmp_path, row, says):
    path = table(tmp_path, ROWS)
    if row.startswith("x.png"):
        write(tmp_path / "x.png")
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(DataError, match=says) as error:
        read(path)
    assert "\n" not in str(error.value)


def test_wrong_tables_are_named(tmp_path):
    with pytest.raises(DataError, match="lacks the column 'path'; found file, label, split"):
        read(table(tmp_path, ROWS, "file,label,split"))
    with pytest.raises(DataError, match="has a header but no rows"):
        read(table(tmp_path, []))
    (tmp_path / "labels.csv").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "labels.csv")
    (tmp_path / "labels.csv").write_bytes(b"path,label\n\xff\xfe,a\n")
    with pytest.raises(DataError, match=r"line 2, byte \d+: 0x.. is not UTF-8"):
        read(tmp_path / "labels.csv")


def test_paths_may_start_elsewhere_or_be_absolute(tmp_path):
    pictures, lists = tmp_path / "pictures", tmp_path / "lists"
    pictures.mkdir()
    lists.mkdir()
    table(pictures, ROWS)
    (pictures / "labels.csv").rename(lists / "labels.csv")
    with pytest.raises(DataError, match="is not there"):
        read(lists / "labels.csv")
    found = quiet(lists / "labels.csv", root=str(pictures))
    absolute = (lists / "labels.csv").read_text().replace("\ntr", f"\n{pictures}/tr")
    (lists / "labels.csv").write_text(absolute)
    assert quiet(lists / "labels.csv", root=str(pictures)) == found


class Items(Dataset):
    def __init__(self, items, **attributes):
        self.items = items
        for name, value in attributes.items():
            setattr(self, name, value)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def pil(mode="RGB"):
    return Image.fromarray(np.full((8, 10, 3), 100, np.uint8)).convert(mode)


def three(items, **attributes):
    return {name: Items(items, **attributes) for name in ("train", "val", "test")}


@pytest.mark.parametrize(
    ("image", "dtype"),
    [
        (pil(), torch.uint8),
        (pil("L"), torch.uint8),
        (pil("CMYK"), torch.uint8),
        (torch.full((3, 8, 10), 100, dtype=torch.uint8), torch.uint8),
        (torch.full((1, 8, 10), 100, dtype=torch.uint8), torch.uint8),
        (torch.full((1, 8, 10), 0.4, dtype=torch.float64), torch.float32),
    ],
)
@pytest.mark.parametrize(
    "as_item", [lambda *pair: pair, lambda image, label: {"image": image, "label": torch.tensor(label)}]
)
def test_items_of_data_sets_become_rgb(image, dtype, as_item):
    found = read(three([as_item(image, 0), as_item(image, 1)]), version="1")
    dataset = found.split("train", train_transform(8), eval_transform(8, 8))
    sample = dataset[1]
    assert sample["image"].shape == (3, 8, 8)
    assert sample["image"].dtype == dtype
    assert (sample["label"], sample["index"]) == (1, 1)


def test_floating_point_images_are_not_augmented():
    image = torch.rand(3, 8, 8)
    dataset = read(three([(image, 0), (image, 1)]), version="1").split(
        "train", train_transform(8), eval_transform(8, 8)
    )
    assert all(torch.equal(dataset[0]["image"], image) for _ in range(5))


def test_names_and_labels_come_from_the_data_set():
    def unseen(*_):
        raise AssertionError("a data set with targets is not looked through")

    items = [(pil(), 0)] + [(unseen, 0)] * 3
    found = read(three(items, targets=[0, 1, 1, 0], classes=["cat", "dog"]), version="1")
    assert found.classes == ("cat", "dog")
    assert found.labels("val").tolist() == [0, 1, 1, 0]
    wrong = [(pil(), 1), (pil(), 0)]  # a target_transform: the listed labels are not those of the items
    assert read(three(wrong, targets=[0, 1]), version="1").labels("val").tolist() == [1, 0]


def test_data_sets_of_torch_and_torchvision():
    fake = FakeData(20, (3, 8, 8), 2)
    found = read((Subset(fake, range(10)), Subset(fake, range(10, 15)), Subset(fake, range(15, 20))), version="fake")
    assert found.split("test")[0]["image"].dtype == torch.uint8
    tensors = TensorDataset(torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1]))
    found = read([tensors] * 3, version="noise")
    assert found.classes == ("0", "1")
    assert found.fingerprint().startswith("noise+sha256:")
    assert found.fingerprint() != read([tensors] * 3, version="noise-2").fingerprint()


def test_groups_of_data_sets_have_the_names_that_are_given():
    items = [{"image": pil(), "label": i % 2, "group": i // 2} for i in range(4)]
    found = read(three(items), version="1", groups=("day", "night"))
    assert found.split("val").groups.tolist() == [0, 0, 1, 1]
    assert found.split("val")[3]["group"] == 1
    with pytest.raises(DataError, match="item 2: the group is 1; expected 0 to 0"):
        read(three(items), version="1", groups=("day",))


class Stream(IterableDataset):
    def __iter__(self):
        yield pil(), 0


PAIR = [(pil(), 0), (pil(), 1)]


@pytest.mark.parametrize(
    ("sets", "options", "says"),
    [
        (three(PAIR), {}, "expected a version of your own"),
        ({"train": Items(PAIR)}, {"version": "1"}, "The data sets are train; expected train, val and test"),
        ([Items(PAIR)] * 2, {"version": "1"}, "expected train, val and test"),
        ([Stream()] * 3, {"version": "1"}, "has no items by number"),
        (three([]), {"version": "1"}, "'train' is empty"),
        (three([pil()]), {"version": "1"}, r"item 0 is a Image; expected \(image, label\)"),
        (three([{"image": pil()}]), {"version": "1"}, "item 0 has image; expected"),
        (three([(pil(), "cat")]), {"version": "1"}, "item 0: the label is cat; expected the whole number"),
        (three([(pil(), -1), (pil(), 1)]), {"version": "1"}, "item 0: the label is -1; expected 0 to 1"),
        (three([(pil(), 0), (pil(), 2)]), {"version": "1"}, "has no image of class 1"),
        (three([(pil(), 0)]), {"version": "1"}, "the class '0' only"),
        (three(PAIR), {"version": "1", "groups": "place"}, "expected the names of the groups"),
    ],
)
def test_data_sets_that_cannot_be_used_are_named(sets, options, says):
    with pytest.raises((DataError, ExperimentError), match=says):
        read(sets, **options)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((8, 8, 3)), "item 1: the image is a ndarray"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"the image is a tensor \(8, 8, 3\)"),
        (torch.full((3, 8, 8), -2.0), r"values from -2 to -2; expected \[0, 1\], without normalisation"),
        (torch.full((3, 8, 8), torch.nan), "values from nan to nan"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "the image is torch.int64"),
    ],
)
def test_images_of_data_sets_that_are_none_are_named(image, says):
    found = read(three([(pil(), 0), (image, 1)]), version="1")
    with pytest.raises(DataError, match=says):
        found.look_through()


def test_options_that_do_not_go_with_the_data_are_refused(tmp_path):
    folder(tmp_path)
    with pytest.raises(ExperimentError, match="'version' is '1', but pictures in files"):
        read(tmp_path, version="1")
    with pytest.raises(ExperimentError, match="takes neither groups nor data_root"):
        read(tmp_path, groups="place")
    with pytest.raises(ExperimentError, match=re.escape("'groups' is ('a', 'b'); expected the name of the column")):
        read(tmp_path / "x.csv", groups=("a", "b"))


@given(st.lists(st.integers(3, 40), min_size=1, max_size=5), st.floats(0.05, 0.5))
def test_every_class_gives_its_share_and_keeps_some(sizes, share):
    images = [LabelledImage(f"{label}/{i}", label) for label, size in enumerate(sizes) for i in range(size)]
    kept, held = hold_out(images, share)
    assert sorted([*kept, *held], key=str) == sorted(images, key=str)
    for label, size in enumerate(sizes):
        count = sum(image.label == label for image in held)
        assert count == max(1, round(share * size)) < size


@given(st.integers(8, 60), st.integers(8, 60), st.integers(4, 40), st.integers(4, 40))
def test_oblong_images_are_covered_without_a_border(height, width, high, wide):
    picture = torch.full((3, height, width), 200, dtype=torch.uint8)
    for transform in (eval_transform((high, wide), (high + 2, wide + 2)), train_transform((high, wide))):
        result = transform(picture)
        assert result.shape == (3, high, wide)
        assert (result == 200).all()


@given(st.data())
def test_damaged_tables_are_read_or_refused_with_a_sentence(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp() / "damaged"
    content = bytearray(table(root, [f"{row},x" for row in ROWS], "path,label,split,group").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 9))] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b",", b"\n", b'"', b"..", b"/", b"\0", b"9" * 5000, "é".encode()])
        )
    (root / "labels.csv").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found, said = read(root / "labels.csv"), ""
        except DataError as error:
            found, said = None, str(error)
    assert said.isprintable()
    assert bool(said) or (len(found.classes) > 1 and found.fingerprint())
