"""Faithfulness of networks: known answers, bounded memory, and refusals."""

import copy

import pytest
import timm
import torch
from torch import nn
from torch.nn.utils import parametrize

import e2kd_lab as lab
from e2kd_lab import build_model
from e2kd_lab.explanations import (
    faithfulness,
    grid_mosaics,
    grid_pointing,
    randomisation_cascade,
    randomised_maps,
)
from e2kd_lab.explanations.pixel_ranking import pixel_rankings
from e2kd_lab.explanations.randomisation import _reset
from e2kd_lab.metrics import area_under, explanation_cosine
from e2kd_lab.metrics.titles import LAB_MEASURES
from e2kd_lab.system.errors import ExperimentError, LabNote

NAMES = {
    "insertion", "deletion", "insertion_minus_deletion", "deletion_least_first", "infidelity", "sensitivity",
}  # fmt: skip


@pytest.mark.parametrize("name", ["resnet_mini", "bcos_resnet_mini"])
def test_images_do_not_see_each_other_and_numbers_repeat(name):
    torch.manual_seed(0)
    model, images = build_model(name, 3).eval(), torch.rand(3, 3, 16, 16)
    found, again = (faithfulness(model, images, steps=5) for _ in range(2))
    assert found.keys() == NAMES
    assert found.keys() <= LAB_MEASURES.keys()
    for measure, values in found.items():
        torch.testing.assert_close(values, again[measure], rtol=0, atol=0)
        assert values.shape == (3,)
    first = faithfulness(model, images[:1], steps=5)
    for measure in NAMES - {"infidelity", "sensitivity"}:  # these draw random numbers for all images
        torch.testing.assert_close(first[measure], found[measure][:1], rtol=1e-3, atol=1e-5)


class Bright(nn.Module):
    """Four colours: the logit of each is how much of it there is; explained exactly by HiResCAM."""

    def __init__(self):
        super().__init__()
        self.colours = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 4)
        self.head.weight.data, self.head.bias.data = 40 * torch.eye(4), torch.zeros(4)
        self.colours.weight.data = torch.tensor(
            [[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]]
        )[:, :, None, None]  # fmt: skip
        self.colours.bias.data = torch.tensor([0.0, 0, 0, -1])

    def forward(self, x):
        return self.head(self.colours(x).relu().mean((2, 3)))


def test_evidence_in_the_right_cell_is_all_of_it():
    model = lab.adapt(Bright().eval(), layer="colours", mean=[0.0] * 3, std=[1.0] * 3, image_size=16)
    model.explanation = "hirescam"
    images = torch.zeros(8, 3, 16, 16)
    for n, colours in enumerate([(0,), (1,), (2,), (0, 1)] * 2):
        images[n, list(colours)] = 1
    values = grid_pointing(model, images, torch.arange(8) % 4, side=2)
    assert values.shape == (8,)
    assert (values > 0.99).all()
    assert len(grid_pointing(model, images, torch.arange(8) % 4, side=3)) == 0


def test_mosaics_are_of_images_that_all_networks_know():
    """The second network takes blue for yellow; no grid shows it, so that three classes are left."""
    seer = lab.adapt(Bright().eval(), layer="colours", mean=[0.0] * 3, std=[1.0] * 3, image_size=16)
    other = lab.adapt(Bright().eval(), layer="colours", mean=[0.0] * 3, std=[1.0] * 3, image_size=16)
    seer.explanation = other.explanation = "hirescam"
    images = torch.zeros(8, 3, 16, 16)
    for n, colours in enumerate([(0,), (1,), (2,), (0, 1)] * 2):
        images[n, list(colours)] = 1
    labels = torch.arange(8) % 4
    grids = grid_mosaics({"teacher": seer, "kd": other}, images, labels, count=2)
    assert grids.images.shape == (2, 3, 32, 32)
    assert grids.cells.tolist() == [0, 1]
    assert all((values > 0.99).all() for values in grids.values.values())
    other.wrapped.head.weight.data[2] = 0
    with pytest.raises(ExperimentError, match=r"Fewer than 4 classes .* all of teacher, kd"):
        grid_mosaics({"teacher": seer, "kd": other}, images, labels)


