"""Insertion and deletion: what is known in closed form, and the curves one image and step at a time."""

import itertools

import pytest
import torch

from e2kd_lab.metrics import area_under, blurred, delete_pixels, deletion_curve, insert_pixels, insertion_curve
from e2kd_lab.metrics import insertion_deletion as module


@pytest.fixture
def linear():
    """Images of six pixels, a linear model of them, and its input x gradient relative to the mean colour."""
    torch.manual_seed(0)
    images, weights = torch.rand(4, 3, 2, 3, dtype=torch.float64), torch.randn(3, 2, 3, dtype=torch.float64)

    def logits_of(x):
        score = (x * weights).sum((1, 2, 3))
        return torch.stack([score, -score], dim=1)

    mean = images.mean((2, 3), keepdim=True)
    return logits_of, images, ((images - mean) * weights).sum(1), ((images - blurred(images)) * weights).sum(1)


def step_by_step(logits_of, before, after, maps, k, steps):
    """The curve of one image, as one writes it down."""
    order = maps.flatten().argsort(descending=True, stable=True)
    image, values = before.clone(), []
    for step in range(steps + 1):
        changed = order[: round(step * maps.numel() / steps)]
        image.flatten(1)[:, changed] = after.flatten(1)[:, changed]
        values.append(logits_of(image[None]).softmax(1)[0, k])
    return torch.stack(values)


def test_a_linear_models_own_map_has_the_best_curves(linear):
    logits_of, images, deleted, inserted = linear
    classes = torch.zeros(4, dtype=torch.long)
    lowest = area_under(deletion_curve(logits_of, images, deleted, classes, steps=6))
    highest = area_under(insertion_curve(logits_of, images, inserted, classes, steps=6))
    least = area_under(deletion_curve(logits_of, images, deleted, classes, steps=6, least_first=True))
    # At each step the sum of the removed contributions is extreme, so that no other of the 720 orders is better.
    for order in itertools.islice(itertools.permutations(range(6)), 0, None, 7):
        maps = torch.tensor(order, dtype=torch.float64).view(1, 2, 3).expand(4, -1, -1)
        curve = area_under(deletion_curve(logits_of, images, maps, classes, steps=6))
        assert (curve >= lowest - 1e-12).all()
        assert (curve <= least + 1e-12).all()
        assert (area_under(insertion_curve(logits_of, images, maps, classes, steps=6)) <= highest + 1e-12).all()


@pytest.mark.parametrize("at_once", [1, 60, 400, 10**6])
def test_batches_are_one_image_at_a_time(monkeypatch, at_once):
    monkeypatch.setattr(module, "_PIXELS_AT_ONCE", {"cpu": at_once})
    torch.manual_seed(0)
    images, maps = torch.rand(3, 3, 5, 4), torch.randn(3, 1, 5, 4)
    weights, sizes = torch.randn(60, 3), []

    def logits_of(x):
        sizes.append(len(x))
        return x.flatten(1) @ weights

    classes = torch.tensor([2, 0, 1])
    found = (
        insertion_curve(logits_of, images, maps, classes, steps=7),
        deletion_curve(logits_of, images, maps, classes, steps=7),
    )
    assert max(sizes) == max(1, min(at_once // 20 // 8 * 8 or at_once // 20, 24))
    mean, soft = images.mean((2, 3), keepdim=True).expand_as(images), blurred(images)
    for n in range(3):
        one = (maps[n, 0], int(classes[n]), 7)
        torch.testing.assert_close(found[0][n], step_by_step(logits_of, soft[n], images[n], *one))
        torch.testing.assert_close(found[1][n], step_by_step(logits_of, images[n], mean[n], *one))


def test_a_random_order_is_the_mean_of_all_orders(linear):
    logits_of, images, *_ = linear
    classes = torch.zeros(4, dtype=torch.long)
    orders = [torch.tensor(order, dtype=torch.float64) for order in itertools.permutations(range(6))]
    maps = torch.stack(orders).view(-1, 2, 3)
    everyone = area_under(deletion_curve(logits_of, images[:1].expand(720, -1, -1, -1), maps, classes[:1].expand(720)))
    drawn = maps[torch.randint(720, (400,))]
    some = area_under(deletion_curve(logits_of, images[:1].expand(400, -1, -1, -1), drawn, classes[:1].expand(400)))
    assert some.mean().item() == pytest.approx(everyone.mean().item(), abs=4 * everyone.std().item() / 20)


def test_ties_do_not_favour_the_corner_where_counting_begins():
    images = torch.zeros(1, 3, 16, 16)
    images[:, :, :8] = 1

    def logits_of(x):  # whether the upper half is bright
        return torch.stack([x[:, :, :8].mean((1, 2, 3)), torch.zeros(len(x))], dim=1) * 2

    uniform = deletion_curve(logits_of, images, torch.ones(1, 16, 16), torch.tensor([0]), steps=2)
    raster = deletion_curve(logits_of, images, -torch.arange(256.0).view(1, 16, 16), torch.tensor([0]), steps=2)
    assert uniform[0, 1] > raster[0, 1] + 0.05


def test_maps_that_are_no_numbers_give_none_and_shapes_are_checked():
    images, maps = torch.rand(2, 3, 4, 4), torch.rand(2, 4, 4)
    maps[1, 0, 0] = torch.nan

    def logits_of(x):
        return x.mean((2, 3))

    curve = deletion_curve(logits_of, images, maps, torch.tensor([0, 1]), steps=3)
    assert curve[0].isfinite().all()
    assert curve[1].isnan().all()
    for bad in ({"maps": maps[:, :3]}, {"steps": 0}, {"classes": torch.tensor([0])}):
        given = {"maps": maps, "classes": torch.tensor([0, 1]), "steps": 3} | bad
        with pytest.raises(ValueError, match="insertion_curve needs images"):
            insertion_curve(logits_of, images, **given)


def test_pictures_of_a_share_are_those_that_the_curves_show(linear):
    logits_of, images, *_ = linear
    maps, classes = images.mean(1), torch.zeros(len(images), dtype=torch.long)
    for show, curve in ((insert_pixels, insertion_curve), (delete_pixels, deletion_curve)):
        expected = curve(logits_of, images, maps, classes, steps=3)
        for step in range(4):
            shown = show(images, maps, step / 3)
            probabilities = logits_of(shown).softmax(1).gather(1, classes[:, None])[:, 0]
            torch.testing.assert_close(probabilities, expected[:, step])
