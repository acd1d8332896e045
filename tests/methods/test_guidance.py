"""Guided training: what is guided, and that evidence moves into the objects."""

import pytest
import torch
from by_name import method_of

import e2kd_lab as lab
from e2kd_lab.explanations import contribution_maps, evidence_maps
from e2kd_lab.methods import Guidance
from e2kd_lab.metrics import energy_pointing_game
from e2kd_lab.system.errors import ExperimentError


def batch(count=8, size=32, classes=3):
    """A bright square on the left or right; the class is its side, a third class is never there."""
    torch.manual_seed(0)
    images, masks = 0.1 * torch.rand(count, 3, size, size), torch.zeros(count, classes, size, size, dtype=torch.bool)
    labels = torch.arange(count) % 2
    for number, side in enumerate(labels):
        left = 4 + 16 * int(side)
        images[number, :, 10:20, left : left + 8] += 0.8
        masks[number, side, 10:20, left : left + 8] = True
    return images, labels, masks


@pytest.mark.parametrize("network", ["bcos_resnet_mini", "resnet_mini"])
@pytest.mark.parametrize("name", ["energy", "l1"])
def test_guidance_moves_evidence_into_the_objects(network, name):
    images, labels, masks = batch()
    torch.manual_seed(0)
    model = lab.build_model(network, 3)
    method = method_of("teacher", model, multilabel=True, guidance=Guidance(name, 1.0))
    hot = torch.nn.functional.one_hot(labels, 3).float()
    optimizer = torch.optim.Adam(method.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        step = method(images, hot, None, masks)
        losses.append(step["guidance_loss"].item())
        step["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.8 * losses[0]


def test_the_guided_loss_is_one_minus_epg_of_the_contributions():
    images, labels, masks = batch()
    torch.manual_seed(0)
    model = lab.build_model("bcos_resnet_mini", 3).eval()
    logits, loss = Guidance("energy", 1.0)(model, images, labels, masks)
    explanation = lab.explain(model, images, labels)
    maps = contribution_maps(explanation.maps, model.preprocess(images))[:, 0]
    epg = energy_pointing_game(maps, masks[torch.arange(8), labels])
    torch.testing.assert_close(loss, 1 - epg.mean())
    torch.testing.assert_close(logits, explanation.logits)
    torch.testing.assert_close(evidence_maps(model, images, explanation.maps), maps)


def test_an_only_object_belongs_to_every_class():
    images, labels, masks = batch()
    model = lab.build_model("resnet_mini", 3).eval()
    only = masks.any(1, keepdim=True)
    with_all = Guidance("l1", 1.0)(model, images, labels, masks)[1]
    torch.testing.assert_close(Guidance("l1", 1.0)(model, images, labels, only)[1], with_all)


def test_one_of_the_classes_that_an_image_shows_is_guided():
    images, _, masks = batch()
    labels = torch.tensor([[1.0, 0, 1]] * 8)
    masks = torch.zeros_like(masks)
    masks[:, 0] = True  # all of class 0 is inside, class 2 has no box
    model = lab.build_model("bcos_resnet_mini", 3).eval()
    torch.manual_seed(0)
    losses = [Guidance("energy", 1.0)(model, images, labels, masks)[1].item() for _ in range(6)]
    assert max(losses) < 1e-6  # class 1, whose evidence would be outside, is never drawn


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Guidance("epg", 1.0), "no guidance 'epg'; expected one of energy, l1"),
        (lambda: Guidance("l1", -1.0), "weight of guidance is -1.0"),
        (
            lambda: method_of("kd", lab.build_model("resnet_mini", 2), lab.build_model("resnet_mini", 2),
                           guidance=Guidance("l1", 1.0)),
            "'kd' has no hyper-parameter 'guidance'",
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make, says):
    with pytest.raises(ExperimentError, match=says):
        make()


def test_guidance_without_masks_is_refused():
    images, labels, _ = batch()
    method = method_of("teacher", lab.build_model("resnet_mini", 3), guidance=Guidance("l1", 1.0))
    with pytest.raises(ExperimentError, match="training images have none"):
        method(images, labels)


def test_waterbirds_teachers_can_be_guided_on_the_biased_images(minibirds, tiny, tmp_path):
    guided = tiny.replace(guidance="energy", guidance_weight=1.0)
    teacher = guided.teacher_experiment()
    assert teacher.dataset("train")[0]["mask"].shape == (1, 24, 24)
    groups = torch.bincount(teacher.dataset("train").groups, minlength=4)
    assert groups[1] == groups[2] == 0  # the biased set: no bird before the other background
    run = lab.run(teacher, folder=tmp_path, progress=False)
    assert "guidance_loss" in set(run.metrics()["metric"])
    assert teacher.run_name() != tiny.teacher_experiment().run_name()
    assert guided.replace(method="kd").run_name() != tiny.replace(method="kd").run_name()
    assert tiny.replace(method="baseline").config().get("guidance") is None
    with pytest.raises(ExperimentError, match="no guidance 'box'"):
        tiny.replace(guidance="box")
