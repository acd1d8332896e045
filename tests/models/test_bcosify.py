"""A trained ordinary network as a B-cos network: each step, W(x), gradients, refusals, and its recipe."""

import copy
import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import e2kd_lab as lab
from e2kd_lab.explanations.randomisation import randomisation_cascade
from e2kd_lab.losses import uniform_off_label_bce
from e2kd_lab.models import bcosify_steps
from e2kd_lab.models.bcos_layers import BatchNormUncentered2d
from e2kd_lab.models.bcosified_layers import BcosifiedUnit
from e2kd_lab.models.bcosified_names import load_ordinary
from e2kd_lab.models.dynamic_scales import switchable_scales
from e2kd_lab.models.fuse_batch_norms import fuse_batch_norms
from e2kd_lab.system.errors import ExperimentError, LabNote

CLASSES = 5
# Of each kind of convolution, activation, gate, pooling and connection.
NETWORKS = [
    "resnet_mini",
    "resnet18",
    "densenet169",
    "torchvision/mobilenet_v2",  # ReLU6, depthwise convolutions
    "torchvision/mobilenet_v3_small",  # Hardswish, squeeze-and-excitation with Hardsigmoid, two linear layers
    "torchvision/efficientnet_b0",  # SiLU, squeeze-and-excitation
    "torchvision/regnet_y_400mf",  # grouped convolutions
    "torchvision/shufflenet_v2_x0_5",
    "timm/resnet18",
    "timm/tf_efficientnet_lite0",  # padding of its own kind
    "timm/regnety_002",
    "timm/skresnet18",  # softmax over kernels
    "timm/convnext_atto",  # GELU, layer normalisation
]


def network(name, size=64):
    """In double precision, with statistics and biases that training could have left."""
    torch.manual_seed(0)
    model = lab.build_model(name, CLASSES, image_size=size)
    ready(model)
    return model.double().eval()


def ready(model):
    """Statistics of random images, so that no signal fades, and random biases."""
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(model.preprocess(torch.rand(8, 3, 64, 64)))
        for layer in model.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                nn.init.normal_(layer.bias, std=0.2)
                nn.init.normal_(layer.weight, mean=1.0, std=0.2)


def images(count=2, size=64):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@torch.no_grad()
def logits_of(model, x):
    return model(model.preprocess(x))


