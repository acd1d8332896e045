"""Sets that are read otherwise than as they are stored have an identity of their own; ordinary ones keep theirs."""

import hashlib
import re
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from e2kd_lab.data import images, masks, reading
from e2kd_lab.data.image_folders import read_imagenet
from e2kd_lab.data.own_source import read
from e2kd_lab.data.voc import read_voc
from e2kd_lab.data.waterbirds import read_waterbirds
from e2kd_lab.system.errors import LabNote

NOISE = np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8)
BLOB = np.zeros((8, 12), np.uint8)
BLOB[2:5, 6:11] = 255
ORDINARY = re.compile(r"sha256:[0-9a-f]{64}")


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def xmp(orientation):
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'


def png_with(orientation):
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp(orientation))
    return info


def quietly(find, *arguments, **options):
    with warnings.catch_warnings(action="ignore", category=LabNote):
        return find(*arguments, **options)


def fingerprint(find, *arguments, **options):
    return quietly(find, *arguments, **options).fingerprint()


@pytest.fixture
def folder(tmp_path):
    """A folder of ordinary pictures in the layouts of ImageNet and of one's own."""
    for part in ("train", "val", "test"):
        for label in "ab":
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(3):
                Image.fromarray(NOISE).save(tmp_path / part / label / f"{number}.{('jpg', 'png', 'bmp')[number]}")
    return tmp_path


ORDINARY_FILES = [
    ("a.jpg", Image.fromarray(NOISE), {}),
    ("a.jpg", Image.fromarray(NOISE), {"exif": turned(1)}),
    ("a.jpg", Image.fromarray(NOISE).convert("CMYK"), {}),
    ("a.jpg", Image.fromarray(NOISE), {"xmp": xmp(1).encode()}),
    ("a.png", Image.fromarray(NOISE), {"exif": turned(1)}),
    ("a.png", Image.fromarray(NOISE).convert("P"), {}),
    ("a.png", Image.fromarray(NOISE).convert("RGBA"), {}),
    ("a.webp", Image.fromarray(NOISE), {"exif": turned(1)}),
    ("a.tif", Image.fromarray(NOISE), {"exif": turned(6)}),  # which Pillow has always turned
]
OTHERS = [
    ("a.jpg", Image.fromarray(NOISE), {"exif": turned(6)}),
    ("a.jpg", Image.fromarray(NOISE), {"xmp": xmp(3).encode()}),
    ("a.png", Image.fromarray(NOISE), {"exif": turned(2)}),
    ("a.png", Image.fromarray(NOISE), {"pnginfo": png_with(8)}),
    ("a.webp", Image.fromarray(NOISE), {"exif": turned(6)}),
    ("a.png", Image.fromarray(NOISE[..., 0].astype(np.uint16) * 256), {}),
    ("a.tif", Image.fromarray(NOISE[..., 0].astype(np.int32) * 256), {}),
    ("a.tif", Image.fromarray(NOISE[..., 0].astype(np.float32) / 255), {}),
]


@pytest.mark.parametrize("find", [read_imagenet, read])
@pytest.mark.parametrize(("name", "image", "options"), ORDINARY_FILES)
def test_ordinary_pictures_keep_their_fingerprint(folder, find, name, image, options):
    image.save(folder / "train" / "a" / name, **options)
    assert ORDINARY.fullmatch(fingerprint(find, folder))


@pytest.mark.parametrize("find", [read_imagenet, read])
@pytest.mark.parametrize(("name", "image", "options"), OTHERS)
def test_pictures_that_are_read_otherwise_are_counted_in_the_fingerprint(folder, find, name, image, options):
    for label in "ab":
        image.save(folder / "train" / label / name, **options)
    found = fingerprint(find, folder)
    digest, added = found[:71], found[71:]
    assert (bool(ORDINARY.fullmatch(digest)), added) == (True, "+reading 2: 2 pictures")


def test_a_png_that_is_turned_after_its_pixels_is_noticed(folder):
    path = folder / "train" / "a" / "1.png"
    Image.fromarray(NOISE).save(path, exif=turned(6))
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    closing = content.index(b"IEND") - 4
    path.write_bytes(content[:start] + content[end:closing] + content[start:end] + content[closing:])
    assert fingerprint(read, folder).endswith("+reading 2: 1 pictures")


