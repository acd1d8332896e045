"""Evaluation of images with several classes, against straightforward loops and torchmetrics."""

import pandas as pd
import pytest
import torch
import torchmetrics

import e2kd_lab as lab
from e2kd_lab.metrics import explanation_cosine
from e2kd_lab.training import multilabel_measures, multilabel_outcomes

CLASSES = 3


class Noise(torch.utils.data.Dataset):
    """Random images with random boxes."""

    def __init__(self, count=7):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 256, (count, 3, 24, 24), generator=generator, dtype=torch.uint8)
        self.labels = torch.tensor([[1.0, 0, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1], [1, 0, 1], [0, 1, 0], [1, 1, 0]])
        self.masks = torch.rand(count, CLASSES, 24, 24, generator=generator) < 0.3

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {
            "image": self.images[index],
            "label": self.labels[index],
            "box_mask": self.masks[index] & (self.labels[index] > 0)[:, None, None],
            "index": index,
        }


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(4)  # no map is dead, and no value lies at the threshold
    pair = [lab.build_model("bcos_resnet_mini", CLASSES, logit_bias=0.0).eval() for _ in range(2)]
    return pair


def test_measures_equal_straightforward_ones(networks):
    student, teacher = networks
    data = Noise()
    table = multilabel_outcomes(student, teacher, data, batch_size=3)
    measured = multilabel_measures(table).set_index("metric")["value"]
    images = data.images.float() / 255
    ours, theirs = lab.explain(student, images), lab.explain(teacher, images)
    f1 = torchmetrics.functional.f1_score(
        (ours.logits >= 0).int(), data.labels.int(), task="multilabel", num_labels=CLASSES, average="micro"
    )
    assert measured["f1"] == pytest.approx(100 * f1.item())
    agreement = (ours.logits.argmax(1) == theirs.logits.argmax(1)).double().mean()
    assert measured["agreement"] == pytest.approx(100 * agreement.item())
    same = lab.explain(student, images, theirs.classes)
    cosine = explanation_cosine(same.maps, theirs.maps).double().mean()
    assert measured["explanation_cosine"] == pytest.approx(cosine.item(), abs=1e-6)
    epg, iou = [], []
    for number in range(len(data)):
        for label in data.labels[number].nonzero()[:, 0].tolist():
            one = images[number : number + 1]
            weights = lab.explain(student, one, torch.tensor([label])).maps
            evidence = (weights * student.preprocess(one)).sum(1)[0].double().clamp(min=0)
            mask = data.masks[number, label]
            epg.append((evidence[mask].sum() / evidence.sum()).item())
            scaled = (evidence - evidence.min()) / (evidence.max() - evidence.min())
            found = scaled > 0.05
            iou.append(((found & mask).sum() / (found | mask).sum()).item())
    assert measured["epg"] == pytest.approx(100 * sum(epg) / len(epg), rel=1e-4)
    assert measured["iou"] == pytest.approx(100 * sum(iou) / len(iou), rel=1e-4)


def test_rows_are_images_by_classes_and_batches_do_not_matter(networks):
    student, teacher = networks
    table = multilabel_outcomes(student, teacher, Noise(), batch_size=2)
    whole = multilabel_outcomes(student, teacher, Noise(), batch_size=7)
    assert len(table) == 7 * CLASSES
    assert table["epg"].notna().equals(table["label"])
    assert table.groupby("index")["teacher_top"].sum().eq(1).all()
    assert (table["prediction"] == whole["prediction"]).all()
    assert multilabel_measures(table)["value"].to_numpy() == pytest.approx(
        multilabel_measures(whole)["value"].to_numpy(), rel=1e-4
    )


def test_a_network_without_a_teacher_is_measured_alone(networks):
    measured = multilabel_measures(multilabel_outcomes(networks[0], None, Noise()))
    assert list(measured["metric"]) == ["f1", "epg", "iou"]


def test_every_class_present_is_compared_on_request(networks):
    student, teacher = networks
    data = Noise()
    table = multilabel_outcomes(student, teacher, data, batch_size=3, every_class=True)
    plain = multilabel_outcomes(student, teacher, data, batch_size=3)
    pd.testing.assert_frame_equal(table.drop(columns="class_cosine"), plain)
    images, present = data.images.float() / 255, data.labels.nonzero()
    expected = [
        explanation_cosine(*(lab.explain(net, images[[n]], torch.tensor([c])).maps for net in networks)).item()
        for n, c in present.tolist()
    ]
    assert table.loc[table["label"], "class_cosine"].tolist() == pytest.approx(expected, abs=1e-5)
    assert table.loc[~table["label"], "class_cosine"].isna().all()
    top = table[table["label"] & table["teacher_top"]]
    assert len(top)
    assert top["class_cosine"].tolist() == pytest.approx(top["explanation_cosine"].tolist(), abs=1e-5)
    assert "class_cosine" not in multilabel_outcomes(student, None, data, every_class=True)
