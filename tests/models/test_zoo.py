"""Networks of other libraries by name."""

import json
import sys
import warnings

import pytest
import torch
from torch import nn

import e2kd_lab as lab
from e2kd_lab.models import (
    MODELS,
    ZOOS,
    AdaptedModel,
    explanation_by_name,
    model_exists,
    model_names,
    register_zoo,
    require_model,
)
from e2kd_lab.models.checkpoints import published_weights
from e2kd_lab.system.errors import ExperimentError, LabNote

TINY = {"num_hidden_layers": 3, "hidden_size": 48, "intermediate_size": 96, "num_attention_heads": 3}


@pytest.fixture(autouse=True)
def _nothing_to_note():
    with warnings.catch_warnings():
        warnings.simplefilter("error", LabNote)
        yield


@pytest.mark.parametrize(
    ("name", "options", "layer"),
    [
        ("timm/resnet10t", {}, "layer4"),
        ("timm/vit_tiny_patch16_224", {"depth": 3}, "blocks.1"),
        ("timm/mixer_s32_224", {}, "norm"),
        ("torchvision/squeezenet1_1", {}, "classifier.2"),
        ("torchvision/shufflenet_v2_x0_5", {}, "conv5"),
        ("transformers/vit", TINY, "vit.layers.1"),
        ("transformers/resnet", {"depths": [1, 1, 1, 1]}, "resnet.encoder.stages.3"),
        ("transformers/mobilenet_v2", {}, "mobilenet_v2.conv_1x1"),
    ],
)
def test_networks_are_built_by_name(name, options, layer):
    assert model_exists(name)
    model = lab.build_model(name, 4, image_size=64, **options)
    assert isinstance(model, AdaptedModel)
    assert model.training
    assert model.findings.layer == layer
    images = torch.rand(2, 3, 64, 64)
    explanation = lab.explain(model.eval(), images)
    assert explanation.logits.shape == (2, 4)
    assert explanation.maps.shape == (2, 1, 64, 64)
    assert explanation_by_name(name) == model.explanation


def test_the_seed_decides_the_weights_and_the_dry_run_takes_no_random_numbers():
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        model = lab.build_model("torchvision/vit_b_16", 4, image_size=32)
        found.append((model.state_dict()["heads.head.weight"], torch.rand(1)))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_networks_of_one_size_are_made_for_the_images():
    assert lab.build_model("torchvision/vit_b_16", 4, image_size=32).image_size == (32, 32)
    assert lab.build_model("timm/vit_tiny_patch16_224", 4, image_size=96, depth=2).image_size == (96, 96)
    assert lab.build_model("transformers/vit", 4, image_size=48, **TINY).image_size == (48, 48)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/resnet51", r"timm has no model 'resnet51'; expected for instance timm/resnet\d+"),
        ("torchvision/convnext_tinny", "expected for instance torchvision/convnext_tiny"),
        ("torchvision/fcn_resnet50", "torchvision has no model 'fcn_resnet50'"),
        ("transformers/vitt", "expected for instance transformers/vit"),
        ("transformers/no/folder", "transformers has no model 'no/folder'"),
        ("tim/resnet50", "There is no model 'tim/resnet50'"),
        ("timm/", "timm has no model ''"),
    ],
)
def test_unknown_names_are_refused_with_names_that_are_like_them(name, message):
    assert not model_exists(name)
    for ask in (require_model, explanation_by_name, lambda name: lab.build_model(name, 3)):
        with pytest.raises(ExperimentError, match=message):
            ask(name)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm/resnet10t", {"nonsense": 1}, "cannot be built with image_size = None and these options"),
        ("torchvision/squeezenet1_1", {"nonsense": 1}, "nonsense"),
        (
            "transformers/vit",
            {"num_hiden_layers": 1},
            "has no option 'num_hiden_layers'; .* num_hidden_layers",
        ),
        ("timm/resnet10t", {"num_classes": 0}, "has num_classes = 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    arguments = {"num_classes": 3, **options}
    with pytest.raises(ExperimentError, match=message):
        lab.build_model(name, **arguments)


@pytest.mark.parametrize(("name", "library"), [("timm/resnet10t", "timm"), ("transformers/vit", "transformers")])
def test_a_library_that_is_missing_is_named(monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ExperimentError, match=rf'Networks of {library} need .* pip install "e2kd-lab\[zoo\]"'):
        lab.build_model(name, 3)


def test_weights_come_from_files(tmp_path):
    model = lab.build_model("timm/resnet10t", 3, image_size=64)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other = lab.build_model("timm/resnet10t", 3, image_size=64, weights=str(tmp_path / "weights.pt"))
    torch.testing.assert_close(dict(other.state_dict()), dict(model.state_dict()), rtol=0, atol=0)


def test_published_weights_have_torchvisions_names():
    assert published_weights("torchvision/vit_b_16", "IMAGENET1K_V1") is published_weights("vit_b_16", "IMAGENET1K_V1")
    assert published_weights("torchvision/vit_b_16", "IMAGENET1K_V1") is not None


@pytest.fixture
def folder(tmp_path):
    """A network as transformers saves it, and the configuration of its image processor."""
    torch.manual_seed(0)
    lab.build_model("transformers/vit", 3, image_size=32, **TINY).wrapped.save_pretrained(tmp_path)
    values = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    return tmp_path


def test_local_folders_of_transformers_are_networks_by_name(folder):
    name = f"transformers/{folder}"
    assert model_exists(name)
    model = lab.build_model(name, 3)
    torch.manual_seed(0)
    expected = lab.build_model("transformers/vit", 3, image_size=32, **TINY)
    torch.testing.assert_close(dict(model.state_dict()), dict(expected.state_dict()), rtol=0, atol=0)
    assert model.training
    assert model.preprocess.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert model.preprocess.std.flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])