def test_ordinary_pictures_are_not_decoded_for_a_fingerprint(folder, monkeypatch):
    def decoded(*_):
        raise AssertionError("an ordinary picture is opened by Pillow")

    for name in ("0.jpg", "1.png"):
        Image.fromarray(NOISE).save(folder / "train" / "a" / name)
    (folder / "train" / "a" / "2.bmp").unlink()
    paths = [folder / "train" / "a" / name for name in ("0.jpg", "1.png")]
    monkeypatch.setattr(images.PILImage, "open", decoded)
    assert reading.identified("sha256:0", folder, paths) == "sha256:0"


def test_a_picture_that_cannot_be_read_is_left_to_who_reads_it(folder):
    before = fingerprint(read, folder)
    path = folder / "train" / "a" / "2.bmp"
    path.write_bytes(b"noise" + path.read_bytes()[5:])
    assert fingerprint(read, folder) == before


@pytest.fixture
def birds(tmp_path):
    """A small Waterbirds set with masks."""
    lines = ["img_id,img_filename,y,split,place,place_filename"]
    for number in range(9):
        lines.append(f"{number},1.Bird/{number}.jpg,{number % 2},{number % 3},{number % 2},/f/{number}")
        for below in ("1.Bird", "segmentations/1.Bird"):
            (tmp_path / below).mkdir(parents=True, exist_ok=True)
        Image.fromarray(NOISE).save(tmp_path / f"1.Bird/{number}.jpg")
        Image.fromarray(BLOB).save(tmp_path / f"segmentations/1.Bird/{number}.png")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def coloured(indices):
    image = Image.fromarray(indices, mode="P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return image


@pytest.mark.parametrize(
    "mask",
    [
        Image.fromarray(BLOB // 255),
        coloured(BLOB // 255),
        coloured(BLOB // 255).convert("RGB"),
        Image.merge("LA", [Image.fromarray(BLOB * 0 + 255), Image.fromarray(BLOB)]),
        Image.fromarray((BLOB // 255).astype(np.uint16)),
    ],
)
def test_masks_that_were_read_otherwise_change_the_fingerprint(birds, mask):
    ordinary = fingerprint(read_waterbirds, birds)
    assert ORDINARY.fullmatch(ordinary)
    for path in (birds / "segmentations").rglob("*.png"):
        mask.save(path)
    (birds / "metadata.csv").write_text((birds / "metadata.csv").read_text() + "\n")  # another content
    assert fingerprint(read_waterbirds, birds).endswith("+reading 2: 9 masks")


def test_one_odd_mask_among_ordinary_ones_is_noticed(birds, monkeypatch):
    monkeypatch.setattr("e2kd_lab.data.reading._SAMPLE", 1)
    coloured(BLOB // 255).save(birds / "segmentations/1.Bird/7.png")
    assert fingerprint(read_waterbirds, birds).endswith("+reading 2: 1 masks")


def test_only_some_ordinary_masks_are_decoded(birds, monkeypatch):
    seen = []
    monkeypatch.setattr(reading, "_SAMPLE", 3)
    monkeypatch.setattr(reading, "decode_mask", lambda path: seen.append(path) or masks.decode_mask(path))
    assert ORDINARY.fullmatch(fingerprint(read_waterbirds, birds))
    assert len(seen) == 3


def test_voc_counts_a_turned_picture_once(write_voc):
    folder = write_voc()
    assert ORDINARY.fullmatch(fingerprint(read_voc, folder))
    Image.fromarray(NOISE.repeat(2, 0).repeat(2, 1)).save(folder / "JPEGImages/a.jpg", exif=turned(2))
    assert fingerprint(read_voc, folder).endswith("+reading 2: 1 pictures")


class Pictures(torch.utils.data.Dataset):
    def __init__(self, dtype):
        self.targets, self.dtype = [0, 1], dtype

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return Image.fromarray(NOISE[..., 0].astype(self.dtype)), self.targets[index]


def test_torch_sets_of_16_bits_change_their_fingerprint():
    ordinary, high = (fingerprint(read, [Pictures(dtype)] * 3, version="1") for dtype in (np.uint8, np.uint16))
    digest = hashlib.sha256(repr((("0", "1"), (), ((0, 1),) * 3, ())).encode()).hexdigest()
    assert ordinary == f"1+sha256:{digest}"
    assert high == f"{ordinary}+reading 2: 3 sets"
