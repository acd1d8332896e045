"""Pictures of more than 8 bits are scaled by the range that their files state."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from e2kd_lab.data.check import check_data
from e2kd_lab.data.images import as_image, read_image, read_picture
from e2kd_lab.data.masks import decode_mask
from e2kd_lab.system.errors import LabNote

RAMP = np.linspace(0, 1, 12 * 8).reshape(8, 12)
TWELVE = (RAMP * 4095).round().astype(np.uint16)
AS_SAID = ("scaled from 12 bits to 8 bits, as their files say",)


def tiff(path, tags):
    Image.fromarray(TWELVE).save(path, tiffinfo=tags)


def packed_tiff(path, _):
    """A TIFF of 12 bits a value, two values in three bytes, as cameras write it."""
    values = TWELVE.reshape(-1, 2).tolist()
    packed = b"".join(((a << 12) | b).to_bytes(3, "big") for a, b in values)
    fields = ((256, 12), (257, 8), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, len(packed)))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory)


def png(path, bits, pixels=TWELVE):
    Image.fromarray(pixels).save(path)
    content = path.read_bytes()
    body = b"sBIT" + bytes([bits])
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(content[:33] + chunk + content[33:])


@pytest.mark.parametrize(
    ("save", "stated", "suffix"), [(tiff, {281: 4095}, ".tif"), (packed_tiff, None, ".tif"), (png, 12, ".png")]
)
def test_pictures_of_12_bits_are_scaled_by_the_range_that_they_state(tmp_path, save, stated, suffix):
    save(tmp_path / f"a{suffix}", stated)
    picture = read_picture(tmp_path / f"a{suffix}")
    assert picture.repairs == AS_SAID
    assert np.abs(picture.pixels[..., 0] - RAMP * 255).max() <= 1


def test_values_that_a_png_has_scaled_to_16_bits_are_not_scaled_again(tmp_path):
    dark = TWELVE >> 4  # 8 bits, so that scaled to 16 they stay below 4096
    for scaled in (TWELVE << 4 | TWELVE >> 8, dark << 4):
        png(tmp_path / "a.png", 12, scaled)
        picture = read_picture(tmp_path / "a.png")
        assert picture.repairs == ("scaled from 16 bits to 8 bits",)
        assert np.abs(picture.pixels[..., 0] - scaled / 257).max() <= 1


@pytest.mark.parametrize("most", [4000, 200])
def test_the_largest_value_of_a_picture_is_not_taken_for_its_range(tmp_path, most):
    tiff(tmp_path / "a.tif", {281: most})
    assert read_picture(tmp_path / "a.tif").pixels.max() == 16


def test_what_may_have_12_bits_without_stating_it_is_said_once_and_counted(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(12):
            Image.fromarray(TWELVE).save(tmp_path / name / f"{number}.png")
    path = tmp_path / "a" / "0.png"
    assert read_picture(path).pixels.max() == 16  # of 255: scaled by 16 bits
    with pytest.warns(LabNote, match="dark .no value is above 4095; pictures of 12 bits must state it") as notes:
        read_image(path)
    assert len(notes) == 1
    assert "and dark (no value is above 4095" in str(check_data(tmp_path))
    assert "(24, such as 0.png)" in str(check_data(tmp_path))
    # A picture of 16 bits that states them is taken at its word.
    png(path, 16)
    assert read_picture(path).repairs == ("scaled from 16 bits to 8 bits",)
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(path)
    assert read_picture(path).repairs == ("scaled from 16 bits to 8 bits",)


def test_pictures_that_are_opened_from_memory_have_no_file_to_state_their_range(tmp_path):
    png(tmp_path / "a.png", 12)
    with warnings.catch_warnings(action="ignore", category=LabNote):
        for source, white in ((tmp_path / "a.png", 255), (io.BytesIO((tmp_path / "a.png").read_bytes()), 16)):
            with Image.open(source) as image:
                assert as_image(image).max() == white


def test_a_dark_pgm_stays_dark(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 12 8 4095\n" + (TWELVE // 32).astype(">u2").tobytes())
    picture = read_picture(tmp_path / "a.pgm")
    assert np.abs(picture.pixels[..., 0] - RAMP * 8).max() <= 1
    assert picture.repairs == ("scaled from 16 bits to 8 bits",)


def test_a_tiff_whose_white_is_zero_is_not_a_negative(tmp_path):
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(tmp_path / "a.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "a.tif") as image:
        assert image.tag_v2[262] == 0, "Pillow has not written the tag"
    assert np.abs(read_picture(tmp_path / "a.tif").pixels[..., 0] - (1 - RAMP) * 255).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_masks_of_fewer_than_16_bits_are_not_empty(tmp_path, bits):
    inside = np.zeros((8, 12), np.uint16)
    inside[2:5, 6:11] = 2**bits - 1
    Image.fromarray(inside).save(tmp_path / "m.png")
    with warnings.catch_warnings(action="ignore", category=LabNote):
        assert np.array_equal(decode_mask(tmp_path / "m.png").pixels, (inside > 0) * np.uint8(255))
