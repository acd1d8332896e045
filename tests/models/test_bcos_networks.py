"""B-cos networks: keys of the published checkpoints, and the PyPI package bcos as an oracle for each of them."""

import json
import warnings

import pytest
import torch
from golden_weights import GOLDEN, fill, images, relative

from e2kd_lab import build_model, explain
from e2kd_lab.errors import ExperimentError

KEYS = json.loads((GOLDEN / "bcos_state_dict_keys.json").read_text())
# Base seeds of the golden weights; any would do here.
BASES = {
    "resnet18": 1000,
    "resnet34": 1500,
    "resnet50": 2000,
    "densenet169": 3000,
    "simple_vit_ti_patch16_224": 4000,
    "vitc_ti_patch1_14": 7000,
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_and_shapes_are_those_of_the_published_checkpoints(name):
    state = build_model("bcos_" + name, 1000).state_dict()
    assert [[key, list(value.shape)] for key, value in state.items()] == KEYS[name]


@pytest.mark.parametrize("name", BASES)
def test_equals_the_bcos_package(name):
    from bcos.models import pretrained

    size = 224 if "vit" in name else 64
    ours = fill(build_model("bcos_" + name, 1000), BASES[name], bcos=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(pretrained, name)().double().eval()
    theirs.load_state_dict(ours.state_dict())
    rgb = images(size)
    explanation = explain(ours, rgb)
    inputs = torch.cat([rgb, 1 - rgb], 1).requires_grad_()
    with theirs.explanation_mode():
        logits = theirs(inputs)
        logits.gather(1, explanation.classes[:, None]).sum().backward()
    assert relative(explanation.logits, logits) < (1e-7 if "vit" in name else 1e-9)  # ViTs: positions are float32
    assert relative(explanation.maps, inputs.grad) < 1e-6


def test_standard_vit_equals_the_bcos_packages():
    from bcos.models import pretrained

    ours = build_model("simple_vit_ti_patch16_224", 1000).double().eval()
    theirs = pretrained.standard_simple_vit_ti_patch16_224().double().eval()
    theirs.load_state_dict(ours.state_dict())
    inputs = ours.preprocess(images(224))
    with torch.no_grad():
        assert relative(ours(inputs), theirs(inputs)) < 1e-7  # positions are float32
    maps = explain(ours, images(224)).maps
    assert maps.shape == (2, 1, 224, 224)
    assert maps.min() >= 0


@pytest.mark.parametrize("name", ["bcos_resnet_mini", "bcos_densenet_mini", "bcos_vit_mini"])
def test_small_networks_start_with_equal_probabilities(name):
    model = build_model(name, 5).eval()
    # No evidence, no contribution: what is left is the bias, sigmoid(bias) = 1/K.
    assert torch.sigmoid(torch.tensor(model.logit_bias)).item() == pytest.approx(1 / 5)
    assert model(model.preprocess(torch.rand(2, 3, 64, 64))).shape == (2, 5)
    assert build_model(name, 5, logit_bias=-2.0).logit_bias == -2
    with pytest.raises(ExperimentError, match="at least two classes"):
        build_model(name, 1)


def test_a_vit_refuses_images_that_do_not_divide_into_patches():
    model = build_model("bcos_vit_mini", 2)
    with pytest.raises(ValueError, match="divisible by the patch size 8"):
        model(model.preprocess(torch.rand(1, 3, 60, 64)))
