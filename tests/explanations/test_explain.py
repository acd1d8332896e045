"""Large batches are explained a part at a time, with the same result."""

import pytest
import torch

from e2kd_lab import build_model
from e2kd_lab.explanations import EXPLANATIONS, explain, explain_in_parts, explanation_of


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("name", ["resnet_mini", "bcos_resnet_mini"])
def test_parts_are_the_whole(monkeypatch, name, named):
    torch.manual_seed(0)
    model, images = build_model(name, 5).eval().double(), torch.rand(7, 3, 32, 32, dtype=torch.float64)
    classes = torch.arange(7) % 5 if named else None
    expected = explain(model, images, classes)
    seen = []
    kind = type(explanation_of(model))
    compute = kind.__call__
    monkeypatch.setattr(
        kind,
        "__call__",
        lambda self, model, some, *rest: (seen.append(len(some)), compute(self, model, some, *rest))[1],
    )
    monkeypatch.setattr(kind, "pixels_at_once", 3 * 32**2 + 100)
    for found, whole in zip(explain_in_parts(model, images, classes), expected, strict=True):
        torch.testing.assert_close(found, whole)
    assert seen == [3, 3, 1]
    monkeypatch.setattr(kind, "pixels_at_once", 100)  # an image at least
    explain_in_parts(model, images[:2], None if classes is None else classes[:2])
    assert seen[3:] == [1, 1]


def test_images_of_the_lab_are_explained_at_once():
    assert min(method.pixels_at_once for method in EXPLANATIONS.values()) >= 256 * 64**2
