"""The plain PyTorch baseline computes what the lab computes."""

import copy

import pytest
import torch
from by_name import method_of

from e2kd_lab.bench.pairs import Pair, in_double, loss_and_gradients, plain_pair
from e2kd_lab.bench.reference import PlainModel, PlainStep, epg_and_iou, plain_model
from e2kd_lab.bench.steps import check_steps
from e2kd_lab.bench.timing import BenchError
from e2kd_lab.data.boxes import box_masks
from e2kd_lab.explanations import explain
from e2kd_lab.metrics import energy_pointing_game, explanation_iou

PAIRS = {
    "gradcam": Pair("resnet_mini_deep", "resnet_mini", 4, 16, 4),
    "bcos": Pair("bcos_resnet_mini_deep", "bcos_resnet_mini", 4, 16, 4),
    "bcos_densenet": Pair("bcos_densenet_mini_deep", "bcos_resnet_mini", 4, 16, 4),
}


@pytest.fixture(params=list(PAIRS))
def double(request):
    """Teacher, student, images and labels in float64."""
    pair = PAIRS[request.param]
    images, labels = pair.images_and_labels(torch.device("cpu"))
    return *in_double(*pair.build(torch.device("cpu"))), images.double(), labels


@pytest.mark.parametrize("name", ["baseline", "kd", "e2kd"])
def test_losses_and_gradients_are_ours(double, name):
    teacher, student, images, labels = double
    plain_teacher, plain_student = plain_pair(teacher, student)
    step = PlainStep(name, plain_student, plain_teacher, lam=3.0, tau=2.0)
    ours = loss_and_gradients(method_of(name, student, teacher, lam=3.0, tau=2.0)(images, labels)["loss"], student)
    reference = loss_and_gradients(step(images, labels), plain_student.network)
    assert set(ours) == set(reference)
    assert len(ours) > 15
    for key, value in ours.items():
        torch.testing.assert_close(
            reference[key], value, rtol=1e-8, atol=1e-12, msg=lambda text, key=key: f"{key}: {text}"
        )
    statistics = dict(student.named_buffers())
    moved = {key: value for key, value in plain_student.network.named_buffers() if key.endswith("running_var")}
    assert moved
    for key, value in moved.items():
        torch.testing.assert_close(value, statistics[key], rtol=1e-10, atol=0)


def test_logits_and_maps_are_ours(double):
    teacher, _, images, _ = double
    logits, classes, maps = plain_model(teacher).eval().explained(images, train=False)
    ours = explain(teacher, images)
    assert ours.maps.abs().amax((1, 2, 3)).min() > 0
    torch.testing.assert_close(logits.detach(), ours.logits)
    torch.testing.assert_close(classes, ours.classes)
    torch.testing.assert_close(maps.detach(), ours.maps, rtol=1e-8, atol=1e-14)


def test_epg_and_iou_are_ours():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(5, 20, 24, generator=generator, dtype=torch.float64)
    boxes = [torch.tensor([[2, 3, 9, 8], [5, 1, 20, 12]])] * 3 + [torch.tensor([[0, 0, 24, 20]])] * 2
    masks = torch.cat([box_masks(some, torch.zeros(len(some)), 1, 20, 24) for some in boxes])
    epg, iou = epg_and_iou(maps, boxes)
    torch.testing.assert_close(epg, energy_pointing_game(maps, masks), check_dtype=False)
    torch.testing.assert_close(iou, explanation_iou(maps, masks), check_dtype=False)


@pytest.mark.parametrize("name", ["gradcam", "bcos"])
def test_another_result_is_refused_before_it_is_timed(monkeypatch, name):
    pair = PAIRS[name]
    teacher, student = pair.build(torch.device("cpu"))
    check_steps(pair, teacher, student)
    monkeypatch.setattr(PlainStep, "_kd", lambda self, logits, target: logits.sum())
    with pytest.raises(BenchError, match=rf"The kd step of {pair.student} .* differs from the reference by"):
        check_steps(pair, teacher, student)


def test_scales_held_constant_for_good_would_be_noticed(monkeypatch):
    """The mistake that method papers warn of: the right map with a wrong gradient."""
    pair = PAIRS["bcos"]
    teacher, student = pair.build(torch.device("cpu"))
    explained = PlainModel.explained

    def stays_on(self, *arguments, **options):
        result = explained(self, *arguments, **options)
        self.explaining.on = True
        return result

    monkeypatch.setattr(PlainModel, "explained", stays_on)
    with pytest.raises(BenchError, match=r"The e2kd step .* gradient of"):
        check_steps(pair, copy.deepcopy(teacher), student)
