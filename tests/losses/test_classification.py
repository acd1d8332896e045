import json

import pytest
import torch
from golden_weights import GOLDEN
from torch.nn import functional as F

from e2kd_lab.losses import uniform_off_label_bce

CASES = json.loads((GOLDEN / "bcos_training.json").read_text())["uniform_off_bce"]


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference_programs_numbers(case):
    logits = torch.tensor(case["logits"], dtype=torch.float64)
    target = torch.tensor(case["target"])
    target = target if case["target_kind"] == "index" else target.double()
    loss = uniform_off_label_bce(logits, target, case["off_label"])
    assert loss.item() == pytest.approx(case["uniform_off_bce"], rel=1e-9)


def test_a_network_without_evidence_has_the_gradient_of_its_label_only():
    # sigmoid(-log(K - 1)) = 1/K is the off label, so that the other classes are at their minimum.
    logits = torch.full((2, 5), -torch.tensor(4.0).log().item(), dtype=torch.float64, requires_grad=True)
    uniform_off_label_bce(logits, torch.tensor([1, 3])).backward()
    assert (logits.grad.abs() > 1e-3).tolist() == F.one_hot(torch.tensor([1, 3]), 5).bool().tolist()


def test_refuses_targets_of_another_shape():
    with pytest.raises(ValueError, match=r"got \(2, 5\) and \(3,\)"):
        uniform_off_label_bce(torch.zeros(2, 5), torch.zeros(3).long())


def test_equal_weights_of_classes_change_nothing():
    logits, labels = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0, 0])
    for targets in (labels, torch.rand(6, 3, dtype=torch.float64).softmax(1)):
        plain = uniform_off_label_bce(logits, targets)
        weighted = uniform_off_label_bce(logits, targets, weight=torch.full((3,), 2.5))
        assert weighted.item() == pytest.approx(plain.item(), rel=1e-12)


def test_a_weight_of_two_counts_as_two_images():
    logits, labels = torch.randn(4, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 1])
    twice = [0, 1, 1, 2, 3, 3]
    weighted = uniform_off_label_bce(logits, labels, weight=torch.tensor([1.0, 2.0, 1.0]))
    assert weighted.item() == pytest.approx(uniform_off_label_bce(logits[twice], labels[twice]).item(), rel=1e-12)


def test_weights_leave_the_off_labels_at_their_minimum():
    logits = torch.full((2, 5), -torch.tensor(4.0).log().item(), dtype=torch.float64, requires_grad=True)
    uniform_off_label_bce(logits, torch.tensor([1, 3]), weight=torch.arange(1.0, 6.0)).backward()
    assert (logits.grad.abs() > 1e-3).tolist() == F.one_hot(torch.tensor([1, 3]), 5).bool().tolist()
