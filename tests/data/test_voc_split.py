import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import default_collate
from torchvision.transforms import v2

from e2kd_lab.data.boxes import box_masks
from e2kd_lab.data.loading import StepSampler, eval_loader, train_loader
from e2kd_lab.data.transforms import eval_transform, seeded, train_transform
from e2kd_lab.data.voc import read_voc
from e2kd_lab.data.voc_annotation import VocImage
from e2kd_lab.data.voc_split import VocSplit
from e2kd_lab.system.errors import DataError, LabNote

TWO_CATS_AND_A_DOG = (("cat", 1, 1, 5, 5), ("dog", 11, 3, 20, 18), ("cat", 21, 11, 30, 20))


@pytest.fixture
def split(write_voc):
    lists = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
    voc = read_voc(write_voc(lists, objects={"b": TWO_CATS_AND_A_DOG}))
    return lambda **options: voc.split("train", **options)


def test_samples_have_image_label_and_index(split):
    sample = split()[1]
    assert set(sample) == {"image", "label", "index"}
    assert (sample["image"].dtype, sample["image"].shape) == (torch.uint8, (3, 20, 30))
    assert sample["label"].dtype == torch.float32
    assert sample["label"].nonzero().flatten().tolist() == [7, 11]  # cat and dog among VOC's classes
    assert torch.equal(split().labels[1], sample["label"])


def test_boxes_and_their_masks_come_on_request(split):
    sample = split(boxes=True, masks=True)[1]
    assert sample["boxes"].tolist() == [[0, 0, 5, 5], [10, 2, 20, 18], [20, 10, 30, 20]]
    assert sample["box_labels"].tolist() == [7, 11, 7]
    mask = sample["box_mask"]
    assert (mask.dtype, mask.shape) == (torch.bool, (20, 20, 30))
    assert mask.sum((1, 2)).nonzero().flatten().tolist() == [7, 11]
    assert mask[7].sum() == 25 + 100
    assert mask[11, 2:18, 10:20].all()


def test_samples_with_masks_batch_plainly(split):
    data = split(transform=train_transform(16), masks=True)
    batch = default_collate([data[0], data[1]])
    assert batch["box_mask"].shape == (2, 20, 16, 16)
    assert batch["label"].shape == (2, 20)
    batch = next(iter(train_loader(data, StepSampler(len(data), 2, seed=0, start=0, stop=1))))
    assert batch["image"].shape == (2, 3, 16, 16)
    data = split(transform=v2.Resize((16, 16)), masks=True)
    assert next(iter(eval_loader(data, 2)))["box_mask"].shape == (2, 20, 16, 16)


def test_the_image_is_augmented_alike_with_and_without_boxes(split):
    pictures = []
    for options in ({}, {"boxes": True}, {"masks": True}):
        with seeded(3):
            pictures.append(split(transform=train_transform(16), **options)[1]["image"])
    assert torch.equal(pictures[0], pictures[1])
    assert torch.equal(pictures[0], pictures[2])


def test_a_box_outside_the_crop_vanishes_and_the_label_stays(split):
    sample = split(transform=v2.CenterCrop((10, 8)), boxes=True, masks=True)[1]  # columns 11 to 18, rows 5 to 14
    assert sample["boxes"].tolist() == [[0, 0, 8, 10]]
    assert sample["box_labels"].tolist() == [11]
    assert sample["label"].sum() == 2
    assert not sample["box_mask"][7].any()


