"""B-cos networks: keys of the published checkpoints, and the PyPI package bcos as an oracle for each of them."""

import collections
import functools
import json
import math
import warnings

import pytest
import torch
from golden_weights import GOLDEN, fill, images, relative

from e2kd_lab import build_model, explain
from e2kd_lab.models.checkpoints import load_weights
from e2kd_lab.system.errors import ExperimentError

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


def published(name):
    from bcos.models import pretrained

    return getattr(pretrained, name)()


def with_larger_strided_kernels(model, conv):
    """Kernels of size k + 1 where the stride is 2, as smooth strides have them."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, conv.func) and layer.stride in (2, (2, 2)):
            plain = layer.linear
            size, padding = plain.kernel_size[0] + 1, plain.padding[0]
            larger = conv(plain.in_channels, plain.out_channels, kernel_size=size, stride=2, padding=padding)
            model.set_submodule(name, larger)
    return model


def averaged_kernels(state):
    """The kernels of smooth strides, by a convolution of the weights with a 2x2 window."""
    window, mark = torch.full((1, 1, 2, 2), 0.25), ".parametrizations.weight.original"
    return {
        key.replace(mark, ".weight"): value
        if mark not in key
        else torch.nn.functional.conv2d(value.flatten(0, 1)[:, None], window.to(value), padding=1)[:, 0].unflatten(
            0, value.shape[:2]
        )
        for key, value in state.items()
    }


def small(name):
    """The lab's small networks, built of the package's own parts."""
    from bcos.models import densenet, resnet, vit
    from bcos.modules import BcosConv2d, BcosLinear, LogitLayer, norms
    from bcos.modules.common import BcosSequential

    conv = functools.partial(BcosConv2d, b=2, max_out=1)
    parts = {"norm_layer": norms.NoBias(norms.BatchNormUncentered2d), "conv_layer": conv, "num_classes": 1000}
    stem = {"kernel_size": 3, "stride": 2, "padding": 1}
    if name == "resnet_mini":
        model = resnet.BcosResNet(resnet.BasicBlock, [1, 1, 1], inplanes=16, small_inputs=True, **parts)
        # Its stages are as wide as those of ImageNet networks.
        model.inplanes = 16
        for number in range(3):
            stage = model._make_layer(resnet.BasicBlock, 16 * 2**number, 1, stride=1 + (number > 0))
            setattr(model, f"layer{number + 1}", stage)
        model.conv1 = conv(6, 16, **stem)
        model.bn1 = parts["norm_layer"](16)
        model.fc = conv(64, 1000, kernel_size=1)
        return with_larger_strided_kernels(model, conv)
    if name == "densenet_mini":
        sizes = {"growth_rate": 12, "block_config": (3, 4), "num_init_features": 16, "bn_size": 2}
        model = densenet.BcosDenseNet(small_inputs=True, **sizes, **parts)
        layers = dict(model.features.named_children())
        layers = {"conv0": conv(6, 16, **stem), "norm0": parts["norm_layer"](16)} | {
            key: layer for key, layer in layers.items() if key not in ("conv0", "norm0")
        }
        model.features = torch.nn.Sequential(collections.OrderedDict(layers))
        return with_larger_strided_kernels(model, conv)
    transformer = vit.SimpleViT(
        image_size=64, patch_size=8, num_classes=1000, dim=64, depth=4, heads=4, mlp_dim=128,
        linear_layer=functools.partial(BcosLinear, b=2, max_out=1), act_layer=torch.nn.Identity,
        norm_layer=norms.NoBias(norms.DetachableLayerNorm),
    )  # fmt: skip
    return BcosSequential(transformer, LogitLayer(logit_bias=-math.log(999)))


@pytest.mark.parametrize("name", [*BASES, "resnet_mini", "densenet_mini", "vit_mini"])
def test_equals_the_bcos_package(name):
    size = 224 if "vit_ti" in name or "vitc" in name else 64
    ours = fill(build_model("bcos_" + name, 1000), BASES.get(name, 8000), bcos=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = (small if "mini" in name else published)(name).double().eval()
    theirs.load_state_dict(averaged_kernels(ours.state_dict()))
    rgb = images(size)
    explanation = explain(ours, rgb)
    inputs = torch.cat([rgb, 1 - rgb], 1).requires_grad_()
    with theirs.explanation_mode():
        logits = theirs(inputs)
        logits.gather(1, explanation.classes[:, None]).sum().backward()
    assert relative(explanation.logits, logits) < (1e-7 if "vit" in name else 1e-9)  # ViTs: positions are float32
    assert relative(explanation.maps, inputs.grad) < 1e-6


def test_files_of_guided_teachers_load_with_their_own_logit_bias(tmp_path):
    from bcos.models import pretrained
    from bcos.modules import BcosConv2d, LogitLayer

    theirs = pretrained.resnet50(pretrained=False)
    theirs.fc = BcosConv2d(2048, 20, kernel_size=1)
    theirs.logit_layer = torch.nn.Identity()
    theirs = torch.nn.Sequential(theirs, LogitLayer(logit_bias=math.log(0.001 / 0.999))).double()
    fill(theirs, 2000, bcos=True)
    numbers = {"F-Score": 0.72, "BB-Loc": 0.75, "BB-IoU": 0.21}
    torch.save(
        {"model": theirs.float().state_dict(), "epochs": 50, "dataset": "VOC2007", **numbers}, tmp_path / "f1.pt"
    )
    ours = build_model("bcos_resnet50", 20, weights=str(tmp_path / "f1.pt")).double().eval()
    rgb = images(96)
    with torch.no_grad():
        expected = theirs.double().eval()(torch.cat([rgb, 1 - rgb], 1))
        assert relative(ours(ours.preprocess(rgb)), expected) < 1e-9
    # Training starts from the same weights with a bias that fits the number of classes.
    to_train = build_model("bcos_resnet50", 20)
    load_weights(to_train, "bcos_resnet50", str(tmp_path / "f1.pt"), any_classifier=True)
    assert to_train.logit_bias == pytest.approx(-math.log(19))
    assert all(torch.equal(v, ours.state_dict()[k].to(v)) for k, v in to_train.state_dict().items())


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
