"""A step stays on its device: no tensor is made elsewhere, and nothing is read back, which a GPU would wait for.

The device here is torch's ``meta``, which knows shapes only: it refuses tensors of other devices, and has no values to
read.
"""

from contextlib import nullcontext

import pytest
import torch
from by_name import method_of

from e2kd_lab.methods import METHODS
from e2kd_lab.methods.guidance import Guidance
from e2kd_lab.models import build_model
from e2kd_lab.models.memory_format import prepare_networks
from e2kd_lab.training.gradient_clipping import clip_gradients_adaptively

META = torch.device("meta")
CLASSES, SIZE = 5, 32


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch):
    """Mixed precision is not known on ``meta``."""
    monkeypatch.setattr(torch, "autocast", lambda *names, **options: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda device: False)


def stays(method, *, labels, frozen=None, masks=None):
    prepare_networks(method.student, method.teacher, SIZE, META)
    if method.teacher is not None:
        method.teacher.to(META)
    method.to(META).train()
    images = torch.rand(4, 3, SIZE, SIZE, device=META).contiguous(memory_format=torch.channels_last)
    losses = method(images, labels, frozen, masks)
    losses["loss"].backward()
    clip_gradients_adaptively(method.parameters(), 0.01)
    gradients = [parameter.grad for parameter in method.parameters() if parameter.grad is not None]
    assert gradients
    assert {tensor.device for tensor in (*losses.values(), *gradients)} == {META}
    with pytest.raises(RuntimeError, match="meta"):
        losses["loss"].item()  # what a step that reads a value would run into


def networks(family, teacher="resnet_mini_deep", student="resnet_mini"):
    prefix = "bcos_" if family == "bcos" else ""
    return build_model(prefix + student, CLASSES), build_model(prefix + teacher, CLASSES)


OF_LABELS = [(name, False) for name in METHODS]
OF_SEVERAL = [(name, True) for name, method in METHODS.items() if not getattr(method, "one_class", False)]


@pytest.mark.parametrize(("name", "multilabel"), OF_LABELS + OF_SEVERAL)
@pytest.mark.parametrize("family", ["standard", "bcos"])
def test_steps_of_all_methods(family, name, multilabel):
    student, teacher = networks(family)
    method = method_of(name, student, teacher if METHODS[name].needs_teacher else None, lam=1.0, multilabel=multilabel)
    labels = torch.rand(4, CLASSES, device=META) if multilabel else torch.zeros(4, dtype=torch.int64, device=META)
    stays(method, labels=labels)


@pytest.mark.parametrize("options", [{"explain_part": 0.5}, {"explain_every": 2}], ids=str)
@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize("family", ["standard", "bcos"])
def test_explanations_of_less_than_all_and_from_a_frozen_teacher(family, is_frozen, options):
    student, teacher = networks(family)
    maps = torch.rand(4, 6 if family == "bcos" else 1, SIZE, SIZE, device=META)
    frozen = (torch.rand(4, CLASSES, device=META), maps) if is_frozen else None
    stays(method_of("e2kd", student, teacher, lam=1.0, **options), labels=None, frozen=frozen)


@pytest.mark.parametrize(
    ("teacher", "student"),
    [("bcos_densenet_mini", "bcos_vit_mini"), ("resnet34", "resnet18"), ("densenet169", "resnet18")],
)
def test_other_networks(teacher, student):
    method = method_of("e2kd", build_model(student, CLASSES), build_model(teacher, CLASSES), lam=1.0)
    stays(method, labels=None)


@pytest.mark.parametrize("guidance", ["energy", "l1"])
@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("family", ["standard", "bcos"])
def test_guided_teachers(family, multilabel, guidance):
    student, _ = networks(family)
    method = method_of("teacher", student, multilabel=multilabel, guidance=Guidance(guidance, 0.5))
    masks = torch.rand(4, CLASSES if multilabel else 1, SIZE, SIZE, device=META) > 0.5
    labels = torch.rand(4, CLASSES, device=META) if multilabel else torch.zeros(4, dtype=torch.int64, device=META)
    stays(method, labels=labels, masks=masks)
