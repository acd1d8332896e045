import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as TF

from e2kd_lab.data.frozen import FrozenTeacher, FrozenWriter
from e2kd_lab.data.frozen_arrays import LOGITS, MAPS, PICTURES
from e2kd_lab.data.frozen_images import FrozenImages, crop_map
from e2kd_lab.data.frozen_manifest import MANIFEST
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.image_folders import LabelledImage
from e2kd_lab.data.images import content_digest
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.system.errors import DataError, LabNote


@pytest.mark.parametrize("flip", [False, True])
def test_aligned_crops_are_exact(flip):
    torch.manual_seed(0)
    whole, image = torch.randn(6, 32, 32), torch.rand(3, 32, 32)
    for top, left in ((0, 0), (3, 7), (16, 16)):
        cropped = crop_map(whole, (top, left, 16, 16), (32, 32), 16, flip=flip)
        expected = whole[:, top : top + 16, left : left + 16]
        torch.testing.assert_close(cropped, expected.flip(2) if flip else expected, rtol=0, atol=2e-5)
        # The image's own crop shows the same place.
        same = TF.resized_crop(image, top, left, 16, 16, [16, 16])
        torch.testing.assert_close(same, image[:, top : top + 16, left : left + 16])
    # A map of half the resolution: its pixels are centred on pairs of the image's.
    coarse = crop_map(whole, (16, 32, 32, 32), (64, 64), 16, flip=flip)
    expected = whole[:, 8:24, 16:32]
    torch.testing.assert_close(coarse, expected.flip(2) if flip else expected, rtol=0, atol=2e-5)


def test_a_crop_of_a_smooth_map_is_what_bilinear_resizing_gives():
    whole = torch.linspace(0, 1, 32).expand(1, 32, 32).clone()
    ours = crop_map(whole, (4, 6, 20, 20), (32, 32), 40)
    theirs = TF.resized_crop(whole, 4, 6, 20, 20, [40, 40], antialias=False)
    torch.testing.assert_close(ours[:, 2:-2, 2:-2], theirs[:, 2:-2, 2:-2], rtol=0, atol=1e-5)


def test_an_image_in_the_place_of_a_frozen_one_is_refused(tmp_path):
    images = []
    for number in range(4):
        Image.fromarray(np.full((8, 8, 3), 60 * number, np.uint8)).save(tmp_path / f"{number}.bmp")
        images.append(LabelledImage(tmp_path / f"{number}.bmp", 0))
    names = [image.path.name for image in images]
    writer = FrozenWriter(tmp_path / "cache", FrozenSpec(teacher="t", data="d", view=8, channels=1, classes=2), names)
    for rows in writer.missing():
        digests = [content_digest(images[row].path) for row in rows]
        writer.write(rows, torch.zeros(len(rows), 2), torch.rand(len(rows), 1, 8, 8), digests)
    dataset = FrozenImages(LabelledImages(images), names, FrozenTeacher(tmp_path / "cache"), 8)
    assert [dataset[index]["index"] for index in range(4)] == [0, 1, 2, 3]
    first, second = (image.path.read_bytes() for image in images[:2])
    assert len(first) == len(second)
    images[0].path.write_bytes(second)
    again = FrozenImages(LabelledImages(images), names, FrozenTeacher(tmp_path / "cache"), 8)
    again[1]
    with pytest.raises(DataError, match=r"0\.bmp has another content than when .*cache was frozen"):
        again[0]


def test_a_cache_without_digests_is_read_and_said_to_have_none(tmp_path):
    spec = FrozenSpec(teacher="t", data="d", view=8, channels=1, classes=2)
    writer = FrozenWriter(tmp_path, spec, ["a"])
    writer.write(range(1), torch.zeros(1, 2), torch.ones(1, 1, 8, 8))
    assert FrozenTeacher(tmp_path).map("a").shape == (1, 8, 8)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    digest = hashlib.sha256(np.load(tmp_path / LOGITS).tobytes() + np.load(tmp_path / MAPS).tobytes()).hexdigest()
    (tmp_path / MANIFEST).write_text(json.dumps({**manifest, "version": 1, "checksums": [digest]}))
    (tmp_path / PICTURES).unlink()
    with pytest.warns(LabNote, match="was frozen without digests of its images"):
        cache = FrozenTeacher(tmp_path)
    cache.require_image("a", tmp_path / "nowhere.jpg")
    assert list(FrozenWriter(tmp_path, spec, ["a"]).missing()) == []
