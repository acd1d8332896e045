"""Which layer a dry run finds, in networks made to mislead it."""

import pytest
import torch
from torch import nn

import e2kd_lab as lab
from e2kd_lab.models.autograd_graph import dominators, edge_of, operations_behind
from e2kd_lab.models.feature_layout import grid_of, layout_of
from e2kd_lab.models.stages import stage_paths
from e2kd_lab.system.errors import ExperimentError

HALF = {"mean": (0.5,) * 3, "image_size": 32}


class Net(nn.Module):
    """Convolutions, and a way from them to the logits."""

    def __init__(self, forward):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.relu, self.drop, self.pool = nn.ReLU(inplace=True), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1)
        self.fc, self.way = nn.Linear(8, 3), forward

    def forward(self, x):
        return self.way(self, x)


def plain(net, x):
    return net.fc(net.pool(net.two(net.one(x).relu())).flatten(1))


def bypassed(net, x):
    low = net.one(x)
    return net.fc((net.pool(net.two(low.relu())) + net.pool(low)).flatten(1))


def hidden_bypass(net, x):
    """The graph does not show that the logits depend on the first map beside the second."""
    low = net.one(x)
    return net.fc(net.pool(net.two(low.relu())).flatten(1) * (1 + low.detach().mean((2, 3))))


def activated_in_place(net, x):
    return net.fc(net.pool(net.drop(net.relu(net.two(net.one(x).relu())))).flatten(1))


def called_twice(net, x):
    return net.fc(net.pool(net.two(net.two(net.one(x)))).flatten(1))


def corner(net, x):
    return net.fc(net.two(net.one(x))[:, :, 0, 0])


@pytest.mark.parametrize(
    ("way", "layer"),
    [(plain, "two"), (bypassed, "one"), (hidden_bypass, "one"), (activated_in_place, "relu"), (called_twice, "one"),
     (corner, "two")],
)  # fmt: skip
def test_the_last_map_that_everything_passes_through_is_found(way, layer):
    model = lab.adapt(Net(way), **HALF)
    assert model.findings.layer == layer
    assert (model.eval().pooled_linear_head() is not None) == (way in (plain, activated_in_place))


def test_of_layers_that_put_out_one_tensor_the_outermost_counts():
    net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(inplace=True))),
                        nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))  # fmt: skip
    assert lab.adapt(net, **HALF).findings.layer == "0"


class Tokens(nn.Module):
    """Two blocks of attention over patches and further tokens, and a classifier of the first token or of the mean."""

    def __init__(self, prefix, pooled):
        super().__init__()
        self.patches, self.pooled, self.prefix = nn.Conv2d(3, 8, 8, 8), pooled, prefix
        self.extra = nn.Parameter(torch.randn(1, prefix, 8))
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.extra.expand(len(x), -1, -1), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, self.prefix :].mean(1) if self.pooled else tokens[:, 0])


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
@pytest.mark.parametrize("pooled", [True, False])
def test_the_last_block_counts_unless_only_the_class_token_does(prefix, pooled):
    if not pooled and not prefix:
        pytest.skip("a network without pooling needs a class token: there is none to test")
    model = lab.adapt(Tokens(prefix, pooled), **HALF)
    assert model.findings.layer == ("blocks.1" if pooled else "blocks.0")
    assert model.findings.layout.prefix == prefix
    assert (model.findings.head is not None) == pooled
    wide = lab.explain(model.eval(), torch.rand(2, 3, 32, 64), method="gradcam_general")
    assert wide.maps.shape == (2, 1, 32, 64)
    assert wide.maps.any()


def test_a_named_layer_may_be_any_map():
    net = Net(bypassed)
    assert lab.adapt(net, layer="two", **HALF).findings.layer == "two"
    assert lab.adapt(net, layer=net.two, **HALF).findings.layer == "two"


@pytest.mark.parametrize(
    ("net", "layer", "message"),
    [
        (lambda: Net(plain), "twoo", "has no layer 'twoo'; expected for instance two"),
        (
            lambda: Net(plain),
            "pool",
            r"puts out \(2, 8, 1, 1\) for 2 images of 32 x 32 px, .* expected layer='two'",
        ),
        (lambda: Net(plain), "fc", "which is no map of more than one place; expected layer='two'"),
        (lambda: Net(plain), "drop", "is not called, or puts out no tensor; expected layer='two'"),
        (lambda: Net(called_twice), "two", "is called more than once; expected layer='one'"),
        (
            lambda: Tokens(1, False),
            "blocks.1",
            r"maps would be zero; expected layer='blocks.0'",
        ),
    ],
)
def test_a_layer_that_cannot_be_explained_is_refused_with_the_one_to_take(net, layer, message):
    with pytest.raises(ExperimentError, match=message) as caught:
        lab.adapt(net(), layer=layer, **HALF)
    assert "\n" not in str(caught.value)


