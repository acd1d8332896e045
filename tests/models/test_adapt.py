"""Adapted networks: explanations, gradients, training, and that nothing of the network itself changes."""

import copy
import math
import pickle
import warnings

import pytest
import torch
from by_name import method_of
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from zoo_cases import CASES, CLASSES, adapted, images_of, torchvision

import e2kd_lab as lab
from e2kd_lab.losses import explanation_loss
from e2kd_lab.models import AdaptedModel
from e2kd_lab.models.fuse_batch_norms import fuse_batch_norms
from e2kd_lab.models.memory_format import prepare_networks
from e2kd_lab.system.errors import ExperimentError, LabNote

CPU = torch.device("cpu")


def logits_only(model):
    """The network as a function of preprocessed images that gives a tensor, for other libraries."""

    class Logits(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = model.wrapped

        def forward(self, x):
            output = self.network(x)
            return output if isinstance(output, torch.Tensor) else output.logits

    return Logits()


def tokens_to_map(name):
    prefix = CASES[name].tokens
    if prefix is None:
        return None

    def reshape(tokens):
        side = math.isqrt(tokens.shape[1] - prefix)
        return tokens[:, prefix:].reshape(len(tokens), side, side, -1).permute(0, 3, 1, 2)

    return reshape


def coarse_map(model, images, classes):
    """The map before it is resized."""
    with torch.enable_grad():
        features, logits = model.forward_with_features(model.preprocess(images))
        explained = logits.gather(1, classes[:, None]).sum()
        (gradients,) = torch.autograd.grad(explained, features)
    size = tuple(images.shape[2:])
    return lab.explanations.EXPLANATIONS["gradcam_general"].weigh(
        model.as_map(features, size), model.as_map(gradients, size)
    )


@pytest.mark.parametrize("name", CASES)
def test_the_layer_is_found_without_help(name):
    model, case = adapted(name), CASES[name]
    assert isinstance(model, AdaptedModel)
    assert model.findings.layer == case.layer
    assert (model.pooled_linear_head() is not None) == case.closed
    assert math.prod(model.findings.shape[1:]) > 1


@pytest.mark.parametrize("name", CASES)
def test_maps_are_those_of_other_libraries(name):
    model, images = adapted(name), images_of(name)
    classes = torch.tensor([1, 3])
    ours = lab.explain(model, images, classes)
    assert ours.maps.any()
    x, layer = model.preprocess(images), model.get_submodule(model.findings.layer)
    found = coarse_map(model, images, classes).detach()
    other = LayerGradCam(logits_only(model), layer).attribute(x, classes, attr_dim_summation=False).detach()
    reshape = tokens_to_map(name)
    if reshape is None:
        theirs = other.sum(1, keepdim=True).relu()
        torch.testing.assert_close(found, theirs, rtol=1e-6, atol=1e-12)
    with GradCAM(logits_only(model), [layer], reshape_transform=reshape) as cam:
        targets = [ClassifierOutputTarget(int(number)) for number in classes]
        cam(input_tensor=x, targets=targets)
        seen = [
            kept[0].numpy() for kept in (cam.activations_and_grads.activations, cam.activations_and_grads.gradients)
        ]
        theirs = torch.as_tensor(cam.get_cam_image(x, layer, targets, *seen)).relu()  # not yet scaled to [0, 1]
    torch.testing.assert_close(found[:, 0], theirs, rtol=1e-6, atol=1e-12)
    mine = nn.functional.interpolate(found, images.shape[2:], mode="bilinear")[:, 0]
    torch.testing.assert_close(ours.maps[:, 0], mine, rtol=1e-6, atol=1e-12)


def explanation_term(model, images, classes, target):
    return explanation_loss(lab.explain(model, images, classes, create_graph=True).maps, target)


@pytest.mark.parametrize("name", CASES)
def test_gradient_of_the_explanation_loss_is_that_of_finite_differences(name):
    assert error_against_finite_differences(name) < 1e-5


def error_against_finite_differences(name):
    """Relative, in float64, along a random direction of all parameters."""
    model, images = adapted(name), images_of(name)
    classes = torch.tensor([1, 3])
    target = torch.rand(2, 1, *images.shape[2:], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(explanation_term(model, images, classes, target), parameters, allow_unused=True)
    generator = torch.Generator().manual_seed(3)
    directions = [torch.randn(p.shape, dtype=p.dtype, generator=generator) * p.detach().abs() for p in parameters]
    exact = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True) if g is not None)
    assert abs(exact) > 1e-6
    errors = []
    for step in (1e-6, 1e-8):  # a kink of a ReLU may lie within the larger one
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                for parameter, direction in zip(parameters, directions, strict=True):
                    parameter.add_(direction, alpha=sign * step)
                losses.append(explanation_term(model, images, classes, target))
                for parameter, direction in zip(parameters, directions, strict=True):
                    parameter.sub_(direction, alpha=sign * step)
        errors.append(abs((losses[0] - losses[1]) / (2 * step) - exact) / abs(exact))
    return min(errors).item()