def relative(one, other):
    return ((one - other).abs().max() / other.abs().max()).item()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_steps_keep_the_function_and_the_last_gives_a_bcos_network(name):
    ordinary = network(name)
    before = copy.deepcopy(ordinary.state_dict())
    x, changed = images(), 0
    expected = logits_of(ordinary, x)
    for step in bcosify_steps(ordinary):
        error = relative(logits_of(step.model, x), expected)
        changed += error > 1e-3
        assert step.keeps_function == (error < 1e-10), step.title
    assert step.title == "B = 2"
    assert changed >= 2
    assert all(torch.equal(value, before[key]) for key, value in ordinary.state_dict().items())

    converted = step.model.train()  # batch statistics: no signal fades
    logits, classes, weights = lab.explain(converted, x)
    assert weights.shape == (2, 6, 64, 64)
    explained = logits.gather(1, classes[:, None])[:, 0]
    evidence = (weights * converted.preprocess(x)).sum((1, 2, 3))
    assert evidence.abs().min() > 1e-8  # an untrained classifier may be small
    torch.testing.assert_close(evidence, explained - converted.logit_bias, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", ["resnet_mini", "torchvision/efficientnet_b0", "timm/tf_efficientnet_lite0"])
def test_a_step_computes_what_its_formula_says(name):
    steps = {step.title: step.model for step in bcosify_steps(network(name), smooth=False)}
    x = images()
    # Every layer of the last step against the formula, from the layer of the step before.
    pairs = []
    before = dict(steps["no biases"].network.named_modules())
    for path, layer in steps["B = 2"].network.named_modules():
        if isinstance(layer, BcosifiedUnit) and isinstance(layer.linear, nn.Conv2d):
            layer.register_forward_hook(lambda one, given, out, path=path: pairs.append((path, given[0], out)))
    logits_of(steps["B = 2"], x)
    assert len(pairs) > 5
    for path, given, out in pairs:
        plain = before[path]
        product = plain(given)
        ones = copy.deepcopy(plain)
        ones.weight = nn.Parameter(torch.ones_like(plain.weight))
        norm = (ones(given.square()) + 1e-6).sqrt()
        torch.testing.assert_close(out, product.abs() / norm * product, rtol=1e-9, atol=1e-12)
    norms = [layer for layer in steps["B = 2"].network.modules() if isinstance(layer, BatchNormUncentered2d)]
    assert norms
    assert all(layer.bias is None for layer in norms)
    assert not [key for key, _ in steps["no biases"].named_parameters() if key.endswith("bias") and ".fc" not in key]
    assert steps["B = 2"].logit_bias == -math.log(CLASSES - 1)


@pytest.mark.parametrize("name", ["resnet_mini", "timm/tf_efficientnet_lite0", "timm/convnext_atto"])
def test_kernels_of_strides_are_averaged_and_maps_keep_their_size(name):
    smooth, plain = (
        {step.title: step.model for step in bcosify_steps(network(name), smooth=choice)} for choice in (True, False)
    )
    assert "smooth strides" not in plain
    assert plain["B = 2"].smooth is False
    if name == "timm/convnext_atto":  # its strides are as wide as their kernels: no pixel is read twice
        assert "smooth strides" not in smooth
        return
    assert smooth["B = 2"].smooth
    x, kernels = smooth["B = 2"].preprocess(images()), []
    before = dict(plain["B = 2"].network.named_modules())
    for path, layer in smooth["B = 2"].network.named_modules():
        if isinstance(layer, nn.Conv2d):
            old = before[path]
            averaged = F.avg_pool2d(old.weight, 2, 1, 1) if old.stride == (2, 2) else old.weight
            torch.testing.assert_close(layer.weight, averaged, rtol=1e-12, atol=1e-15)
            kernels.append(old.stride == (2, 2))
    assert sum(kernels) >= 3
    sizes = [model.forward_features(x).shape for model in (smooth["B = 2"], plain["B = 2"])]
    assert sizes[0] == sizes[1]


class Everything(nn.Module):
    """Functions in place of layers, and one activation of each kind."""

    def __init__(self, act):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, 2, padding="valid", dilation=2), nn.BatchNorm2d(8, affine=False)
        self.act = act
        self.grouped = nn.Conv2d(8, 12, (3, 1), padding=(1, 0), groups=4, padding_mode="reflect")
        self.squeeze, self.excite = nn.Conv2d(12, 4, 1), nn.Linear(4, 12)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = self.act(self.norm(self.conv(x)))
        x = F.max_pool2d(self.grouped(x), 2)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x)).mean((2, 3))))
        x = F.leaky_relu(x * gate[:, :, None, None])
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


ACTIVATIONS = [
    *(nn.ReLU(inplace=True), nn.ReLU6(), nn.SiLU(inplace=True), nn.GELU(), nn.GELU("tanh"), nn.Hardswish()),
    *(nn.Mish(), nn.Tanh(), nn.ELU(0.7, inplace=True), nn.SELU(), nn.CELU(), nn.LeakyReLU(), nn.PReLU()),
    *(nn.Softsign(), nn.Hardtanh(-2, 1), F.silu, F.hardswish, F.relu6, torch.tanh),
]


