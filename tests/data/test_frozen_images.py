import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from e2kd_lab.data.frozen_images import crop_map


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