def test_a_folder_knows_its_preprocessing_where_the_network_is_adapted_by_hand(folder):
    from transformers import AutoModelForImageClassification

    model = lab.adapt(AutoModelForImageClassification.from_pretrained(folder))
    assert model.preprocess.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert "preprocessor_config.json" in repr(model)


def test_a_folder_of_another_number_of_classes_says_what_starts_at_random(folder):
    with pytest.warns(LabNote, match="has no weights for classifier.bias, classifier.weight of 5 classes"):
        model = lab.build_model(f"transformers/{folder}", 5)
    assert lab.explain(model.eval(), torch.rand(1, 3, 32, 32)).logits.shape == (1, 5)


def test_a_damaged_folder_is_refused(folder):
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ExperimentError, match="holds no image classifier of transformers"):
        lab.build_model(f"transformers/{folder}", 3)


def test_a_plain_network_may_be_registered():
    @lab.models.register_model("plain_of_this_test")
    def plain(num_classes, width=4, image_size=32):
        layers = [nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        network = nn.Sequential(*layers, nn.Linear(width, num_classes))
        network.size_it_was_built_for = image_size
        return network

    try:
        with pytest.warns(LabNote, match="not recorded"):
            model = lab.build_model("plain_of_this_test", 3, image_size=48, width=6)
        assert model.wrapped.size_it_was_built_for == 48
        assert model.image_size == (48, 48)
        assert model.findings.layer == "1"
        assert explanation_by_name("plain_of_this_test") is None
        with pytest.raises(ExperimentError, match="does not take these options"):
            lab.build_model("plain_of_this_test", 3, depth=2)
    finally:
        del MODELS._entries["plain_of_this_test"], MODELS._origins["plain_of_this_test"]


def test_builders_without_an_image_size_are_not_given_one():
    assert lab.build_model("resnet_mini", 2, image_size=64).explanation == "gradcam"


def test_a_zoo_of_ones_own():
    @register_zoo("flat")
    class Flat:
        def names(self):
            return ["wide", "narrow"]

        def exists(self, name):
            return name in self.names()

        def build(self, name, num_classes, image_size=None, **options):
            return lab.build_model("resnet_mini", num_classes, **options)

    try:
        assert lab.build_model("flat/wide", 2, width=8).fc.in_features == 32
        assert model_exists("flat/narrow")
        assert "flat/wide" not in model_names()
        with pytest.raises(ExperimentError, match="flat has no model 'wides'; expected for instance flat/wide"):
            require_model("flat/wides")
    finally:
        del ZOOS._entries["flat"], ZOOS._origins["flat"]


def test_importing_the_lab_imports_none_of_them():
    import subprocess

    code = "import sys, e2kd_lab; print([n for n in ('timm', 'transformers', 'safetensors') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
