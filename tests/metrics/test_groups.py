import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_accuracy

from e2kd_lab.metrics import Grouping, group_accuracy, group_means
from e2kd_lab.metrics.groups import GROUPS


def test_counts_by_hand():
    #            LL LL LW WL WL WL WW
    groups = torch.tensor([0, 0, 1, 2, 2, 2, 3])
    predictions = torch.tensor([0, 1, 0, 1, 0, 0, 1])
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    result = group_accuracy(predictions, labels, groups)
    assert result["all"] == pytest.approx(4 / 7)
    assert [result[name] for name in GROUPS] == pytest.approx([1 / 2, 1, 1 / 3, 1])
    assert result["in_distribution"] == pytest.approx(2 / 3)  # LL LL WW
    assert result["out_of_distribution"] == pytest.approx(2 / 4)  # LW WL WL WL
    assert result["worst"] == pytest.approx(1 / 3)
    assert result["mean"] == pytest.approx((1 / 2 + 1 + 1 / 3 + 1) / 4)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-1, 1)), min_size=1, max_size=60))
def test_parts_make_up_the_whole(pairs):
    groups = torch.tensor([group for group, _ in pairs])
    values = torch.tensor([value for _, value in pairs], dtype=torch.float64)
    result = group_means(values, groups)
    parts = [result[name] * (groups == number).sum().item() for number, name in enumerate(GROUPS) if name in result]
    assert sum(parts) / len(pairs) == pytest.approx(result["all"], abs=1e-9)
    assert result["worst"] <= result["mean"] + 1e-12
    assert result["worst"] <= result["all"] + 1e-12


def test_data_without_groups_have_one_number():
    assert group_means(torch.tensor([1.0, 0.0])) == {"all": 0.5}


def test_refuses_what_is_no_group():
    with pytest.raises(ValueError, match=r"0\.\.3"):
        group_means(torch.ones(2), torch.tensor([0, 4]))
    with pytest.raises(ValueError, match="at least one"):
        group_means(torch.ones(0))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_groups_of_any_names_make_up_the_whole(pairs):
    names = ("sea", "sand", "None", "wet rock", "snow")
    groups = torch.tensor([group for group, _ in pairs])
    values = torch.tensor([value for _, value in pairs], dtype=torch.float64)
    result = group_means(values, groups, Grouping(names, {"shore": ("sea", "sand")}))
    parts = {name: result[name] for name in names if name in result}
    assert set(parts) == {names[group] for group, _ in pairs}
    sizes = torch.bincount(groups, minlength=5).tolist()
    whole = sum(mean * sizes[names.index(name)] for name, mean in parts.items())
    assert whole / len(pairs) == pytest.approx(result["all"], abs=1e-9)
    assert result["mean"] == pytest.approx(sum(parts.values()) / len(parts))
    assert result["worst"] == min(parts.values())
    shore = [value for group, value in pairs if group < 2]
    assert result.get("shore") == (pytest.approx(sum(shore) / len(shore)) if shore else None)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_with_labels_as_groups_the_mean_is_the_balanced_accuracy(pairs):
    pairs += [
        (0, label) for label in range(4)
    ]  # torchmetrics counts classes without images, too, if they are predicted
    predictions, labels = (torch.tensor(values) for values in zip(*pairs, strict=True))
    result = group_accuracy(predictions, labels, labels, Grouping(("a", "b", "c", "d")))
    expected = multiclass_accuracy(predictions, labels, num_classes=4, average="macro")
    assert result["mean"] == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "worst"), ("all", "b"), ("a", "both")])
def test_names_that_would_hide_another_number_are_refused(names):
    with pytest.raises(ValueError, match="expected unique names"):
        Grouping(names, {"both": ("a", "b")})