@pytest.mark.slow
@pytest.mark.parametrize("role", ["student", "teacher"])
@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_of_e2kd_lower_the_loss(name, role):
    first, last = twenty_steps(name, role)
    assert last < first


def twenty_steps(name, role):
    """The loss of fixed images before and after 20 steps; the other network is the lab's."""
    one, other = adapted(name).float(), lab.build_model("resnet_mini", CLASSES)
    torch.manual_seed(0)
    student, teacher = (one, other) if role == "student" else (other, one)
    # Fixed images and no dropout: what is measured is whether the gradient leads downwards.
    method = method_of("e2kd", student.eval(), teacher, lam=1.0)
    images, labels = images_of(name, 8).float(), torch.zeros(8, dtype=torch.long)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-4 if role == "student" else 1e-3)
    losses = []
    for _ in range(21):
        loss = method(images, labels)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses[0], losses[-1]


def fresh(**arguments):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    network = resnet18(num_classes=CLASSES)
    return network, lab.adapt(network, image_size=64, **arguments)


def rgb(count=2, size=64):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_parameters_buffers_and_keys_are_the_networks_own():
    network, model = fresh()
    assert [*model.parameters()] == [*network.parameters()]
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in network.named_parameters()]
    assert all(one is other for one, other in zip(model.buffers(), network.buffers(), strict=True))
    state = network.state_dict()
    assert model.state_dict().keys() == state.keys()
    assert model.state_dict()._metadata == state._metadata
    assert [name for name, _ in model.named_modules()] == [name for name, _ in network.named_modules()]
    assert model.wrapped is network


@pytest.mark.parametrize("name", ["efficientnet_b0", "resnet18", "googlenet"])
def test_a_dry_run_leaves_no_traces(name):
    torch.manual_seed(0)
    network = torchvision(name)()
    nn.init.zeros_([*network.modules()][-1].weight)
    next(network.children()).eval()  # one layer of another mode than the others
    before = copy.deepcopy(network.state_dict())
    modes = [layer.training for layer in network.modules()]
    numbers, pointers = torch.get_rng_state(), [p.data_ptr() for p in network.parameters()]
    with torch.no_grad():
        lab.adapt(network, image_size=64)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert [layer.training for layer in network.modules()] == modes
    assert [p.data_ptr() for p in network.parameters()] == pointers
    assert all(p.grad is None for p in network.parameters())
    assert not any(layer._forward_hooks for layer in network.modules())
    torch.testing.assert_close(dict(network.state_dict()), dict(before), rtol=0, atol=0)


def test_modes_and_moves_reach_the_network_and_back():
    network, model = fresh()
    assert model.training
    assert not model.eval().training
    assert not network.training
    assert not network.layer4.training
    network.train()
    assert model.training
    model.double()
    assert network.conv1.weight.dtype == model.preprocess.mean.dtype == torch.float64
    network.float()
    assert model.conv1.weight.dtype == torch.float32
    model.to(memory_format=torch.channels_last)
    assert network.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert isinstance(network.get_parameter("fc.weight"), nn.Parameter)
    model.requires_grad_(False)
    assert not network.fc.weight.requires_grad


