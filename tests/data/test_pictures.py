"""Pictures and masks as people have them: orientation, bit depth, palettes, transparency."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from e2kd_lab.data.images import read_image, read_picture
from e2kd_lab.data.masks import decode_mask, is_empty, read_mask
from e2kd_lab.data.orientation import turned_boxes
from e2kd_lab.system.errors import DataError, LabNote

RAMP = np.linspace(0, 1, 12 * 8).reshape(8, 12)
BLOB = np.zeros((8, 12), np.uint8)
BLOB[2:5, 6:11] = 1


def save(path, pixels, orientation=None, **options):
    if orientation is not None:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    Image.fromarray(pixels).save(path, **options)
    return path


def quietly(read, *arguments):
    with warnings.catch_warnings(action="ignore", category=LabNote):
        return read(*arguments)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_masks_and_boxes_are_turned_alike(tmp_path, orientation, suffix):
    pixels = np.repeat(BLOB[..., None] * 255, 3, axis=2)
    stored = save(tmp_path / f"a{suffix}", pixels, orientation)
    image = quietly(read_image, stored)[0] > 127
    assert image.shape == ((12, 8) if orientation >= 5 else (8, 12))
    boxes = turned_boxes(torch.tensor([[6.0, 2.0, 11.0, 5.0]]), 12, 8, orientation)[0].int().tolist()
    inside = torch.zeros_like(image)
    inside[boxes[1] : boxes[3], boxes[0] : boxes[2]] = True
    assert torch.equal(image, inside)
    mask = quietly(read_mask, save(tmp_path / "m.png", BLOB * 255), read_picture(stored))[0] > 127
    assert torch.equal(image, mask)
    repairs = read_picture(stored).repairs
    assert repairs == (("turned upright by their EXIF orientation",) if orientation > 1 else ())


def test_an_upright_mask_of_a_turned_picture_stays_upright(tmp_path):
    picture = read_picture(save(tmp_path / "a.png", np.repeat(BLOB[..., None] * 255, 3, axis=2), 6))
    upright = np.rot90(BLOB, -1) * 255
    assert np.array_equal(decode_mask(save(tmp_path / "m.png", upright), picture).pixels, upright)
    own = save(tmp_path / "own.png", BLOB * 255, 6)
    assert np.array_equal(decode_mask(own, picture).pixels, upright)
    with pytest.raises(DataError, match=r"m\.png has 9x8 pixels; expected its image's 8x12"):
        decode_mask(save(tmp_path / "m.png", BLOB[:, :9].copy()), picture)


@pytest.mark.parametrize(
    ("pixels", "suffix", "said"),
    [
        ((RAMP * 65535).round().astype(np.uint16), ".png", "scaled from 16 bits to 8 bits"),
        ((RAMP * 65535).round().astype(np.uint16), ".tif", "scaled from 16 bits to 8 bits"),
        ((RAMP * (2**31 - 1)).astype(np.int32), ".tif", "scaled from a high range to 8 bits"),
        (RAMP.astype(np.float32), ".tif", "scaled from a high range to 8 bits"),
        ((RAMP * 255).astype(np.float32), ".tif", "scaled from a high range to 8 bits"),
    ],
)
def test_high_ranges_are_scaled(tmp_path, pixels, suffix, said):
    picture = read_picture(save(tmp_path / f"a{suffix}", pixels))
    assert picture.repairs == (said,)
    expected = RAMP * (127 if pixels.dtype == np.int32 else 255)  # of the range of 32 bits without sign, a half
    assert np.abs(picture.pixels[..., 0] - expected).max() <= 1
    assert (picture.pixels == picture.pixels[..., :1]).all()


def test_dark_pictures_of_16_bits_stay_dark(tmp_path):
    dark = save(tmp_path / "a.png", (RAMP * 200).astype(np.uint16))
    assert read_picture(dark).pixels.max() == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_values_that_are_no_brightness_are_refused(tmp_path, value):
    pixels = RAMP.astype(np.float32)
    pixels[0, 0] = value
    with pytest.raises(DataError, match=r"a\.tif .* it has values from .*; expected finite numbers from 0"):
        read_image(save(tmp_path / "a.tif", pixels))


def test_what_is_left_out_of_a_picture_is_said(tmp_path):
    clear = np.full((8, 12, 4), 255, np.uint8)
    assert read_picture(save(tmp_path / "opaque.png", clear)).repairs == ()
    clear[0, 0, 3] = 0
    path = save(tmp_path / "a.png", clear)
    assert read_picture(path).repairs == ("read without their transparency",)
    with pytest.warns(LabNote, match="Pictures in training: read without their transparency"):
        read_image(path)


def palette(indices, colours):
    image = Image.fromarray(indices, mode="P")
    image.putpalette([level for colour in colours for level in colour])
    return image


VOC_COLOURS = [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
GREYS = [[level] * 3 for level in range(256)]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image.fromarray(BLOB * 255), ()),
        (Image.fromarray(BLOB * 255).convert("1"), ()),
        (Image.fromarray(BLOB * 255).convert("RGB"), ()),
        (Image.fromarray(BLOB), ("masks with 0 and 1 scaled to 0 and 255",)),
        (palette(BLOB, GREYS), ("masks with 0 and 1 scaled to 0 and 255",)),
        (palette(BLOB * 255, GREYS), ()),
        (palette(BLOB * 2, VOC_COLOURS), ("masks with a palette, every index but 0 inside",)),
        (palette(BLOB * 2, VOC_COLOURS).convert("RGB"), ("masks with colours, every one but black inside",)),
        (Image.fromarray(BLOB.astype(np.uint16) * 65535), ("masks scaled from 16 bits or another high range",)),
        (Image.fromarray(BLOB.astype(np.uint16) * 255), ("masks scaled from 16 bits or another high range",)),
        (Image.fromarray(BLOB.astype(np.uint16)), ("masks scaled from 16 bits or another high range",)),
    ],
)
def test_masks_mean_the_same_however_they_are_stored(tmp_path, image, said):
    image.save(tmp_path / "m.png")
    mask = decode_mask(tmp_path / "m.png")
    assert np.array_equal(mask.pixels, BLOB * 255)
    assert mask.repairs == said


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image.merge("LA", [Image.fromarray(BLOB * 0 + 255), Image.fromarray(BLOB * 255)]), "of one colour"),
        (Image.fromarray(np.dstack([BLOB * 0, BLOB * 0, BLOB * 0, BLOB * 255]), "RGBA"), "of one colour"),
        (Image.merge("LA", [Image.fromarray(BLOB * 254 + 1), Image.fromarray(BLOB * 255)]), "which are outside"),
    ],
)
def test_what_is_transparent_is_outside_a_mask(tmp_path, image, said):
    image.save(tmp_path / "m.png")
    mask = decode_mask(tmp_path / "m.png")
    assert np.array_equal(mask.pixels, BLOB * 255)
    assert said in mask.repairs[-1]
    Image.merge("LA", [Image.fromarray(BLOB * 255), Image.fromarray(BLOB * 0 + 255)]).save(tmp_path / "m.png")
    assert np.array_equal(decode_mask(tmp_path / "m.png").pixels, BLOB * 255)
    assert not decode_mask(tmp_path / "m.png").repairs


def test_soft_masks_keep_their_values(tmp_path):
    soft = (RAMP * 255).astype(np.uint8)
    assert np.array_equal(decode_mask(save(tmp_path / "m.png", soft)).pixels, soft)
    assert np.array_equal(read_mask(tmp_path / "m.png")[0], soft)
    assert not is_empty(soft)
    assert is_empty(soft // 2)


def test_a_palette_that_is_not_there_is_damage(tmp_path):
    palette(BLOB, VOC_COLOURS).save(tmp_path / "m.png")
    content = (tmp_path / "m.png").read_bytes()
    start = content.index(b"PLTE") - 4
    length = 12 + int.from_bytes(content[start : start + 4], "big")
    (tmp_path / "m.png").write_bytes(content[:start] + content[start + length :])
    for reader in (read_image, read_mask):
        with pytest.raises(DataError, match=r"m\.png is truncated or damaged and cannot be decoded"):
            reader(tmp_path / "m.png")