def test_where_no_layer_is_found_candidates_are_listed():
    class TwoWays(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 5), nn.Linear(8, 2)

        def forward(self, x):
            return self.fc(torch.cat([self.left(x).mean((2, 3)), self.right(x).mean((2, 3))], dim=1))

    with pytest.raises(ExperimentError, match=r"has no layer whose .* expected layer= with one of right, left"):
        lab.adapt(TwoWays(), **HALF)
    assert lab.adapt(TwoWays(), layer="left", **HALF).pooled_linear_head() is None


def test_a_reshape_of_ones_own_makes_the_map():
    class Flat(nn.Module):
        """Puts its places behind its channels."""

        def __init__(self):
            super().__init__()
            self.conv, self.flat, self.fc = nn.Conv2d(3, 5, 4, 4), nn.Flatten(2), nn.Linear(5, 2)

        def forward(self, x):
            return self.fc(self.flat(self.conv(x)).mean(2))

    model = lab.adapt(Flat(), layer="flat", reshape=lambda x: x.unflatten(2, (8, 8)), **HALF)
    expected = lab.adapt(Flat(), **HALF)
    assert expected.findings.layer == "conv"  # (N, C, H * W) is not taken for tokens
    expected.load_state_dict(model.state_dict())
    images = torch.rand(2, 3, 32, 32)
    assert model.findings.shape == (5, 8, 8)
    torch.testing.assert_close(lab.explain(model, images).maps, lab.explain(expected, images).maps)


def test_tokens_that_make_no_grid_are_refused():
    model = lab.adapt(Tokens(0, True), **HALF)
    with pytest.raises(ExperimentError, match=r"13 tokens, 0 of them .* make no grid of an image of 32 x 32 px"):
        model.as_map(torch.rand(1, 13, 8), (32, 32))


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((2, 8, 4, 4), (32, 32), "NCHW"),
        ((2, 4, 4, 8), (32, 32), "NHWC"),
        ((2, 8, 1, 1), (32, 32), None),
        ((2, 8, 3, 6), (32, 64), "NCHW"),
        ((2, 3, 6, 8), (32, 64), "NHWC"),
        ((2, 17, 8), (64, 64), "tokens, the first 1 left out"),
        ((2, 16, 8), (64, 64), "tokens"),
        ((2, 18, 8), (48, 96), "tokens"),
        ((2, 8), (64, 64), None),
    ],
)
def test_layouts_are_told_apart(shape, size, expected):
    layout = layout_of(torch.zeros(shape), size)
    assert (layout if layout is None else str(layout)) == expected


@pytest.mark.parametrize(
    ("count", "size", "grid"),
    [(196, (224, 224), (14, 14)), (24, (96, 64), (6, 4)), (24, (64, 96), (4, 6)), (24, (100, 64), (6, 4)),
     (13, (64, 64), None)],
)  # fmt: skip
def test_grids_have_the_images_shape(count, size, grid):
    assert grid_of(count, size) == grid


def test_bottlenecks_of_a_graph_are_its_dominators():
    leaf = torch.rand(3, requires_grad=True)
    a = leaf * 2
    b, c = a.sin(), a.cos()
    d = b + c
    one, two = d.split([1, 2])
    end = one.sum() + two.sum()
    found = dominators(end, leaf)
    places = [edge_of(tensor) for tensor in (end, d, a)]
    assert [place for place in found if place in places] == places
    assert not any(edge_of(tensor) in found for tensor in (b, c, one, two))
    assert dominators(end, torch.rand(3, requires_grad=True)) == []
    assert operations_behind(end, d) == {"AddBackward0", "SumBackward0", "SplitWithSizesBackward0"}


def test_what_a_stage_does_before_its_maps_get_smaller_is_its_own():
    sizes = {"stem": (16, 16), "a.0": (16, 16), "b.0": (16, 16), "b.1": (8, 8), "a": (16, 16), "b": (8, 8)}
    chain = [(path, sizes[path]) for path in ("stem", "a.0", "a", "b.0", "b.1", "b")]
    assert stage_paths(chain, sizes) == ("a", "b")
