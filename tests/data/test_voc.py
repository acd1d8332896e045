import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.data.check import check_data, check_voc
from e2kd_lab.data.voc import CLASSES, read_voc, voc_folders
from e2kd_lab.system.errors import DataError

WITHOUT_TEST = {"train": [f"t{n:02d}" for n in range(20)], "val": ["v0", "v1"], "trainval": ["t00", "v0"]}


def names(images):
    return [image.path.stem for image in images]


def test_lists_are_read_in_their_order(write_voc):
    folder = write_voc({"train": ["c", "a"], "val": ["b"], "trainval": ["a", "b", "c"], "test": ["d"]})
    voc = read_voc(folder)
    assert voc.folder == folder
    assert voc.classes == CLASSES
    assert len(CLASSES) == 20
    assert {name: names(images) for name, images in voc.splits.items()} == {
        "train": ["c", "a"], "val": ["b"], "trainval": ["a", "b", "c"], "test": ["d"],
    }  # fmt: skip
    assert voc.splits["train"][1] is voc.splits["trainval"][0]
    assert voc.splits["test"][0].boxes == ((2, 3, 10, 12),)
    assert CLASSES[voc.splits["test"][0].labels[0]] == "cat"


def test_every_root_finds_the_set(write_voc, tmp_path):
    folder = write_voc()
    for root in (tmp_path, tmp_path / "VOCdevkit", folder, str(folder)):
        assert read_voc(root).folder == folder
        assert read_voc(root, 2012).folder == folder
        with pytest.raises(DataError, match="holds no VOC set; expected VOC2007, VOCdevkit/VOC2007 or"):
            read_voc(root, 2007)


def test_several_years_are_not_guessed_between(write_voc, tmp_path):
    write_voc()
    older = write_voc(below="VOCdevkit/VOC2007")
    with pytest.raises(
        DataError,
        match=r"several VOC sets \(VOCdevkit/VOC2007, .*: pass its folder, such as .*VOC2012",
    ):
        read_voc(tmp_path)
    assert read_voc(tmp_path, 2007).folder == older
    assert len(voc_folders(tmp_path)) == 2


def test_no_set_is_said_to_be_none(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        read_voc(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no VOC set"):
        read_voc(tmp_path)
    assert voc_folders(tmp_path) == []


def test_with_an_annotated_test_list_the_official_splits_are_used(write_voc):
    voc = read_voc(write_voc())
    assert [names(voc.images(name)) for name in ("train", "val", "test")] == [["a", "b", "c"], ["d", "e"], ["f"]]
    with pytest.raises(DataError, match=r"has no trainval\.txt; found train, val, test"):
        voc.images("trainval")


def test_without_one_a_tenth_of_train_is_held_out_and_val_is_the_test_set(write_voc):
    voc = read_voc(write_voc(WITHOUT_TEST))
    train, val = names(voc.images("train")), names(voc.images("val"))
    assert (len(train), len(val)) == (18, 2)
    assert sorted(train + val) == WITHOUT_TEST["train"]
    assert train == sorted(train)
    assert names(voc.images("test")) == ["v0", "v1"]
    assert names(voc.images("trainval")) == ["t00", "v0"]
    assert names(read_voc(voc.folder).images("val")) == val
    assert len(voc.split("train")) == 18


def test_a_test_list_without_annotations_is_left_out(write_voc):
    folder = write_voc()
    (folder / "ImageSets" / "Main" / "test.txt").write_text("x\ny\nf\n")
    voc = read_voc(folder)
    assert set(voc.splits) == {"train", "val"}
    assert names(voc.images("test")) == ["d", "e"]


def test_unknown_splits_and_sets_too_small_to_hold_out_are_named(write_voc):
    voc = read_voc(write_voc({"train": ["a"], "val": ["b"]}))
    with pytest.raises(DataError, match="has no split 'valid'; expected one of train, val, trainval, test"):
        voc.images("valid")
    with pytest.raises(DataError, match=r"train\.txt lists one image; expected at least 2"):
        voc.split("train")


def test_classes_beside_the_lists_take_the_place_of_vocs(write_voc):
    folder = write_voc({"train": ["a", "b"], "val": ["c"]}, objects={"b": (("sea lion", 1, 1, 2, 2),)})
    with pytest.raises(DataError, match=r"b\.xml, object 1 \(sea lion\): this class is unknown; expected one of aero"):
        read_voc(folder)
    (folder / "classes.txt").write_text("sea lion\ncat\n\n")
    voc = read_voc(folder)
    assert voc.classes == ("sea lion", "cat")
    assert [image.labels for image in voc.splits["train"]] == [(1,), (0,)]


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        ("classes.txt", b"\n", r"classes\.txt is empty; expected the name of one class per line"),
        ("classes.txt", b"cat\ndog\ncat\n", r"classes\.txt names the class 'cat' twice"),
        ("ImageSets/Main/train.txt", b"", r"train\.txt is empty; expected one image id per line"),
        ("ImageSets/Main/train.txt", b"a\nb\na\n", r"train\.txt, line 3: 'a' is already in line 1"),
        ("ImageSets/Main/train.txt", b"a\n\nz\n", r"train\.txt, line 3: the annotation .*z\.xml is not there"),
        ("ImageSets/Main/train.txt", b"a\n../b\n", r"train\.txt, line 2: '\.\./b' is not an image id"),
        ("ImageSets/Main/train.txt", b"a\n..\n", r"train\.txt, line 2: '\.\.' is not an image id"),
        ("ImageSets/Main/train.txt", b"/etc/passwd\n", r"line 1: '/etc/passwd' is not an image id"),
        ("ImageSets/Main/train.txt", b"a\\b\n", r"line 1: .* is not an image id"),
        ("ImageSets/Main/train.txt", b"a 1\n", r"line 1: 'a 1' is not an image id"),
        ("ImageSets/Main/train.txt", b"x" * 5000, r"line 1: 'x+' is not an image id"),
        ("ImageSets/Main/train.txt", b"a\nb\xe4r\n", r"train\.txt, line 2, byte 3: 0xE4 is not UTF-8"),
        ("Annotations/b.xml", b"<annotation>", r"b\.xml is not well-formed XML"),
        ("Annotations/b.xml", None, r"train\.txt, line 2: the annotation .*b\.xml is not there"),
        ("JPEGImages/b.jpg", None, r"train\.txt, line 2: the image .*b\.jpg is not there"),
    ],
)
def test_faults_are_named_with_their_place(write_voc, path, content, sentence):
    folder = write_voc()
    if content is None:
        (folder / path).unlink()
    else:
        (folder / path).write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        read_voc(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_lists_is_named(write_voc):
    folder = write_voc()
    for path in (folder / "ImageSets" / "Main").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"Main holds no list; expected train\.txt and val\.txt"):
        read_voc(folder)


