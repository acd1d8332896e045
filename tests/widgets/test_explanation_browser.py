"""One browser for explanations: of groups, of classes, of several classes an image, of several teachers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.explanations import compare
from e2kd_lab.figures import FigureOptions
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import evaluate
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training import measures
from e2kd_lab.widgets import ExplanationBrowser

PNG = b"\x89PNG"


@pytest.fixture
def runs(runs, tmp_path):
    """A copy of the finished runs: what is said about single images is written into them."""
    return Path(shutil.copytree(runs, tmp_path / "runs"))


@pytest.fixture
def birds(tiny, tiny_bcos, runs):
    """Students of both families."""
    return [Run(runs / e.replace(method=m, lam=5.0).run_name()) for e in (tiny, tiny_bcos) for m in ("kd", "e2kd")]


@pytest.fixture
def objects(taught, workspace, tmp_path):
    """The students of guided teachers, copied, and their folder."""
    folder = Path(shutil.copytree(workspace / "voc-runs", tmp_path / "voc-runs"))
    return {
        title: (experiment, [Run(folder / run.folder.name) for run in runs])
        for title, (experiment, runs) in taught.items()
    }, folder


def said(panel, student):
    """What the student says about what is selected, in order."""
    keys = ["index", "class"] if "class" in panel.shown.outcomes[student] else ["index"]
    rows = panel.selected.rename(columns={"part": "class"})[keys]
    return rows.merge(panel.shown.outcomes[student], how="left", on=keys)


def test_filters_pages_and_export(tiny, runs, tmp_path):
    students = [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("baseline", "kd", "e2kd")]
    panel = ExplanationBrowser(tiny, students, folder=runs, page_size=4, export_folder=tmp_path / "exports")
    first = bytes(panel.image.value)
    assert first.startswith(PNG)
    assert len(panel.selected) == 8
    panel.page.value = 2
    assert bytes(panel.image.value) != first
    panel.group.value = 1
    assert panel.page.value == 1
    assert (said(panel, "kd")["group"] == 1).all()
    panel.group.value, panel.relation.value = -1, "disagrees with teacher"
    table = panel.shown.outcomes["e2kd"]
    differs = table["prediction"] != table["teacher_prediction"]
    assert set(panel.selected["index"]) == set(table.loc[differs, "index"])
    panel.relation.value, panel.order.value = "all", "lowest cosine first"
    assert said(panel, "e2kd")["explanation_cosine"].is_monotonic_increasing
    panel.export_button.click()
    stems = {(p.stem, p.suffix) for p in (tmp_path / "exports").iterdir()}
    suffixes = (".pdf", ".svg", ".png", ".csv")
    assert stems == {("explanations_standard_all_e2kd_lowest_cosine_first_1", suffix) for suffix in suffixes}
    for relation in ("correct", "incorrect"):
        panel.relation.value = relation
        panel.export_button.click()
    assert len(list((tmp_path / "exports").iterdir())) == 3 * len(suffixes)
    before = bytes(panel.image.value)
    panel.outlines.value = True  # MiniBirds has masks
    assert bytes(panel.image.value) != before
    assert panel.last_error is None


def test_one_choice_is_one_drawing(tiny, tiny_bcos, runs, birds, monkeypatch):
    panel = ExplanationBrowser([tiny, tiny_bcos], birds, folder=runs, page_size=2)
    panel.page.value = 4
    drawn = []
    show = panel.show
    monkeypatch.setattr(panel, "show", lambda *values: (drawn.append(panel.page.value), show(*values)))
    panel.group.value = 1  # fewer pages
    assert (drawn, panel.page.max) == ([1], 1)
    panel.student.value = "kd"
    panel.networks.value = "B-cos"
    assert len(drawn) == 3
    assert panel.student.value == "kd"  # stays
    assert panel.last_error is None


def test_what_networks_say_about_each_image_is_computed_once(tiny, runs, monkeypatch):
    students = [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("kd", "e2kd")]
    first = ExplanationBrowser(tiny, students, folder=runs).shown.outcomes
    assert all((run.folder / "outcomes-test.csv").is_file() for run in students)
    monkeypatch.setattr("e2kd_lab.runs.evaluate.evaluate", None)
    again = ExplanationBrowser(tiny, students, folder=runs)
    assert again.last_error is None
    for method, table in first.items():
        pd.testing.assert_frame_equal(again.shown.outcomes[method], table)
    measured = measures(first["e2kd"]).query("group == 'all'").set_index("metric")["value"]
    known = students[1].results().query("split == 'test' and group == 'all'").set_index("metric")["value"]
    assert measured.to_dict() == pytest.approx(known.to_dict(), rel=1e-5)


def test_a_page_is_explained_once(tiny, runs, birds, monkeypatch):
    panel = ExplanationBrowser(tiny, birds[:2], folder=runs, page_size=4)
    first, table = bytes(panel.image.value), panel.data
    panel.page.value = 2
    monkeypatch.setattr("e2kd_lab.widgets.explanation_browser.compare", None)  # an error, if it were called
    panel.page.value = 1
    panel.outlines.value = True
    panel.figure_options = FigureOptions(images_per_row=1)
    assert bytes(panel.image.value) != first
    panel.outlines.value, panel.figure_options = False, FigureOptions()
    assert bytes(panel.image.value) == first
    pd.testing.assert_frame_equal(panel.data, table)
    assert panel.last_error is None
    panel.group.value = 1
    assert isinstance(panel.last_error, TypeError)


def test_the_table_says_what_the_page_shows(tiny, runs, birds, tmp_path):
    panel = ExplanationBrowser(tiny, birds[:2], folder=runs, page_size=2, export_folder=tmp_path)
    panel.group.value, panel.order.value = 1, "lowest cosine first"
    panel.export_button.click()
    (table,) = map(pd.read_csv, tmp_path.glob("*.csv"))
    known = panel.shown.outcomes["e2kd"].set_index("index").loc[panel.selected["index"][:2]]
    students = table.query("network == 'e2kd'")
    assert list(table["network"]) == ["teacher", "kd", "e2kd"] * 2
    assert list(students["image"]) == list(known.index)
    assert list(students["cosine_to_teacher"]) == pytest.approx(list(known["explanation_cosine"]), abs=1e-4)
    assert list(students["prediction"]) == [tiny.classes()[number] for number in known["prediction"]]
    assert set(table["group"]) == {"landbird on water"}


def test_runs_to_show_are_chosen_from_a_list_of_all_that_can_be_compared(tiny, tiny_bcos, runs, birds, monkeypatch):
    weights = [lab.run(tiny.replace(method="e2kd", lam=lam, seed=1), folder=runs, progress=False) for lam in (5.0, 9.0)]
    few = lab.run(tiny.replace(method="at", epochs=1), folder=runs, progress=False)
    panel = ExplanationBrowser([tiny, tiny_bcos], birds, folder=runs, page_size=2)
    assert panel.runs.value == tuple(run.folder.name for run in birds[:2])
    own = {config.parent.name for config in runs.glob("*/config.json") if "teacher" not in config.parent.name}
    bcos = {run.folder.name for run in birds[2:]} | {tiny_bcos.replace(method="baseline").run_name()}
    assert set(panel.runs.titles) == own - bcos
    first, looked_at = bytes(panel.image.value), []
    monkeypatch.setattr(
        "e2kd_lab.widgets.explanation_browser.compare",
        lambda models, *others: (looked_at.append(list(models)), compare(models, *others))[1],
    )
    panel.page.value = 2
    panel.runs.value = tuple(run.folder.name for run in (birds[0], birds[1], *weights, few))
    assert panel.page.value == 2  # stays
    names = ["teacher", "kd", "e²KD, λ = 5, seed 0", "at", "e²KD, λ = 5, seed 1", "e²KD, λ = 9, seed 1"]
    assert list(dict.fromkeys(panel.data["network"])) == names == looked_at[-1]
    assert [name for _, name in panel.student.options] == names[1:]
    panel.student.value, panel.order.value = names[5], "lowest cosine first"
    known = panel.shown.outcomes[names[5]].set_index("index")["explanation_cosine"]
    assert known[panel.selected["index"]].is_monotonic_increasing
    panel.runs.clear_button.click()
    assert "No run is chosen" in panel.message.value
    assert panel.exports() == {}
    seen = len(looked_at)
    panel.runs.value = tuple(run.folder.name for run in birds[:2])
    panel.page.value, panel.order.value = 1, panel.order.options[0]
    assert bytes(panel.image.value) == first
    assert len(looked_at) <= seen + 1  # what was seen is not computed again
    panel.networks.value = "B-cos"
    assert set(panel.runs.titles) == bcos
    assert panel.last_error is None


def test_a_run_of_other_data_keeps_its_predictions(tiny, runs, birds):
    """What is computed beside another experiment's teacher or images is not written into the run's folder."""
    other = lab.run(tiny.replace(method="kd", batch_size=4), folder=runs, progress=False)
    config = json.loads((other.folder / "config.json").read_text())
    (other.folder / "config.json").write_text(json.dumps({**config, "data": "sha256:other"}))
    (other.folder / "outcomes-test.csv").write_text("its own\n")
    panel = ExplanationBrowser(tiny, birds[:2], folder=runs, page_size=2)
    panel.runs.value = (*panel.runs.value, other.folder.name)
    assert panel.last_error is None
    assert len(panel.shown.outcomes) == 3
    assert (other.folder / "outcomes-test.csv").read_text() == "its own\n"


def test_families_and_views_are_switched(tiny, tiny_bcos, runs, birds):
    panel = ExplanationBrowser([tiny, tiny_bcos], birds, folder=runs, page_size=4)
    assert panel.networks.options == ("Standard", "B-cos")
    pictures = [bytes(panel.image.value)]
    assert [label for label, _ in panel.view.options] == ["GradCAM"]  # it has one view
    panel.networks.value = "B-cos"
    assert panel.shown.models["e2kd"].explanation == "bcos"
    pictures.append(bytes(panel.image.value))
    assert [label for label, _ in panel.view.options] == ["W(x)", "Contributions"]
    panel.view.value = True
    pictures.append(bytes(panel.image.value))
    assert len(set(pictures)) == 3
    assert set(panel.data["networks"]) == {"B-cos"}
    panel.networks.value = "Standard"
    panel.networks.value = "B-cos"
    assert panel.view.value is True  # stays
    assert panel.last_error is None


def test_titles_name_any_sets_of_networks(tiny, runs):
    students = {m: Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("baseline", "kd", "e2kd")}
    sets = {"by labels": (tiny, [students["baseline"]]), "by a teacher": (tiny, [students["kd"], students["e2kd"]])}
    panel = ExplanationBrowser(sets, folder=runs, page_size=4)
    assert list(panel.shown.models) == ["teacher", "baseline"]
    panel.networks.value = "by a teacher"
    assert list(panel.shown.models) == ["teacher", "kd", "e2kd"]
    assert [name for _, name in panel.student.options] == ["kd", "e2kd"]
    assert panel.export_name == "explanations_by_a_teacher_all_1"
    assert panel.last_error is None


def test_classes_are_shown_where_there_are_no_groups(few_shots, workspace):
    experiment = lab.experiments.get("imagenet_standard", "smoke").with_setting("2-shots")
    panel = ExplanationBrowser(experiment, few_shots[:2], folder=workspace / "shots", page_size=4)
    assert panel.group.description == "Class"
    assert len(panel.group.options) == 21
    assert list(panel.data.query("network == 'kd'")["label"]) == list(experiment.classes()[:4])
    panel.group.value = 3
    assert set(panel.data["label"]) == {experiment.classes()[3]}
    assert panel.last_error is None


def test_each_class_of_an_image_is_looked_at_by_itself(objects, tmp_path):
    sets, folder = objects
    panel = ExplanationBrowser(sets, folder=folder, page_size=3, export_folder=tmp_path / "exports")
    classes = sets["EPG teacher"][0].classes()
    assert panel.networks.options == ("EPG teacher", "IoU teacher")
    shown = panel.data.query("network == 'e2kd'")
    assert shown["label"].nunique() == 3  # one of each class
    pictures = [bytes(panel.image.value)]
    panel.networks.value = "IoU teacher"
    pictures.append(bytes(panel.image.value))
    panel.view.value = False
    pictures.append(bytes(panel.image.value))
    panel.outlines.value = False
    pictures.append(bytes(panel.image.value))
    panel.group.value = 2
    assert set(panel.data["label"]) == {classes[2]}
    pictures.append(bytes(panel.image.value))
    assert len(set(pictures)) == 5
    panel.export_button.click()
    assert len(list((tmp_path / "exports").glob(f"explanations_iou_teacher_{classes[2]}_1.*"))) == 4
    assert panel.last_error is None


@pytest.mark.parametrize("relation", ["agrees with teacher", "disagrees with teacher", "correct", "incorrect"])
def test_filters_are_about_the_class_that_is_explained(objects, relation):
    sets, folder = objects
    experiment, (run, _) = sets["EPG teacher"]
    table = evaluate(experiment, run.load_model(), folder=folder)
    decided = np.random.default_rng(0).random((2, len(table))) < 0.5  # networks that train for a second find nothing
    table = table.assign(prediction=decided[0], teacher_prediction=decided[1])
    table.to_csv(run.folder / "outcomes-test.csv", index=False)
    panel = ExplanationBrowser(experiment, [run], folder=folder)
    panel.relation.value = relation
    alike = table["prediction"] == table["teacher_prediction" if "teacher" in relation else "label"]
    wanted = table[table["label"] & (~alike if relation.startswith(("dis", "in")) else alike)]
    assert len(wanted) > 3
    views = set(panel.selected[["index", "part"]].itertuples(index=False, name=None))
    assert views == set(wanted[["index", "class"]].itertuples(index=False, name=None))
    panel.relation.value, panel.order.value = "all", "highest cosine first"
    assert said(panel, "kd")["class_cosine"].is_monotonic_decreasing
    assert panel.last_error is None


def test_tables_of_earlier_versions_are_computed_anew(objects):
    sets, folder = objects
    experiment, (run, _) = sets["EPG teacher"]
    whole = evaluate(experiment, run.load_model(), folder=folder)
    whole.drop(columns="class_cosine").to_csv(run.folder / "outcomes-test.csv", index=False)
    panel = ExplanationBrowser(experiment, [run], folder=folder)
    pd.testing.assert_frame_equal(panel.shown.outcomes["kd"], whole, check_dtype=False)
    assert "class_cosine" in pd.read_csv(run.folder / "outcomes-test.csv")
    assert panel.last_error is None


def test_sets_that_do_not_fit_are_refused(tiny, runs, birds, objects):
    sets, folder = objects
    with pytest.raises(ExperimentError, match="'B-cos' has no runs of students of 'voc'"):
        ExplanationBrowser(sets["EPG teacher"][0], [], folder=folder)
    with pytest.raises(ExperimentError, match=r"'Standard' has the run waterbirds-smoke-kd-\S+ twice"):
        ExplanationBrowser(tiny, [*birds[:2], birds[0]], folder=runs)
    with pytest.raises(ExperimentError, match="beside a mapping"):
        ExplanationBrowser(sets, birds, folder=folder)
    with pytest.raises(ExperimentError, match="families of networks are standard, standard; expected one"):
        ExplanationBrowser([tiny, tiny.replace(epochs=3)], birds, folder=runs)
    with pytest.raises(ExperimentError, match="of birds, objects have different classes"):
        ExplanationBrowser({"birds": (tiny, birds[:2]), "objects": sets["EPG teacher"]}, folder=runs)
    with pytest.raises(ExperimentError, match="No experiment was given"):
        ExplanationBrowser([])
