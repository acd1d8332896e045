"""Training images: the pixels of torchvision's own folder, and of JPEG files that are decoded at reduced size."""

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from e2kd_lab.data import fast_jpeg, training_crops
from e2kd_lab.data.image_folders import LabelledImage
from e2kd_lab.data.images import read_image
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.training_crops import read_crop
from e2kd_lab.data.transforms import eval_transform, seeded, train_transform
from e2kd_lab.system.errors import DataError

# Side ratios and sizes that no power of two divides.
SIZES = ((375, 500), (501, 333), (64, 64), (900, 1201))


def smooth(height, width, seed=0):
    """A picture without fine detail, so that its size matters little."""
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    for number, (height, width) in enumerate(SIZES):
        (tmp_path / "a").mkdir(exist_ok=True)
        smooth(height, width, number).save(tmp_path / "a" / f"{number}.jpg", quality=95)
    smooth(70, 90).convert("L").save(tmp_path / "a" / "4.jpg")
    smooth(70, 90).save(tmp_path / "a" / "5.png")
    return tmp_path


def images_of(folder):
    return [LabelledImage(path, 0) for path in sorted((folder / "a").iterdir())]


@pytest.mark.parametrize("transform", [train_transform(48), train_transform(48, (0.4, 1), 5), eval_transform(48, 56)])
@pytest.mark.parametrize("cache", [False, True])
def test_pixels_are_those_of_torchvisions_folder(folder, transform, cache):
    theirs = ImageFolder(str(folder), transform=v2.Compose([v2.ToImage(), transform]))
    ours = LabelledImages(images_of(folder), transform=transform, cache=cache)
    for epoch in range(2):
        for index in range(len(ours)):
            with seeded(0, epoch, index):
                expected = theirs[index][0]
            with seeded(0, epoch, index):
                sample = ours[index]
            assert torch.equal(sample["image"], expected)
            assert sample["image"].is_contiguous()
            assert (sample["label"], sample["index"]) == (0, index)


@pytest.mark.parametrize("least", [0.5, 1.0, 2.0])
def test_reduced_decoding_shows_the_same_crops(folder, least):
    transform = train_transform(48, (0.3, 1.0))
    whole = LabelledImages(images_of(folder), transform=transform)
    reduced = LabelledImages(images_of(folder), transform=transform, reduced=least)
    differ = 0
    for index in range(len(whole)):
        for epoch in range(5):
            with seeded(epoch, index):
                expected = whole[index]["image"]
            with seeded(epoch, index):
                found = reduced[index]["image"]
                after = torch.rand(())
            with seeded(epoch, index):
                whole[index]
                assert torch.rand(()) == after  # what is drawn next is the same, too
            assert (expected.float() - found.float()).abs().mean() < 12  # boxes are rounded
            differ += not torch.equal(expected, found)
    assert differ > 0


@pytest.mark.parametrize(
    ("box", "least", "factor"),
    [
        ((0, 0, 900, 1201), 1.0, 8),
        ((0, 0, 800, 799), 1.0, 4),
        ((0, 0, 800, 800), 1.0, 8),
        ((0, 0, 399, 1000), 1.0, 2),
        ((100, 100, 199, 300), 1.0, 1),
        ((100, 100, 199, 300), 0.9, 2),
        ((100, 100, 199, 300), 0.1, 8),
        ((0, 0, 900, 1201), 4.0, 2),
    ],
)
def test_the_factor_leaves_enough_pixels(folder, box, least, factor):
    path = folder / "a" / "3.jpg"
    sizes, draft = [], JpegImagePlugin.JpegImageFile.draft
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_crops, "decode_jpeg", lambda path, height, width: sizes.append((height, width)))
        patch.setattr(
            JpegImagePlugin.JpegImageFile,
            "draft",
            lambda image, *wanted: (draft(image, *wanted), sizes.append((image.height, image.width))),
        )
        crop = read_crop(path, lambda height, width: box, (100, 100), least)
    assert set(sizes) == {(-(-900 // factor), -(-1201 // factor))}
    assert len(sizes) == (1 if factor == 1 else 2)
    assert crop.image.shape == (3, 100, 100)
    assert crop.picture_size == (900, 1201)
    # The box that was cut is near the one that was asked for, and whole in pixels of the reduced picture.
    assert all(abs(found - asked) <= factor for found, asked in zip(crop.box, box, strict=True))
    assert all(found % factor == 0 for found in crop.box)


@pytest.mark.parametrize("box", [(0, 0, 900, 1201), (3, 5, 401, 600), (333, 222, 567, 900)])
@pytest.mark.parametrize("least", [0.5, 1.0])
def test_a_reduced_crop_is_the_box_that_it_names(folder, box, least):
    path, size = folder / "a" / "3.jpg", (96, 96)
    reduced = read_crop(path, lambda height, width: box, size, least)
    whole = read_crop(path, lambda height, width: reduced.box, size)
    assert whole.box == reduced.box != (0, 0, 0, 0)
    assert not torch.equal(whole.image, reduced.image)
    assert (whole.image.float() - reduced.image.float()).abs().mean() < 2


@pytest.mark.skipif(not fast_jpeg.HAS_SIMPLEJPEG, reason="simplejpeg is not installed")
@pytest.mark.parametrize("least", [None, 0.5, 0.1])
def test_both_decoders_give_the_same_pixels(folder, least, monkeypatch):
    images = LabelledImages(images_of(folder), transform=train_transform(48), reduced=least)
    noise = np.random.default_rng(0).integers(0, 255, (331, 477, 3), dtype=np.uint8)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        Image.fromarray(noise).save(folder / f"{name}.jpg", subsampling=subsampling, progressive=name == "422")
        images.images.append(LabelledImage(folder / f"{name}.jpg", 0))
    batches = []
    for has in (True, False):
        monkeypatch.setattr(fast_jpeg, "HAS_SIMPLEJPEG", has)
        with seeded(7):
            batches.append(torch.stack([images[index]["image"] for index in range(len(images))]))
    assert torch.equal(*batches)


def test_a_damaged_jpeg_is_named_whoever_decodes(folder):
    path = folder / "a" / "0.jpg"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"0\.jpg is truncated or damaged"):
        LabelledImages(images_of(folder), transform=train_transform(48))[0]


def test_turned_and_other_pictures_are_decoded_whole(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth(400, 800).save(tmp_path / "turned.jpg", exif=exif)
    smooth(400, 800).save(tmp_path / "picture.png")
    for name, (height, width) in (("turned.jpg", (800, 400)), ("picture.png", (400, 800))):
        crop = read_crop(tmp_path / name, lambda high, wide: (0, 0, high, wide), (height, width), 0.1)
        assert crop.picture_size == (height, width)
        assert torch.equal(crop.image, read_image(tmp_path / name))
