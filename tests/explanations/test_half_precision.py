"""Explanations in half precision: small gradients do not underflow."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from e2kd_lab import build_model, explain
from e2kd_lab.explanations import EXPLANATIONS, IntegratedGradients
from e2kd_lab.explanations.inner_gradient import inner_gradient
from e2kd_lab.losses import explanation_loss
from e2kd_lab.metrics import dead_maps
from e2kd_lab.system.errors import ExperimentError

CASES = [
    *itertools.product(
        ["resnet_mini", "bcos_densenet_mini", "bcos_vit_mini"], EXPLANATIONS.keys() - {"bcos", "attention_rollout"}
    ),
    *(("bcos_resnet_mini", "bcos"), ("bcos_densenet_mini", "bcos"), ("bcos_vit_mini", "bcos")),
    ("bcos_vit_mini", "attention_rollout"),
]


@pytest.mark.parametrize(("network", "name"), sorted(CASES))
def test_maps_and_their_gradients_are_nearly_those_of_full_precision(network, name):
    torch.manual_seed(3)
    model, images = build_model(network, 3).eval(), torch.rand(4, 3, 16, 16)
    classes, found = torch.tensor([0, 1, 2, 0]), []
    method = IntegratedGradients(steps=2) if name == "integrated_gradients" else name
    for half in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.float16, enabled=half):
            maps = explain(model, images, classes, method=method, create_graph=True).maps
            assert maps.dtype == torch.float32
            target = torch.rand(maps.shape, generator=torch.Generator().manual_seed(1))
            loss = explanation_loss(maps, target)
        (1024 * loss).backward()  # as loss scaling does
        found.append((maps.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])))
    (maps, gradient), (halves, half_gradient) = found
    alive = ~dead_maps(maps)
    assert alive.any()
    assert torch.equal(alive, ~dead_maps(halves))
    assert (F.cosine_similarity(maps[alive].flatten(1), halves[alive].flatten(1)) > 0.98).all()
    # Unscaled, the gradient of W(x) is not a number here: the loss's gradient in a tiny map overflows.
    assert F.cosine_similarity(gradient, half_gradient, dim=0) > 0.9


def test_what_underflows_unscaled_is_kept():
    image = torch.rand(8, requires_grad=True)
    halves = image.half()
    explained = ((halves * 2**-12) * 2**-13).sum()  # a gradient of 2^-25 is zero in float16
    assert torch.autograd.grad(explained, halves, retain_graph=True)[0].count_nonzero() == 0
    torch.testing.assert_close(inner_gradient(explained, halves), torch.full((8,), 2.0**-25))


def test_logits_that_do_not_depend_on_the_images_are_refused():
    image, other = torch.rand(2, requires_grad=True), torch.rand(2, requires_grad=True)
    with pytest.raises(ExperimentError, match="do not depend on what they are explained by"):
        inner_gradient(other.sum(), image)
