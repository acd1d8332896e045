import numpy as np
import pytest
from PIL import Image

from e2kd_lab.data.image_folders import (
    draw_shots,
    hold_out,
    read_imagenet,
    read_sun397,
)
from e2kd_lab.data.images import read_image
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.system.errors import DataError, LabNote


def write(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="JPEG")


@pytest.fixture
def imagenet(tmp_path):
    for label in ("n02", "n01", "n03"):
        for number in range(9, -1, -1):
            write(tmp_path / "train" / label / f"{label}_{number}.JPEG", number)
        write(tmp_path / "val" / label / "a.JPEG")
    (tmp_path / "train" / "n01" / "notes.txt").write_text("not an image")
    return tmp_path


@pytest.fixture
def sun(tmp_path):
    for name in ("a/abbey", "b/bar/indoor", "b/bar/outdoor"):
        for number in range(4):
            write(tmp_path / "SUN397" / name / f"sun_{number}.jpg", number)
    for part, numbers in (("Training", (0, 1)), ("Testing", (2, 3))):
        lines = [f"/{name}/sun_{n}.jpg" for name in ("b/bar/outdoor", "a/abbey", "b/bar/indoor") for n in numbers]
        (tmp_path / f"{part}_02.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_imagenet_layout(imagenet):
    found = read_imagenet(imagenet)
    assert found.classes == ("n01", "n02", "n03")
    assert len(found.train) == 30
    assert [image.path.name for image in found.test] == ["a.JPEG"] * 3
    assert [image.label for image in found.test] == [0, 1, 2]
    assert list(found.train) == sorted(found.train, key=lambda image: image.path)
    sample = LabelledImages(found.train, cache=True)[0]
    assert sample["image"].shape == (3, 20, 30)
    assert (sample["label"], sample["index"]) == (0, 0)
    before = found.fingerprint()
    write(imagenet / "train" / "n01" / "new.JPEG")
    assert read_imagenet(imagenet).fingerprint() != before


def test_sun397_layout_with_its_partitions(sun):
    found = read_sun397(sun, partition=2)
    assert found.classes == ("a/abbey", "b/bar/indoor", "b/bar/outdoor")
    assert [image.path.name for image in found.train] == ["sun_0.jpg", "sun_1.jpg"] * 3
    assert {image.path.name for image in found.test} == {"sun_2.jpg", "sun_3.jpg"}
    with pytest.raises(DataError, match=r"has no Training_01\.txt"):
        read_sun397(sun)


def test_every_image_of_sun397_is_found_also_those_of_no_partition(sun):
    before = read_sun397(sun, partition=2)
    assert {image.path for image in before.every} == {image.path for image in (*before.train, *before.test)}
    write(sun / "SUN397" / "b" / "bar" / "indoor" / "sun_9.jpg")
    after = read_sun397(sun, partition=2)
    assert (after.train, after.test) == (before.train, before.test)
    assert [(image.path.name, image.label) for image in {*after.every} - {*before.every}] == [("sun_9.jpg", 1)]
    assert after.fingerprint() != before.fingerprint()
    write(sun / "SUN397" / "a" / "abbey" / "caf\udce9.jpg")
    with pytest.raises(DataError, match="is not UTF-8"):
        read_sun397(sun, partition=2)


def test_held_out_images_and_shots_are_disjoint_stable_and_nested(imagenet):
    train = read_imagenet(imagenet).train
    kept, held = hold_out(train, 3)
    assert len(kept) == 21
    assert len(held) == 9
    assert not set(kept) & set(held)
    assert hold_out(train, 3) == (kept, held)
    few, more = draw_shots(kept, 2), draw_shots(kept, 5)
    assert [image.label for image in few] == [0, 0, 1, 1, 2, 2]
    assert set(few) < set(more)
    assert set(draw_shots(kept, 2, seed=7)) != set(few)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda root: (root / "val" / "n02" / "a.JPEG").unlink(), "n02 holds no images"),
        (lambda root: write(root / "val" / "n09" / "a.JPEG"), "train has no class folder 'n09'"),
        (lambda root: (root / "val").rename(root / "valid"), "val is not there"),
    ],
)
def test_damaged_imagenet_folders(imagenet, damage, says):
    damage(imagenet)
    with pytest.raises(DataError, match=says):
        read_imagenet(imagenet)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/a/abbey/sun_9.jpg", r"Training_02\.txt, line 2: the image .*sun_9\.jpg is not there"),
        ("/a/../../secret.jpg", "line 2: the path 'a/../../secret.jpg' is empty or points outside"),
        ("/lonely.jpg", "is not a path to an image in a class folder"),
    ],
)
def test_damaged_sun397_lists(sun, line, says):
    (sun / "Training_02.txt").write_text(f"/a/abbey/sun_0.jpg\n{line}\n")
    with pytest.raises(DataError, match=says):
        read_sun397(sun, partition=2)


def test_too_few_images_are_named(imagenet):
    train = read_imagenet(imagenet).train
    with pytest.raises(DataError, match="Class 0 has 10 training images, of which 10"):
        hold_out(train, 10)
    with pytest.raises(DataError, match="Class 0 has 10 images to draw from; expected at least 11"):
        draw_shots(train, 11)
    with pytest.raises(DataError, match="is empty"):
        LabelledImages([])
    with pytest.raises(DataError, match="is not a folder"):
        read_imagenet("/nowhere")


