"""Own measures: right numbers, in the right rows, and no harm where they fail."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

import e2kd_lab as lab
from e2kd_lab.metrics import Predictions
from e2kd_lab.metrics.groups import GROUPS
from e2kd_lab.runs.evaluate import evaluate
from e2kd_lab.system.errors import ExperimentError, LabNote, RunError
from e2kd_lab.training import OwnMeasures
from e2kd_lab.training.logit_collector import LogitCollector
from e2kd_lab.training.metrics_file import MetricsFile, read_metrics


def ece(predictions, bins=10):
    """Expected calibration error, in [0, 1]."""
    confidence, decided = predictions.logits.softmax(1).max(1)
    right = (decided == predictions.labels).double()
    bin_of = (confidence * bins).ceil().clamp(1, bins).long() - 1
    gaps = []
    for chosen in (bin_of == number for number in bin_of.unique()):
        gaps.append(chosen.double().mean() * (right[chosen].mean() - confidence[chosen].mean()).abs())
    return sum(gaps)


def same_accuracy(predictions):
    return 100 * (predictions.logits.argmax(1) == predictions.labels).double().mean()


def same_agreement(predictions):
    return 100 * (predictions.logits.argmax(1) == predictions.teacher_logits.argmax(1)).double().mean()


def wide(rows):
    return rows.pivot_table(index=["split", "step", "group"], columns="metric", values="value")


@pytest.fixture(scope="module")
def experiment(tiny, runs):
    teacher = runs / tiny.teacher_experiment().run_name() / "last.ckpt"
    return tiny.replace(method="e2kd", lam=5.0, seed=4, teacher_weights=str(teacher))


@pytest.fixture(scope="module")
def without(experiment, tmp_path_factory):
    return lab.run(experiment, folder=tmp_path_factory.mktemp("without"), progress=False)


@pytest.fixture(scope="module")
def with_measures(experiment, tmp_path_factory):
    metrics = {"ece": ece, "same_accuracy": same_accuracy, "same_agreement": same_agreement}
    return lab.run(experiment, folder=tmp_path_factory.mktemp("with"), progress=False, metrics=metrics)


def test_they_stand_beside_the_labs_and_change_nothing_else(experiment, without, with_measures):
    rows, names = with_measures.metrics(), ["ece", "same_accuracy", "same_agreement"]
    assert with_measures.folder.name == without.folder.name
    pd.testing.assert_frame_equal(
        rows[~rows["metric"].isin(names)].reset_index(drop=True), without.metrics(), check_exact=True
    )
    table = wide(rows[rows["split"] != "train"].query("group not in ('mean', 'worst')"))
    assert len(table) == 3 * (3 + len(GROUPS))  # two validations and a test
    assert set(table.index.get_level_values("split")) == {"val", "test"}
    assert table["same_accuracy"].to_numpy() == pytest.approx(table["accuracy"].to_numpy(), abs=1e-9)
    assert table["same_agreement"].to_numpy() == pytest.approx(table["agreement"].to_numpy(), abs=1e-9)
    loaded = lab.load_runs(with_measures.folder.parent)
    assert set(names) < set(loaded["metric"])
    assert json.loads((with_measures.folder / "config.json").read_text()) == experiment.config()


def test_ece_is_that_of_torchmetrics(experiment, with_measures):
    student, dataset = with_measures.load_model(), experiment.dataset("test")
    with torch.no_grad():
        samples = [dataset[number] for number in range(len(dataset))]
        logits = student(student.preprocess(torch.stack([one["image"] for one in samples]).float() / 255))
    labels = torch.tensor([int(one["label"]) for one in samples])
    expected = multiclass_calibration_error(logits, labels, num_classes=2, n_bins=10)
    rows = with_measures.results().query("metric == 'ece' and split == 'test'").set_index("group")["value"]
    assert rows["all"] == pytest.approx(expected.item(), abs=1e-5)
    groups = torch.tensor([int(one["group"]) for one in samples])
    for number, name in enumerate(GROUPS):
        part = multiclass_calibration_error(
            logits[groups == number], labels[groups == number], num_classes=2, n_bins=10
        )
        assert rows[name] == pytest.approx(part.item(), abs=1e-5)


def test_a_finished_run_gets_what_it_lacks_and_loses_nothing(experiment, without, with_measures):
    before = without.metrics()
    again = lab.run(experiment, folder=without.folder.parent, progress=False, metrics={"ece": ece})
    after = again.metrics()
    kept = after[after["metric"] != "ece"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before, check_exact=True)
    added, measured = (wide(run.results().query("metric == 'ece'")) for run in (again, with_measures))
    pd.testing.assert_frame_equal(added, measured, check_exact=True)

    def never(predictions):
        raise AssertionError("it is known")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.run(experiment, folder=without.folder.parent, progress=False, metrics={"ece": never})
    pd.testing.assert_frame_equal(again.metrics(), after, check_exact=True)


def test_the_teacher_that_is_trained_along_has_them_too(tiny, tmp_path):
    small = tiny.replace(method="kd", epochs=1, seed=6)
    small = small.replace(teacher_recipe=small.teacher_recipe.__class__(batch_size=8, epochs=1))
    lab.run(small, folder=tmp_path, progress=False, metrics={"ece": ece})
    rows = lab.load_runs(tmp_path).query("metric == 'ece' and group == 'all'")
    assert sorted(zip(rows["method"], rows["split"], strict=True)) == [
        (method, split) for method in ("kd", "teacher") for split in ("test", "val")
    ]
    lab.run(small, folder=tmp_path, progress=False, metrics={"images": lambda p: len(p.labels)})
    later = lab.load_runs(tmp_path).query("metric == 'images' and group == 'all'")
    assert len(later) == 4


def test_a_finished_run_that_cannot_be_written_to_is_only_read(experiment, with_measures, monkeypatch):
    before = (with_measures.folder / "metrics.csv").read_bytes()

    def refuse(*_):
        raise RunError("the folder is not writable.")

    monkeypatch.setattr("e2kd_lab.training.metrics_file.write_text", refuse)
    with pytest.warns(LabNote, match="stays without images: the folder is not writable"):
        run = lab.run(
            experiment,
            folder=with_measures.folder.parent,
            progress=False,
            metrics={"images": lambda p: len(p.labels)},
        )
    assert run.status == "done"
    assert (run.folder / "metrics.csv").read_bytes() == before


def test_one_that_fails_is_said_once_and_left_out(experiment, without, tmp_path):
    dice = np.random.default_rng(0)

    def spoiling(predictions):
        torch.manual_seed(0), np.random.seed(0)  # noqa: NPY002
        predictions.logits.zero_()
        predictions.table.drop(columns="label", inplace=True)
        return 1.0

    metrics = {
        "spoiling": spoiling,
        "raising": lambda p: p.logits.no_such_thing,
        "infinite": lambda p: float("inf"),
        "worded": lambda p: "much",
        "sometimes": lambda p: float("nan") if dice.random() < 0.5 else len(p.table),
        "ece": ece,
    }
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = lab.run(experiment, folder=tmp_path, progress=False, metrics=metrics)
    rows = run.metrics()
    assert {"ece", "spoiling", "sometimes"} < set(rows["metric"])
    assert not {"raising", "infinite", "worded"} & set(rows["metric"])
    notes = [str(one.message) for one in said if one.category is LabNote]
    assert [note.split("'")[1] for note in notes] == ["raising", "infinite", "worded", "sometimes"]
    assert rows["value"].map(np.isfinite).all()
    ours = rows[rows["metric"].isin(without.metrics()["metric"]) & (rows["metric"] != "ece")].reset_index(drop=True)
    theirs = without.metrics().query("metric != 'ece'").reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [({"accuracy": ece}, "'accuracy' is a measure of the lab"), ({"my ece": ece}, "the name 'my ece'; expected"),
     ({"ece": 0.1}, "Measure 'ece' is float; expected a function"), ([ece], "'metrics' is list"),
     ({"class": ece}, "the name 'class'"), ({3: ece}, "the name '3'")],
)  # fmt: skip
def test_wrong_names_and_values_are_refused_in_a_sentence(tiny, metrics, said):
    with pytest.raises(ExperimentError, match=said):
        lab.run(tiny, metrics=metrics)


def test_images_of_several_classes(taught, tmp_path):
    experiment, finished = taught["EPG teacher"]
    folder = Path(
        shutil.copytree(finished[0].folder.parent, tmp_path / "runs")
    )  # the finished runs are other tests', too
    shapes = []

    def exact_match(predictions):
        shapes.append((predictions.logits.shape, predictions.labels.shape, len(predictions.table)))
        return 100 * ((predictions.logits >= 0) == (predictions.labels > 0)).all(1).double().mean()

    run = lab.run(
        experiment.replace(method="kd", lam=1.0),
        folder=folder,
        progress=False,
        metrics={"exact_match": exact_match},
    )
    rows = run.results().query("metric == 'exact_match'")
    table = evaluate(experiment.replace(method="kd", lam=1.0), run.load_model(), folder=run.folder.parent, device="cpu")
    right = (table["prediction"] == table["label"]).groupby(table["index"]).all()
    assert list(rows["group"]) == ["all", "all"]
    assert rows.query("split == 'test'")["value"].item() == pytest.approx(100 * right.mean())
    assert all(logits == labels and count == logits.numel() for logits, labels, count in shapes)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 5), st.booleans(), st.integers(0, 2**31 - 1)
)
def test_every_part_sees_its_images_and_their_rows(groups, batch, several, seed):
    """Batches in any order give the data set's order, and a subset keeps logits, labels and table together."""
    count, classes = len(groups), 3
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(count, generator=generator)
    collector = LogitCollector()
    for part in order.split(batch):
        logits = part[:, None] * 10 + torch.arange(classes)
        collector.add(part, logits if several else part, logits.bfloat16(), logits.double())
    index = np.repeat(np.arange(count), classes) if several else np.arange(count)
    table = pd.DataFrame({"index": index} | ({} if several else {"group": groups}))
    predictions = collector.predictions(table)
    assert predictions.logits.dtype == torch.float32
    assert torch.equal(predictions.teacher_logits[:, 0], torch.arange(count) * 10.0)
    assert (predictions.groups is None) == several
    chosen = torch.rand(count, generator=generator) < 0.5
    part = predictions.of(chosen)
    wanted = chosen.nonzero()[:, 0]
    assert torch.equal(part.labels[:, 0] // 10 if several else part.labels, wanted)
    assert list(part.table["index"].unique()) == wanted.tolist()
    if several:
        return
    sizes = OwnMeasures({"images": lambda p: len(p.labels)}).rows(predictions, "test").set_index("group")["value"]
    assert sizes["all"] == count
    assert sum(sizes.get(name, 0) for name in GROUPS) == count
    assert sizes.get("in_distribution", 0) == sum(group in (0, 3) for group in groups)


KEYS = st.tuples(st.integers(1, 3), st.sampled_from(["val", "test"]), st.sampled_from("ab"), st.sampled_from("xyz"))


@given(st.lists(st.lists(KEYS, min_size=1, max_size=5), max_size=6))
def test_adding_rows_replaces_the_same_ones_and_loses_none(tmp_path_factory, additions):
    path = tmp_path_factory.mktemp("metrics") / "metrics.csv"
    file, expected = MetricsFile(path, 9), {}
    for number, keys in enumerate(additions):
        step, split = keys[0][:2]
        pairs = sorted({(group, metric) for _, _, group, metric in keys})
        rows = pd.DataFrame(pairs, columns=["group", "metric"]).assign(value=float(number))
        file.add(step, step, split, rows)
        expected |= {(step, split, *pair): float(number) for pair in pairs}
        found = read_metrics(path)
        assert found.set_index(["step", "split", "group", "metric"])["value"].to_dict() == expected
        changes = (found[["step", "split"]] != found[["step", "split"]].shift()).any(axis=1).sum()
        assert changes == len(found[["step", "split"]].drop_duplicates())  # those of a step and split lie together


def test_predictions_are_documented_where_they_are_found():
    assert lab.metrics.Predictions is Predictions