def test_layers_put_in_on_either_side_are_on_both():
    network, model = fresh()
    model.set_submodule("fc", nn.Linear(512, 3))
    assert network.fc.out_features == 3
    network.fc = nn.Linear(512, 4)
    assert model.pooled_linear_head().out_features == 4
    assert lab.explain(model, rgb()).logits.shape == (2, 4)
    network.fc = nn.Sequential(nn.Linear(512, 4), nn.ReLU())
    assert model.pooled_linear_head() is None


def test_copies_are_whole_and_apart():
    network, model = fresh()
    model.eval()
    other = pickle.loads(pickle.dumps(model))
    for twin in (copy.deepcopy(model), other):
        assert twin.wrapped is not network
        assert twin.wrapped._modules is twin._modules
        assert twin.preprocess is not model.preprocess
        torch.testing.assert_close(lab.explain(twin, rgb()).maps, lab.explain(model, rgb()).maps)
        nn.init.zeros_(twin.fc.weight)
        assert not twin.wrapped.fc.weight.any()
        assert network.fc.weight.any()
        assert twin.train().wrapped.training
        assert not network.training


def test_states_load_alone_and_as_a_child():
    network, model = fresh()
    state = {key: torch.full_like(value, 0.5) for key, value in network.state_dict().items()}
    assert not model.load_state_dict(state).missing_keys
    assert (network.fc.weight == 0.5).all()
    parent = nn.ModuleDict({"student": model, "other": nn.Linear(2, 2)})
    keys = [key for key in parent.state_dict() if key.startswith("student.")]
    assert keys == [f"student.{key}" for key in network.state_dict()]
    wanted = {key: torch.full_like(value, 0.25) for key, value in parent.state_dict().items()}
    parent.load_state_dict(wanted)
    assert (network.fc.weight == 0.25).all()
    del wanted["student.fc.bias"]
    with pytest.raises(RuntimeError, match=r"student\.fc\.bias"):
        parent.load_state_dict(wanted)
    parent.train(False).double()
    assert network.fc.weight.dtype == model.preprocess.mean.dtype == torch.float64
    assert not network.training


def test_hooks_on_the_network_go_on_and_ours_go():
    network, model = fresh()
    heard = []
    network.layer4.register_forward_hook(lambda *_: heard.append("layer4"))
    network.register_forward_hook(lambda *_: heard.append("network"))
    lab.explain(model, rgb())
    assert heard == ["layer4", "network"]
    assert len(network.layer4._forward_hooks) == 1
    with pytest.raises(RuntimeError):
        model.forward_with_features(torch.rand(1, 4, 64, 64))
    assert len(network.layer4._forward_hooks) == 1


def test_another_threads_pass_is_not_captured():
    import threading

    network, model = fresh()
    model.eval()
    x, other = model.preprocess(rgb()), model.preprocess(rgb(3))

    def meanwhile(*_):
        thread = threading.Thread(target=model.wrapped, args=(other,))
        handle.remove()
        thread.start()
        thread.join()

    handle = network.layer4[0].register_forward_hook(meanwhile)
    features, logits = model.forward_with_features(x)
    assert len(features) == len(logits) == 2


def test_frozen_networks_have_gradients_from_their_layer_on():
    from torchvision.models import densenet121, mobilenet_v3_small

    for build in (densenet121, mobilenet_v3_small):  # one changes its map in place, one does not
        network = build(num_classes=CLASSES)
        model = lab.adapt(network, image_size=64).double().eval()
        images = rgb().double()
        expected = lab.explain(model, images, method="gradcam_general")
        model.requires_grad_(False)
        found = lab.explain(model, images, method="gradcam_general")
        torch.testing.assert_close(found.maps, expected.maps)
        assert found.maps.any()
        assert model.forward_with_features(model.preprocess(images))[1].grad_fn is not None