@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: t.encode(errors="replace"))))
def test_any_list_ends_in_success_or_the_readers_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "train.txt").write_bytes(content)
    with pytest.raises(DataError):  # no image is there, so that every list is wrong
        read_voc(folder)


def test_the_fingerprint_changes_with_whatever_changes_the_data(write_voc):
    folder = write_voc()
    prints = [read_voc(folder).fingerprint()]
    assert read_voc(folder).fingerprint() == prints[0]
    changes = {
        "Annotations/a.xml": lambda text: text.replace(b"<xmax>10<", b"<xmax>11<"),
        "ImageSets/Main/train.txt": lambda text: b"a\nc\nb\n",
        "JPEGImages/b.jpg": lambda text: text + b"\0",
        "Annotations/f.xml": lambda text: text.replace(b"<difficult>0<", b"<difficult>1<"),
    }
    for path, change in changes.items():
        (folder / path).write_bytes(change((folder / path).read_bytes()))
        prints.append(read_voc(folder).fingerprint())
    (folder / "classes.txt").write_text("dog\ncat\n")
    prints.append(read_voc(folder).fingerprint())
    assert len(set(prints)) == len(prints)


def test_check_counts_images_and_objects(write_voc, tmp_path):
    objects = {"a": (("cat", 1, 1, 2, 2), ("dog", 1, 1, 30, 20), ("dog", 3, 3, 9, 9))}
    folder = write_voc(objects=objects)
    report = str(check_data(tmp_path))
    assert report == str(check_voc(folder, 2012))
    assert "6 images, all of them readable" in report
    assert "lists: train 3, val 2, test 1" in report
    assert "objects: 8, 1 to 3 an image, 0 of them difficult" in report
    rows = [line.split() for line in report.splitlines()]
    assert ["cat", "3", "2", "1"] in rows
    assert ["dog", "1", "0", "0"] in rows
    assert ["in", "all", "3", "2", "1"] in rows


def test_check_says_where_the_splits_come_from(write_voc):
    report = str(check_voc(write_voc(WITHOUT_TEST)))
    assert ["in", "all", "18", "2", "2"] in [line.split() for line in report.splitlines()]
    assert "test is the list val, and val a tenth of the list train" in report


def test_check_decodes_every_image(write_voc):
    folder = write_voc()
    (folder / "JPEGImages" / "f.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"f\.jpg is not an image"):
        check_voc(folder)


def test_an_id_that_no_file_system_takes_is_named(write_voc):
    folder = write_voc()
    (folder / "ImageSets" / "Main" / "train.txt").write_text("a\n" + "名" * 90 + "\n")  # 270 bytes
    with pytest.raises(DataError, match=r"train\.txt, line 2: the annotation .*名\.xml is not there"):
        read_voc(folder)
    (folder / "ImageSets" / "Main" / "test.txt").write_text("名" * 90 + "\n")
    (folder / "ImageSets" / "Main" / "train.txt").write_text("a\nb\n")
    assert "test" not in read_voc(folder).splits
    with pytest.raises(DataError, match="xxx is not a folder"):
        check_data(folder / ("x" * 300))