@pytest.mark.parametrize("act", ACTIVATIONS, ids=str)
def test_activations_are_scales_and_gates_stay_as_they_are(act):
    torch.manual_seed(0)
    module = Everything(act).double()
    ordinary = lab.adapt(module, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25), image_size=24)
    x = images(size=24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabNote)
        converted = lab.bcosify(ordinary)
    assert isinstance(converted.network.get_submodule("squeeze"), nn.Conv2d)
    assert converted.network.get_submodule("excite").bias is not None
    first = next(iter(bcosify_steps(ordinary)))
    assert relative(logits_of(first.model.eval(), x), logits_of(ordinary.eval(), x)) < 1e-12

    weights = lab.explain(converted, x)
    inputs = converted.preprocess(x).requires_grad_()
    explained = weights.logits.gather(1, weights.classes[:, None])[:, 0]
    torch.testing.assert_close((weights.maps * inputs).sum((1, 2, 3)) + converted.logit_bias, explained)
    with switchable_scales(inputs) as switch:
        total = converted(inputs).gather(1, weights.classes[:, None]).sum()
    with switch.frozen():
        (switch_weights,) = torch.autograd.grad(total, inputs)
    torch.testing.assert_close(switch_weights, weights.maps)


@pytest.mark.parametrize("act", [nn.SiLU(), nn.GELU(), nn.Hardswish(), nn.ReLU6(), nn.Mish(), nn.ELU()], ids=str)
def test_the_gradient_of_an_explanation_loss_is_that_of_finite_differences(act):
    torch.manual_seed(1)
    module = Everything(act).double()
    module.norm = nn.BatchNorm2d(8).double()
    student = lab.adapt(module, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25), image_size=24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabNote)
        student = lab.bcosify(student).train()
    x, classes = images(size=24), torch.tensor([1, 3])
    direction = torch.randn(2, 6, 24, 24, dtype=torch.float64)

    def loss(create_graph):
        logits, _, maps = lab.explain(student, x, classes, create_graph=create_graph)
        return (maps * direction).sum() + logits.square().mean()

    parameters = list(student.parameters())
    found = torch.autograd.grad(loss(create_graph=True), parameters, allow_unused=True)
    assert not [one for one in found if one is None]
    probes = [torch.randn_like(parameter) * parameter.abs().mean() for parameter in parameters]
    values, step = [], 1e-6
    for sign in (1, -1):
        with torch.no_grad():
            for parameter, probe in zip(parameters, probes, strict=True):
                parameter.add_(sign * step * probe)
        values.append(loss(create_graph=False).item())
        with torch.no_grad():
            for parameter, probe in zip(parameters, probes, strict=True):
                parameter.sub_(sign * step * probe)
    ours = sum((one * probe).sum() for one, probe in zip(found, probes, strict=True)).item()
    assert ours == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def sequence(*layers):
    return nn.Sequential(nn.Conv2d(3, 8, 3), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (sequence(nn.Softplus()), r"Layer '1' \(Softplus\) cannot be converted: its output is not a matrix times"),
        (sequence(nn.ReLU(), nn.Sequential(nn.ConvTranspose2d(8, 8, 3))), r"Layer '2.0' \(ConvTranspose2d\) cannot"),
        (sequence(nn.BatchNorm2d(8, track_running_stats=False)), r"Layer '1' .*keeps no running statistics"),
        (nn.Sequential(nn.AvgPool2d(2), sequence()), "no convolution reads its input"),
    ],
)
def test_what_cannot_be_converted_is_named_with_its_path(module, said):
    with pytest.raises(ExperimentError, match=said):
        lab.bcosify(lab.adapt(module, mean=(0.5,) * 3, std=(0.5,) * 3, image_size=32))


def test_networks_that_are_none_of_these_are_refused():
    with pytest.raises(ExperimentError, match="is a B-cos network already"):
        lab.bcosify(lab.build_model("bcos_resnet_mini", 3))
    with pytest.raises(ExperimentError, match=r"'b' is 0\.5; expected the exponent B >= 1"):
        lab.bcosify(lab.build_model("resnet_mini", 3), b=0.5)
    with pytest.raises(ExperimentError, match=r"Layer 'features.1.0.attn' \(ShiftedWindowAttention\) cannot"):
        lab.bcosify(lab.build_model("torchvision/swin_t", 3, image_size=64))
    with pytest.raises(ExperimentError, match="preprocessing cannot be converted"):
        lab.bcosify(lab.adapt(sequence(), preprocess=torch.sqrt, image_size=32))
    with pytest.raises(ExperimentError, match="bcosified has no model 'bcos_resnet18'"):
        lab.build_model("bcosified/bcos_resnet18", 3)