def test_files_that_would_fill_the_memory_or_start_programs_are_refused(tmp_path):
    Image.new("1", (12_000, 12_000)).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size < 100_000
    with pytest.raises(DataError, match=r"large\.png has 12000x12000 pixels; expected at most 89 million"):
        read_image(tmp_path / "large.png")
    (tmp_path / "program.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    )
    assert Image.open(tmp_path / "program.jpg").format == "EPS"
    with pytest.raises(DataError, match=r"program\.jpg is not an image that can be decoded"):
        read_image(tmp_path / "program.jpg")


def test_a_listed_name_that_no_file_system_takes_is_named(tmp_path):
    for name in ("Training_01.txt", "Testing_01.txt"):
        (tmp_path / name).write_text(f"/a/abbey/{'x' * 300}.jpg\n")
    with pytest.raises(DataError, match=r"Training_01\.txt, line 1: the image .*xxx\.jpg is not there"):
        read_sun397(tmp_path)
    for reader in (read_sun397, read_imagenet):
        with pytest.raises(DataError, match=r"xxx (is not a folder|has no Training)"):
            reader(tmp_path / ("x" * 300))


@pytest.mark.parametrize("target", ["nowhere", "link.jpg"], ids=["nowhere", "itself"])
def test_links_that_lead_nowhere_are_counted(imagenet, target):
    before = read_imagenet(imagenet)
    (imagenet / "train" / "n01" / "link.jpg").symlink_to(target)
    with pytest.warns(LabNote, match=r"skipped: links that lead nowhere \(1, such as link\.jpg\)"):
        found = read_imagenet(imagenet)
    assert found.fingerprint() == before.fingerprint()


@pytest.mark.parametrize("target", ["nowhere", "n09"], ids=["nowhere", "itself"])
def test_a_link_in_the_place_of_a_class_that_leads_nowhere_is_refused(imagenet, target):
    (imagenet / "train" / "n09").symlink_to(target)
    with pytest.raises(DataError, match=r"n09 is a link that leads nowhere; expected a folder"):
        read_imagenet(imagenet)


@pytest.mark.parametrize("name", ["n01/caf\udce9.jpg", "n0\udcff/a.jpg"])
def test_names_that_are_not_utf8_are_a_printable_sentence(imagenet, name):
    try:
        write(imagenet / "train" / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only: others cannot be tested")
    with pytest.raises(DataError, match="is not UTF-8; expected names of images and classes in UTF-8") as error:
        read_imagenet(imagenet)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["a\nb.jpg", "a b.jpg", "名.png", "-.jpeg", "*.jpg", "x" * 250 + ".jpg"])
def test_odd_names_are_names(imagenet, name):
    write(imagenet / "train" / "n01" / name)
    found = read_imagenet(imagenet)
    assert (imagenet / "train" / "n01" / name) in [image.path for image in found.train]
    assert found.fingerprint().startswith("sha256:")


def test_a_folder_in_the_place_of_an_image_is_named(imagenet):
    (imagenet / "train" / "n01" / "0.jpg").mkdir()
    with pytest.raises(DataError, match=r"0\.jpg .* cannot be decoded: .*directory"):
        LabelledImages(read_imagenet(imagenet).train)[0]


def test_hidden_and_system_entries_are_no_classes_and_no_images(imagenet):
    clean = read_imagenet(imagenet)
    for name in ("train/.ipynb_checkpoints/a.JPEG", "val/__MACOSX/a.JPEG", "train/n01/._a.JPEG"):
        write(imagenet / name)
    (imagenet / "train" / "lost+found").mkdir()
    (imagenet / "val" / "n02" / "Thumbs.db").write_bytes(b"x")
    with pytest.warns(LabNote, match=r"hidden or system entries \(5, such as .ipynb_checkpoints\)"):
        found = read_imagenet(imagenet)
    assert (found.classes, found.fingerprint()) == (clean.classes, clean.fingerprint())


@pytest.mark.parametrize("below", ["Data/CLS-LOC", "ILSVRC/Data/CLS-LOC"])
def test_imagenet_is_found_in_the_layout_of_its_archive(imagenet, tmp_path_factory, below):
    root = tmp_path_factory.mktemp("archive")
    (root / below).parent.mkdir(parents=True)
    (root / below).symlink_to(imagenet)
    write(imagenet / "test" / "ILSVRC2012_test_00000001.JPEG")
    with pytest.warns(LabNote, match=r"folders of images without labels \(1, such as test\)"):
        found = read_imagenet(root)
    assert found.root == root / below
    assert found.fingerprint() == read_imagenet(imagenet).fingerprint()
    assert found.val == ()


def test_test_beside_val_is_the_test_set(imagenet):
    before = read_imagenet(imagenet)
    for label in ("n01", "n02", "n03"):
        write(imagenet / "test" / label / "t.JPEG")
    found = read_imagenet(imagenet)
    assert [image.path.name for image in found.test] == ["t.JPEG"] * 3
    assert found.val == before.test
    assert found.train == before.train
    assert found.fingerprint() != before.fingerprint()
    (imagenet / "test" / "n03" / "t.JPEG").unlink()
    (imagenet / "test" / "n03").rmdir()
    with pytest.raises(DataError, match="test has no class folder 'n03'; expected the classes of train in test"):
        read_imagenet(imagenet)