def test_densenet_is_explained_by_its_map_after_the_relu_as_the_labs_own_is():
    from torchvision.models import densenet169

    torch.manual_seed(0)
    network = densenet169(num_classes=CLASSES).double().eval()
    ours = lab.build_model("densenet169", CLASSES).double().eval()
    ours.load_state_dict(network.state_dict())
    model = lab.adapt(network, image_size=64)
    assert "change it in place" in repr(model)
    images = rgb().double()
    for method in ("gradcam", "gradcam_general"):
        one, other = (lab.explain(each, images, method=method).maps for each in (model, ours))
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_closed_form_is_used_where_it_is_right(create_graph):
    from torchvision.models import efficientnet_b0

    network, model = fresh()
    assert model.pooled_linear_head() is network.fc
    dropping = lab.adapt(efficientnet_b0(num_classes=CLASSES), image_size=64)
    assert dropping.pooled_linear_head() is None  # dropout stands in front of the layer
    assert dropping.eval().pooled_linear_head() is not None
    for each in (model.double().eval(), dropping.double()):
        both = [
            lab.explain(each, rgb().double(), method=method, create_graph=create_graph).maps
            for method in ("gradcam", "gradcam_general")
        ]
        torch.testing.assert_close(*both)


class Normed(nn.Module):
    """Pools, normalises, classifies: at first the norm changes next to nothing."""

    def __init__(self):
        super().__init__()
        self.body, self.norm, self.fc = nn.Conv2d(3, 8, 3, 2), nn.BatchNorm1d(8), nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.fc(self.norm(self.body(x).mean((2, 3))))


def test_a_norm_in_front_of_the_classifier_means_the_gradient():
    model = lab.adapt(Normed(), mean=(0.5,) * 3)
    assert model.findings.layer == "body"
    assert model.pooled_linear_head() is None
    with pytest.raises(ExperimentError, match="Normed does not end in global average pooling and a linear layer, so"):
        model.forward_head(torch.rand(1, 8, 4, 4))
    with pytest.raises(ExperimentError, match="Normed has no stages of feature maps"):
        model.forward_stages(rgb())


@pytest.mark.parametrize("method", ["at", "reviewkd", "catkd"])
def test_prior_methods_take_adapted_cnns(method):
    network, model = fresh()
    teacher = lab.build_model("resnet18", CLASSES)
    stages = model.forward_stages(model.preprocess(rgb()))
    assert [tuple(stage.shape[1:]) for stage in stages] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
    losses = method_of(method, model, teacher, lam=1.0)(rgb(), torch.tensor([0, 1]))
    losses["loss"].backward()
    assert network.conv1.weight.grad.any()


