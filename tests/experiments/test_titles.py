"""What people read of an experiment: its own title and those of its settings, nowhere the program's names."""

import dataclasses
import re

import pandas as pd
import pytest
from figure_cases import results

import e2kd_lab as lab
from e2kd_lab.figures import caption
from e2kd_lab.figures.labels import title_of
from e2kd_lab.widgets.run_titles import run_title

# A name with underscores, a setting's or an experiment's name, a method's name.
IDENTIFIERS = re.compile(r"\w+_\w+|\b(base|long|reversed|iou|voc|waterbirds|imagenet|sun397|e2kd|kd|bcos)\b|\d-shots")
ALL = [(name, family) for name, families in lab.experiments._BUILDERS.items() for family in families]


def settings_of(name, family, scale="smoke"):
    base = lab.experiments.get(name, scale, family)
    return [base.with_setting(setting) for setting in base.settings(beyond=True)]


@pytest.mark.parametrize("scale", ["smoke", "lab"])
@pytest.mark.parametrize(("name", "family"), ALL)
def test_no_title_has_an_identifier(name, family, scale):
    titles = []
    for one in settings_of(name, family, scale):
        titles += [one.teacher_experiment().title, *(one.by_method(method).title for method in one.methods)]
    assert [title for title in titles if IDENTIFIERS.search(title)] == []
    students = [title for title in titles if "Teacher" not in title]
    assert len({*students}) == len(students)


def test_lines_of_a_sweep_name_experiments_by_their_titles(tiny, tmp_path):
    said = []
    lost = tiny.with_setting("long").replace(method="kd", data_root=str(tmp_path / "none"))
    lab.sweep([lost], folder=tmp_path / "runs", say=said.append, progress=False)
    assert said[0].startswith("1/1  Waterbirds (smoke): KD, τ = 1, + mixup, 5x longer, seed 0: failed: ")


def test_a_title_of_ones_own_is_that_of_figures_tables_and_panels_and_changes_no_run(tiny):
    mine = dataclasses.replace(tiny, display_name="Birds of the lake").replace(method="kd")
    assert mine.title == "Birds of the lake (smoke): KD, τ = 1, seed 0"
    assert mine == tiny.replace(method="kd")
    assert mine.run_name() == tiny.replace(method="kd").run_name()
    assert mine.teacher_experiment().run_name() == tiny.teacher_experiment().run_name()


def test_an_experiment_of_ones_own_has_its_title_everywhere(monkeypatch, tiny):
    mine = dataclasses.replace(tiny, name="lake", display_name="Birds of the lake")
    monkeypatch.setitem(lab.experiments.OWN, "lake", mine)
    rows = pd.concat([results(experiment="lake", methods=("kd",)), results(methods=("kd",))])
    assert title_of("experiment", "lake") == "Birds of the lake"
    assert "Birds of the lake" in lab.results_table(rows, select=False).to_markdown()
    assert "on Birds of the lake" in caption("all", rows)
    assert run_title(mine, beside=tiny) == "Baseline, seed 0, Birds of the lake"


def test_tables_of_settings_have_no_identifier():
    rows = pd.concat(
        [
            results(settings=("base", "mixup", "long"), methods=("kd", "e2kd"), seeds=2),
            results(experiment="voc", settings=("base", "iou"), methods=("kd", "e2kd"), seeds=2),
            results(experiment="data_free", family="bcos", settings=("base", "reversed"), methods=("kd",), seeds=2),
            results(experiment="imagenet_bcos", settings=("10-shots", "base"), methods=("kd",), seeds=2),
        ],
        ignore_index=True,
    ).assign(run=lambda table: table["experiment"] + table["run"])
    for options in ({}, {"rows": ("experiment", "setting", "method")}, {"rows": ("setting", "method")}):
        text = lab.results_table(rows, select=False, **options).to_markdown()
        assert IDENTIFIERS.search(text) is None
        for title in ("EPG teacher", "IoU teacher", "+ mixup, 5x longer", "10 shots", "all images", "ImageNet → SUN"):
            assert title in text
    one = lab.results_table(
        rows.query("experiment == 'voc'"), select=False, rows="method", columns="setting", metrics="accuracy"
    )
    assert "| Method | EPG teacher | IoU teacher |" in one.to_markdown()


def test_panels_say_the_setting_that_differs(tiny):
    assert run_title(tiny, beside=tiny.with_setting("mixup")) == "Baseline, seed 0, default setting"
    assert run_title(tiny.with_setting("mixup"), beside=tiny) == "Baseline, seed 0, + mixup"