def test_max_pooling_that_becomes_average_pooling_is_said():
    with pytest.warns(LabNote, match="Max pooling of ResNet became average pooling"):
        lab.bcosify(lab.build_model("resnet18", 3))


def test_mode_and_precision_stay_and_the_exponent_can_be_chosen():
    ordinary = lab.build_model("resnet_mini", 3)
    assert lab.bcosify(ordinary).training
    assert not lab.bcosify(ordinary.eval()).training
    converted = lab.bcosify(ordinary, b=1.5)
    assert {parameter.dtype for parameter in converted.parameters()} == {torch.float32}
    units = [layer for layer in converted.modules() if isinstance(layer, BcosifiedUnit)]
    assert len(units) == 10
    assert {unit.b for unit in units} == {1.5}


@pytest.mark.parametrize("name", ["resnet_mini", "torchvision/mobilenet_v3_small"])
def test_a_converted_network_is_saved_and_loaded_by_its_recipe(name, tmp_path):
    ordinary = network(name).float()
    torch.save(ordinary.state_dict(), tmp_path / "ordinary.pt")
    converted = lab.bcosify(ordinary)
    with torch.no_grad():
        for parameter in converted.parameters():
            parameter.mul_(1.01)  # as if it were fine-tuned
    torch.save(converted.state_dict(), tmp_path / "converted.pt")
    assert set(torch.load(tmp_path / "converted.pt", weights_only=True)) == set(converted.state_dict())
    again = lab.build_model(f"bcosified/{name}", CLASSES, weights=str(tmp_path / "converted.pt")).eval()
    x = images().float()
    assert torch.equal(logits_of(again, x), logits_of(converted, x))
    assert again.explanation == "bcos"
    half = lab.build_model(f"bcosified/{name}", CLASSES, b=1.5)
    assert {unit.b for unit in half.modules() if isinstance(unit, BcosifiedUnit)} == {1.5}
    load_ordinary(again, f"bcosified/{name}", str(tmp_path / "ordinary.pt"))
    assert torch.equal(logits_of(again, x), logits_of(lab.bcosify(ordinary), x))


@pytest.mark.parametrize("name", ["resnet_mini", "timm/regnety_002"])
@pytest.mark.parametrize("b", [1, 2])
def test_a_converted_network_is_used_like_a_bcos_network(name, b):
    converted = lab.bcosify(network(name), b=b)
    x = images()
    logits, classes, maps = lab.explain(converted, x)

    frozen = copy.deepcopy(converted)
    fuse_batch_norms(frozen, 64)
    again = lab.explain(frozen, x, classes)
    torch.testing.assert_close(again.logits, logits, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(again.maps, maps, rtol=1e-7, atol=1e-7 * maps.abs().max().item())

    inputs = converted.preprocess(x)
    torch.testing.assert_close(converted.class_maps(converted.forward_features(inputs)).mean((2, 3)), logits)
    stages = converted.forward_stages(inputs)
    torch.testing.assert_close(converted.activate(stages[-1]), converted.forward_features(inputs))
    assert lab.explain(converted, x, method="gradcam").maps.shape == (2, 1, 64, 64)
    labels = torch.tensor([0, 1])
    assert converted.classification_loss(logits, labels).item() == pytest.approx(
        uniform_off_label_bce(logits, labels).item()
    )


def test_panels_and_measures_take_a_converted_network():
    converted = lab.bcosify(lab.build_model("resnet_mini", 3).eval())
    steps = randomisation_cascade(converted, torch.rand(2, 3, 32, 32))
    assert {"classifier.linear", "network.conv1.linear"} <= set(steps["layer"])