def test_networks_of_one_image_size_are_refused():
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=9, img_size=32, depth=2, embed_dim=32, num_heads=2)
    network.head.weight.data.normal_(std=50)
    model, images = lab.adapt(network.eval(), image_size=32), torch.rand(64, 3, 1, 1).expand(-1, -1, 32, 32)
    labels = model(model.preprocess(images)).argmax(1)
    assert len(labels.unique()) >= 4
    with pytest.raises(ExperimentError, match="VisionTransformer takes images of one size only"):
        grid_pointing(model, images, labels, side=2)


def test_kernels_that_are_computed_from_weights_are_randomised_too():
    model = lab.build_model("bcos_resnet_mini", num_classes=3).eval()
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}
    computed = [layer for layer in layers.values() if parametrize.is_parametrized(layer)]
    assert len(computed) >= 3
    assert set(layers) <= set(randomisation_cascade(model, torch.rand(1, 3, 32, 32))["layer"])
    for layer in computed:
        before = layer.weight.clone()
        _reset(layer)
        assert ((layer.weight - before).abs() > 0).all()


@pytest.mark.filterwarnings("ignore:The randomisation test keeps:e2kd_lab.system.errors.LabNote")
@pytest.mark.parametrize("name", ["resnet_mini", "bcos_vit_mini"])
def test_the_cascade_starts_at_the_head_and_leaves_the_network_alone(name):
    torch.manual_seed(0)
    model, images = build_model(name, 3).eval(), torch.rand(2, 3, 16, 16)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    table = randomisation_cascade(model, images)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    layers = list(dict.fromkeys(table["layer"]))
    assert ("fc" if name == "resnet_mini" else "linear_head.linear") in layers[0]
    assert len(table) == 2 * len(layers)
    assert table[["cosine", "rank_correlation"]].abs().max().max() <= 1
    assert table.equals(randomisation_cascade(model, images))
    assert table.groupby("layer", sort=False)["cosine"].mean().iloc[-1] < 0.99


def test_maps_to_look_at_are_those_of_the_cascade():
    torch.manual_seed(0)
    model, images = build_model("resnet_mini", 3).eval(), torch.rand(2, 3, 16, 16)
    maps, table = randomised_maps(model, images, count=3), randomisation_cascade(model, images)
    trained, *layers = maps
    assert trained == "trained"
    assert [layers[0], layers[-1]] == [table["layer"].iloc[0], table["layer"].iloc[-1]]
    for layer in layers:
        expected = table.loc[table["layer"] == layer, "cosine"].to_numpy()
        found = explanation_cosine(maps[layer], maps[trained]).double().numpy()
        assert found == pytest.approx(expected, abs=1e-6)


def test_rankings_of_one_image_are_those_of_the_measures():
    torch.manual_seed(0)
    model, images = build_model("bcos_resnet_mini", 3).eval(), torch.rand(1, 3, 16, 16)
    ranking, measured = pixel_rankings({"kd": model}, images[0], steps=8)["kd"], faithfulness(model, images, steps=8)
    assert ranking.signed
    for name in ("insertion", "deletion"):
        torch.testing.assert_close(area_under(getattr(ranking, name)[None]), measured[name])


def test_a_map_that_ignores_the_network_survives():
    model, images = build_model("resnet_mini", 3).eval(), torch.rand(2, 3, 16, 16)

    class Edges(lab.explanations.ExplanationMethod):
        name = title = "edges"

        def __call__(self, model, images, classes=None, *, create_graph=False):
            logits = model(model.preprocess(images))
            return lab.Explanation(logits, logits.argmax(1), images.mean(1, keepdim=True))

    model.explanation = Edges()
    assert (randomisation_cascade(model, images)[["cosine", "rank_correlation"]] > 0.9999).all().all()


def test_layers_that_cannot_be_reset_are_named():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.conv(x * self.scale).relu().mean((2, 3)))

    model = lab.adapt(Scaled().eval(), layer="conv", mean=[0.0] * 3, std=[1.0] * 3, image_size=16)
    with pytest.warns(LabNote, match=r"keeps layers without reset_parameters\(\): 1 of Scaled"):
        table = randomisation_cascade(model, torch.rand(1, 3, 16, 16))
    assert list(table["layer"]) == ["head", "conv"]