def draw(folder, left, top, right, bottom):
    """A red rectangle on black, 64 x 48 pixels, and its annotation."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[top:bottom, left:right, 0] = 255
    Image.fromarray(pixels).save(folder / "r.jpg", quality=100, subsampling=0)
    return VocImage(folder / "r.jpg", folder / "r.xml", ((left, top, right, bottom),), (0,), (False,), 64, 48)


TRANSFORMS = [
    train_transform(40, scale=(0.3, 1.0)),
    v2.Resize((40, 40), antialias=True),
    eval_transform(40, 44),
    v2.RandomHorizontalFlip(p=1),
    v2.Compose([train_transform(56, scale=(0.5, 1.0)), v2.Resize((30, 44), antialias=True)]),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=["crop-flip-resize", "resize", "evaluation", "flip", "twice"])
@example(corner=(0, 0), extent=(24, 12), seed=3647)  # with "twice", the crop leaves a sliver
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    corner=st.tuples(st.integers(0, 52), st.integers(0, 36)),
    extent=st.tuples(st.integers(12, 64), st.integers(12, 48)),
    seed=st.integers(0, 10**6),
)
def test_boxes_follow_what_they_enclose(tmp_path, transform, corner, extent, seed):
    (left, top), (wide, tall) = corner, extent
    image = draw(tmp_path, left, top, min(left + wide, 64), min(top + tall, 48))
    with seeded(seed):
        sample = VocSplit([image], ["red"], transform=transform, boxes=True, masks=True)[0]
    red = sample["image"][0] > 127
    height, width = red.shape
    # Half of full red lies on the rectangle's edge, so that a pixel either way is all that resampling may cost.
    inner, outer = (
        box_masks(sample["boxes"] + step * torch.tensor([1, 1, -1, -1]), sample["box_labels"], 1, height, width)[0]
        for step in (1, -1)
    )
    assert torch.equal(sample["box_mask"], box_masks(sample["boxes"], sample["box_labels"], 1, height, width))
    if len(sample["boxes"]):
        assert red[inner].all()
        assert not red[~outer].any()
    else:  # outside the crop
        assert red.sum() == 0


def test_boxes_keep_fractions_of_a_pixel(tmp_path):
    halved_in_two = v2.Compose([v2.Resize((40, 50), antialias=True), v2.Resize((24, 32), antialias=True)])
    sample = VocSplit([draw(tmp_path, 3, 1, 30, 40)], ["red"], transform=halved_in_two, boxes=True)[0]
    torch.testing.assert_close(sample["boxes"], torch.tensor([[1.5, 0.5, 15, 20]]))


def test_decoded_images_are_kept_on_request(split, tmp_path):
    data = split(cache=True)
    first = data[0]["image"]
    data.images[0].path.unlink()
    assert torch.equal(data[0]["image"], first)


def test_an_image_of_another_size_than_annotated_is_named(split):
    data = split()
    Image.new("RGB", (31, 20)).save(data.images[0].path)
    with pytest.raises(DataError, match=r"a\.jpg has 31x20 pixels; expected 30x20, as .*a\.xml says"):
        data[0]


def test_a_truncated_image_is_named(split):
    data = split()
    content = data.images[0].path.read_bytes()
    data.images[0].path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"a\.jpg is truncated or damaged"):
        data[0]


def test_an_empty_set_is_refused():
    with pytest.raises(DataError, match="VOC images is empty"):
        VocSplit([], ["cat"])


def test_negatives_have_neither_labels_nor_boxes(write_voc):
    folder = write_voc({"train": ["a", "b"], "val": ["c"], "test": ["d"]}, objects={"b": ()})
    with pytest.warns(LabNote, match="images without objects, kept as negatives"):
        voc = read_voc(folder)
    sample = voc.split("train", boxes=True, masks=True, transform=train_transform(16))[1]
    assert not sample["label"].any()
    assert sample["boxes"].shape == (0, 4)
    assert (sample["box_labels"].shape, sample["box_labels"].dtype) == ((0,), torch.int64)
    assert not sample["box_mask"].any()


@pytest.mark.parametrize("orientation", range(2, 9))
def test_boxes_turn_with_a_picture_that_was_stored_turned(tmp_path, orientation):
    described = draw(tmp_path, 5, 7, 25, 20)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(tmp_path / "r.jpg").save(tmp_path / "r.jpg", quality=100, subsampling=0, exif=exif)
    with pytest.warns(LabNote, match="turned upright by their EXIF orientation"):
        sample = VocSplit([described], ["red"], masks=True)[0]
    assert torch.equal(sample["image"][0] > 127, sample["box_mask"][0])
    if orientation >= 5:  # the size says that boxes are of the upright picture
        upright = dataclasses.replace(described, width=48, height=64)
        sample = VocSplit([upright], ["red"], boxes=True)[0]
        assert sample["boxes"].tolist() == [[5, 7, 25, 20]]


def test_pictures_of_other_types_than_jpeg_are_read(write_voc):
    folder = write_voc()
    for key, suffix in {"a": ".png", "b": ".JPG", "c": ".webp"}.items():
        Image.open(folder / "JPEGImages" / f"{key}.jpg").save(folder / "JPEGImages" / f"{key}{suffix}")
        (folder / "JPEGImages" / f"{key}.jpg").unlink()
    voc = read_voc(folder)
    assert [image.path.name for image in voc.images("train")] == ["a.png", "b.JPG", "c.webp"]
    assert voc.split("train")[2]["image"].shape == (3, 20, 30)
    Image.new("RGB", (30, 20)).save(folder / "JPEGImages" / "c.png")
    with pytest.raises(DataError, match=r"line 3: the image .*c\.jpg is not there"):
        read_voc(folder)
