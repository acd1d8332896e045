import torch

import e2kd_lab as lab
from e2kd_lab.explanations import compare, compare_class, compare_shifted
from e2kd_lab.figures import comparison_table
from e2kd_lab.metrics import explanation_cosine


def networks():
    torch.manual_seed(0)
    return {name: lab.build_model("resnet_mini", num_classes=3).eval() for name in ("teacher", "kd")}


def test_a_row_per_image_and_network_says_what_was_predicted():
    models, images, labels = networks(), torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    comparison = compare(models, images, labels, titles=("LL", "LW", "WL", "WW"))
    table = comparison_table(comparison, indices=[7, 3, 11, 5], classes=["a", "b", "c"])
    assert table["image"].tolist() == [7, 7, 3, 3, 11, 11, 5, 5]
    assert table.loc[table["image"] == 7, "group"].tolist() == ["LL", "LL"]
    own = table[table["network"] == "kd"]
    expected = ["abc"[number] for number in models["kd"](models["kd"].preprocess(images)).argmax(1).tolist()]
    assert own["prediction"].tolist() == expected
    assert own["correct"].tolist() == [says == is_ for says, is_ in zip(expected, own["label"], strict=True)]
    cosines = explanation_cosine(comparison.maps["kd"], comparison.maps["teacher"])
    torch.testing.assert_close(torch.tensor(own["cosine_to_teacher"].to_numpy()), cosines.double(), atol=1e-6, rtol=0)


def test_shifted_copies_keep_their_label_and_have_their_own_prediction():
    models, labels = networks(), torch.tensor([2, 1])
    shifted = compare_shifted(models, torch.rand(2, 3, 40, 40), labels, size=32, shifts=(0, 4))
    assert shifted.labels.tolist() == [2, 2, 1, 1]
    for name in models:
        assert shifted.correct[name].tolist() == (shifted.predictions[name] == shifted.labels).tolist()


def test_where_an_image_shows_several_classes_the_label_is_the_explained_one():
    table = comparison_table(compare_class(networks(), torch.rand(2, 3, 32, 32), torch.tensor([2, 0])), classes="abc")
    assert table["label"].tolist() == ["c", "c", "a", "a"]
    assert set(table["prediction"]) == {""}
