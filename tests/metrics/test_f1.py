import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multilabel_f1_score

from e2kd_lab.metrics import multilabel_f1


@given(images=st.integers(1, 20), classes=st.integers(2, 8), shift=st.floats(-3, 3), seed=st.integers(0, 99))
def test_equals_torchmetrics(images, classes, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=generator) + shift
    labels = torch.rand(images, classes, generator=generator) < 0.3
    expected = multilabel_f1_score(logits.sigmoid(), labels.long(), classes, average="micro").item()
    assert multilabel_f1(logits, labels) == pytest.approx(expected, abs=1e-6)
    assert multilabel_f1(logits, labels.float()) == multilabel_f1(logits, labels)


def test_counts_by_hand():
    logits = torch.tensor([[2.0, -1.0, 0.0], [-3.0, 0.5, -0.1]])  # 0 counts as predicted
    labels = torch.tensor([[1, 1, 1], [0, 0, 0]])
    assert multilabel_f1(logits, labels) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_is_zero_where_there_is_nothing_to_find():
    assert multilabel_f1(-torch.ones(2, 3), torch.zeros(2, 3)) == 0


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(2, 4\)"):
        multilabel_f1(torch.zeros(2, 3), torch.zeros(2, 4))