def test_an_adapted_resnet_computes_what_the_labs_own_does():
    network, model = fresh()
    ours = lab.build_model("resnet18", CLASSES)
    ours.load_state_dict(network.state_dict())
    images = rgb(4)
    found = []
    for student in (model, ours):
        teacher = lab.build_model("resnet_mini", CLASSES)
        torch.manual_seed(1)
        for parameter in teacher.parameters():
            nn.init.normal_(parameter, std=0.1)
        loss = method_of("e2kd", student.train(), teacher, lam=1.0)(images, torch.zeros(4, dtype=torch.long))["loss"]
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in student.parameters()), *(b.float() for b in student.buffers())])
    for one, other in zip(found[0], found[1][: len(found[0])], strict=False):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "name", ["timm/resnet18d", "timm/efficientnet_b0", "torchvision/regnet_y_400mf", "timm/vit_tiny_patch16_224"]
)
def test_arranged_and_folded_networks_stay_the_same(name):
    teacher, student = adapted(name), adapted(name)
    images = images_of(name)
    expected = lab.explain(teacher, images)
    prepare_networks(student, teacher, CASES[name].size, CPU)
    for model in (teacher, student):
        found = lab.explain(model, images.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(found.logits, expected.logits, rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(found.maps, expected.maps, rtol=1e-8, atol=1e-10)


class PreActivated(nn.Module):
    """A convolution that two layers read, and a map that is viewed as if it lay in torch's order."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm, self.conv = nn.Conv2d(3, 8, 3, 4), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8 * 16 * 16, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        return self.fc((x + self.conv(self.norm(x).relu())).view(len(x), -1))


def test_layers_are_folded_only_where_nobody_else_reads_them():
    model = lab.adapt(PreActivated().double(), image_size=64, layer="conv", mean=(0.5,) * 3).eval()
    nn.init.constant_(model.norm.running_var, 4.0)
    images = rgb().double()
    expected = lab.explain(model, images)
    folded = copy.deepcopy(model)
    fuse_batch_norms(folded, 64)
    torch.testing.assert_close(lab.explain(folded, images), expected)
    prepare_networks(model, None, 64, CPU)
    torch.testing.assert_close(lab.explain(model, images.contiguous(memory_format=torch.channels_last)), expected)


def test_a_network_of_one_size_is_probed_at_its_own():
    model = adapted("timm/vit_tiny_patch16_224").float()
    prepare_networks(copy.deepcopy(model), model, 96, CPU)
    with pytest.raises(ExperimentError, match="has no class activation maps"):
        method_of("catkd", adapted("timm/vit_tiny_patch16_224").float(), lab.build_model("resnet18", CLASSES), lam=1.0)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize(
    "name", ["timm/resnet18d", "timm/vit_tiny_patch16_224", "torchvision/vit_b_16", "transformers/vit"]
)
def test_mixed_precision_trains(name, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device: mixed precision on a GPU is not tested")
    student, teacher = adapted(name).float().to(device).train(), adapted(name).float().to(device)
    images = images_of(name).float().to(device)
    with torch.autocast(device, torch.bfloat16):
        losses = method_of("e2kd", student, teacher, lam=1.0)(images, torch.zeros(2, dtype=torch.long, device=device))
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    assert all(p.grad.isfinite().all() for p in student.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["timm/vit_tiny_patch16_224", "torchvision/vit_b_16", "transformers/vit"])
def test_fused_attention_gives_the_same_maps(name):
    """In evaluation mode and frozen, torch takes other operators than where a graph is kept."""
    model, images = adapted(name), images_of(name)
    expected = lab.explain(model, images, create_graph=True).maps.detach()
    torch.testing.assert_close(lab.explain(model, images).maps, expected)
    model.requires_grad_(False)
    torch.testing.assert_close(lab.explain(model, images).maps, expected)


class Outputs(nn.Module):
    """A classifier whose logits are wrapped."""

    def __init__(self, wrap):
        super().__init__()
        self.body, self.fc, self.wrap = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, CLASSES), wrap

    def forward(self, x):
        return self.wrap(self.fc(self.body(x).relu().mean((2, 3))))


@pytest.mark.parametrize(
    ("wrap", "take"),
    [
        (lambda z: {"logits": z, "loss": None}, None),
        (lambda z: (z, z[:, :2]), None),
        (lambda z: [z[:, 0], z], None),
        (lambda z: {"probabilities": z}, None),
        (lambda z: z[:, :, None, None], lambda output: output.flatten(1)),
    ],
)
def test_logits_are_found_in_what_a_network_puts_out(wrap, take):
    model = lab.adapt(Outputs(wrap), mean=(0.5,) * 3, logits=take)
    explanation = lab.explain(model, rgb())
    assert explanation.logits.shape == (2, CLASSES)


def test_auxiliary_classifiers_do_not_matter():
    from torchvision.models import googlenet

    model = lab.adapt(googlenet(num_classes=CLASSES, init_weights=False), image_size=64)
    assert model.train()(model.preprocess(rgb())).shape == (2, CLASSES)


def test_a_network_is_adapted_once():
    network, model = fresh()
    assert lab.adapt(model) is model
    ours = lab.build_model("resnet_mini", 2)
    assert lab.adapt(ours) is ours
    other = lab.adapt(model, layer="layer3", image_size=64)
    assert other.wrapped is network
    assert other.findings.layer == "layer3"
    with pytest.raises(ExperimentError, match="ResNetMini is a network of the lab, which knows its feature map"):
        lab.adapt(ours, layer="layer1")


def test_the_repr_says_what_was_found():
    text = repr(fresh()[1])
    for part in ("'layer4' (NCHW)", "512 channels of 2 x 2 for images of 64 x 64 px", "in closed form through 'fc'",
                 "torchvision's, ImageNet's", "mean=[0.485, 0.456, 0.406]"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "mean"),
    [({"mean": (0.1, 0.2, 0.3), "std": (1.0, 1.0, 2.0)}, [0.1, 0.2, 0.3]), ({"mean": (0.5,) * 3}, [0.5] * 3)],
)
def test_mean_and_std_are_taken(arguments, mean):
    _, model = fresh(**arguments)
    assert model.preprocess.mean.flatten().tolist() == pytest.approx(mean)
    assert "as given" in repr(model)


def test_image_processors_give_mean_and_std():
    from torchvision.models import ResNet18_Weights
    from transformers import ViTImageProcessor

    _, model = fresh(preprocess=ViTImageProcessor(image_mean=[0.1, 0.2, 0.3], image_std=[0.5, 0.5, 0.5]))
    assert model.preprocess.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    _, model = fresh(preprocess=ResNet18_Weights.IMAGENET1K_V1.transforms())
    assert lab.explain(model, rgb()).maps.shape == (2, 1, 64, 64)
    _, model = fresh(preprocess=lambda images: 2 * images - 1)
    assert lab.explain(model, rgb()).maps.shape == (2, 1, 64, 64)


def test_a_strangers_network_is_given_images_as_they_are_and_that_is_said_once():
    with pytest.warns(LabNote, match="How Outputs wants its images normalised is not recorded in it") as notes:
        model = lab.adapt(Outputs(lambda z: z))
    assert len(notes) == 1
    assert notes[0].filename == __file__
    assert torch.equal(model.preprocess(rgb()), rgb())
    assert "nothing is recorded" in repr(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.adapt(Outputs(lambda z: z), mean=(0.0,) * 3)


def bcos_like():
    return nn.Sequential(nn.Conv2d(6, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


def unable_to_learn():
    with torch.inference_mode():
        return grey()


def grey():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


@pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")
@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (bcos_like, {}, "B-cos network of another package, whose dynamic scales are not known here"),
        (grey, {}, "takes images of 1 channels and is given 3; expected a network of RGB images"),
        (
            lambda: nn.Conv2d(3, 8, 3),
            {},
            r"puts out a tensor of shape \(2, 8, 222, 222\) for 2 images",
        ),
        (lambda: Outputs(lambda z: {"a": 1}), {}, "puts out a dict without logits"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2)), {}, "has no layer whose output is a map"),
        (lambda: "resnet18", {}, "got a str; expected a torch.nn.Module"),
        (lambda: nn.DataParallel(grey()), {}, "expected the network inside"),
        (lambda: torch.compile(grey()), {}, r"expected the network inside: lab.adapt\(model._orig_mod\)"),
        (unable_to_learn, {}, "weights on the device 'meta' or from torch.inference_mode"),
        (lambda: fresh()[0], {"image_size": 1.5}, "'image_size' is 1.5"),
        (lambda: fresh()[0], {"mean": (0.5,)}, "expected three numbers each"),
        (lambda: fresh()[0], {"std": (1, 1, 0)}, "std above zero"),
        (lambda: fresh()[0], {"preprocess": nn.Identity(), "mean": (0,) * 3}, "expected one of them"),
        (lambda: fresh()[0], {"layer": nn.Linear(1, 1)}, "none of ResNet's layers"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_a_sentence(build, arguments, message):
    with pytest.raises(ExperimentError, match=message) as caught:
        lab.adapt(build(), **arguments)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)


def test_greyscale_networks_are_taken_with_their_preprocessing():
    model = lab.adapt(grey(), preprocess=lambda images: images.mean(1, keepdim=True))
    assert model.input_channels == 1
    assert lab.explain(model, rgb()).maps.shape == (2, 1, 64, 64)


def test_bcos_networks_of_other_packages_are_refused():
    from bcos.models.resnet import resnet18

    with pytest.raises(ExperimentError, match="B-cos network of another package"):
        lab.adapt(resnet18())
