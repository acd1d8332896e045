import torch
from torchvision import tv_tensors

from e2kd_lab.data.transforms import as_unit_range, eval_transform, seeded, train_transform


def test_training_crops_image_and_mask_alike():
    ramp = torch.arange(40 * 60, dtype=torch.float32).view(1, 40, 60)
    sample = {"image": tv_tensors.Image(ramp.expand(3, 40, 60)), "mask": tv_tensors.Mask(ramp)}
    transform = train_transform(16, scale=(0.7, 1.0))
    with seeded(0):
        result = transform(sample)
    assert result["image"].shape == (3, 16, 16)
    # The mask is taken by nearest neighbour, the image interpolated: the ramp shows the same region.
    assert (result["image"][0] - result["mask"][0]).abs().max() < 0.06 * ramp.max()


def test_crops_cover_the_asked_share_of_the_image():
    image = tv_tensors.Image(torch.rand(3, 64, 64))
    transform = train_transform(64, scale=(0.99, 1.0))
    with seeded(1):
        result = transform(image)
    difference = min((result - image).abs().mean(), (result.flip(-1) - image).abs().mean())
    assert difference < 0.35


def test_evaluation_resizes_the_smaller_side_and_crops_the_centre():
    image = tv_tensors.Image(torch.zeros(3, 50, 100))
    image[..., 25:75] = 1
    result = eval_transform(size=25, resize=50)(image)
    assert result.shape == (3, 25, 25)
    assert result.min() == 1


def test_seeded_draws_depend_on_the_position_alone():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    with seeded(1, 2, 3):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(100)
    with seeded(1, 2, 3):
        assert torch.equal(torch.rand(3), first)
    with seeded(1, 2, 4):
        assert not torch.equal(torch.rand(3), first)


def test_unit_range():
    assert torch.equal(as_unit_range(torch.tensor([0, 255], dtype=torch.uint8)), torch.tensor([0.0, 1.0]))
    assert as_unit_range(torch.tensor([0.5])) == 0.5
