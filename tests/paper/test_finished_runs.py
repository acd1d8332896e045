"""Which runs count for an experiment, which of them are chosen, and what is said about missing ones."""

import json
import shutil

import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.paper.finished_runs import EVERY, FEWEST, FinishedRuns, RequiredRuns
from e2kd_lab.runs import RESULT_COLUMNS, load_runs

BIRDS = RequiredRuns("waterbirds", "standard")


@pytest.fixture
def given(runs, tiny, tiny_bcos, tmp_path):
    """A copy of the finished runs of fixtures, and what is finished among them."""
    folder = shutil.copytree(runs, tmp_path / "runs")

    def finished(**options):
        return FinishedRuns(load_runs(folder), "smoke", folder=folder, **{"own": (tiny, tiny_bcos), **options})

    return folder, finished


def set_status(folder, pattern, status):
    for file in folder.glob(f"{pattern}/status.json"):
        file.write_text(json.dumps({"status": status}))


def results(*rows):
    """Finished runs with a validation accuracy: (experiment, its validation accuracy), ..."""
    table = [
        dict.fromkeys(RESULT_COLUMNS, "")
        | {
            **{name: getattr(experiment, name) for name in ("scale", "family", "setting", "method", "seed")},
            "lam": experiment.lam if experiment.method == "e2kd" else 0.0,
            "tau": experiment.tau,
            "run": experiment.run_name(),
            "experiment": experiment.name,
            "status": "done",
            "split": "val",
            "group": "all",
            "metric": "accuracy",
            "value": accuracy,
        }
        for experiment, accuracy in rows
    ]
    return pd.DataFrame(table, columns=RESULT_COLUMNS)


def test_the_best_temperature_and_weight_and_of_these_the_lowest_seed_are_chosen(tiny, tmp_path):
    kd, e2kd = tiny.replace(method="kd"), tiny.replace(method="e2kd")
    table = results(
        *((kd.replace(tau=1.0, seed=seed), 90.0) for seed in (0, 1)),
        *((kd.replace(tau=5.0, seed=seed), accuracy) for seed, accuracy in ((2, 99.0), (1, 89.0))),  # better on average
        (e2kd.replace(lam=1.0), 80.0),
        (e2kd.replace(lam=10.0), 70.0),
        (e2kd.replace(lam=5.0, epochs=7), 100.0),  # another recipe
    )
    there = FinishedRuns(table, "smoke", folder=tmp_path, own=[tiny])
    chosen = {method: run.folder for method, run in there.students(BIRDS).items()}
    expected = {"kd": kd.replace(tau=5.0, seed=1), "e2kd": e2kd.replace(lam=1.0)}
    assert chosen == {method: tmp_path / experiment.run_name() for method, experiment in expected.items()}
    assert there.left_out(BIRDS) == "without 1 run(s) of waterbirds (standard) with other data or another recipe"


def test_networks_are_the_teacher_and_the_needed_students(given):
    _, finished = given
    there = finished()
    networks = there.networks(BIRDS)
    assert list(networks) == ["teacher", "kd", "e2kd"]
    assert there.networks(RequiredRuns("waterbirds", "standard")) is networks  # loaded once
    assert there.has(BIRDS)
    assert there.missing(BIRDS) == ""
    assert there.left_out(BIRDS) == ""
    assert there.teacher(BIRDS).status == "done"


def test_missing_runs_are_named_by_experiment_setting_and_method(given):
    folder, finished = given
    set_status(folder, "waterbirds-smoke-kd-*", "stopped")
    set_status(folder, "waterbirds-smoke-teacher-*", "failed")
    there = finished()
    assert there.missing(BIRDS) == "waterbirds (standard, base): kd"
    assert there.missing(RequiredRuns("waterbirds", "bcos", ("e2kd",))) == "waterbirds (bcos, base): teacher"
    assert not there.has(BIRDS)
    anything = RequiredRuns("waterbirds", "standard", ("kd", "at"), (EVERY,), complete=False, networks=False)
    assert there.missing(anything) == "waterbirds (standard, base/mixup/long): kd, at"
    assert not there.has(anything)
    some = RequiredRuns("waterbirds", "standard", ("kd", "e2kd"), (EVERY,), complete=False, networks=False)
    expected = "waterbirds (standard, base): kd; waterbirds (standard, mixup/long): kd, e2kd"
    assert there.missing(some) == expected
    assert there.has(some)
    few = RequiredRuns("imagenet_bcos", "bcos", ("kd",), (FEWEST, "base"))
    assert there.missing(few) == "imagenet_bcos (bcos, 2-shots/base): kd"


def test_runs_of_other_data_do_not_count(given):
    _, finished = given
    there = finished(own=())
    table = RequiredRuns("waterbirds", "standard", ("kd", "e2kd"), complete=False, networks=False)
    for required in (BIRDS, table):
        assert not there.has(required)
        assert there.missing(required) == (
            "waterbirds (standard, base): kd, e2kd (finished ones have other data or another recipe)"
        )
    assert there.results(table).empty
    mine = finished()
    rows = mine.results(table, RequiredRuns("waterbirds", "standard"))
    assert set(rows["method"]) == {"teacher", "baseline", "kd", "e2kd"}
    assert set(rows["family"]) == {"standard"}
    assert not rows.duplicated().any()


def test_without_data_to_compare_with_all_results_count_but_no_network(runs):
    there = FinishedRuns(load_runs(runs).assign(scale="paper"), "paper", folder=runs)
    table = RequiredRuns("waterbirds", "standard", ("kd", "e2kd"), networks=False)
    assert there.has(table)
    assert there.left_out(table) == "from all runs of waterbirds (standard), whose data and recipes are not compared"
    assert set(there.results(table)["method"]) == {"teacher", "baseline", "kd", "e2kd"}
    assert not there.has(BIRDS)
    assert "other data" in there.missing(BIRDS)


def test_frozen_students_are_those_of_their_setting(tmp_path, workspace):
    frozen = lab.experiments.get("cnn_to_vit", "smoke").with_setting("frozen").replace(method="e2kd", lam=5.0)
    there = FinishedRuns(results((frozen, 1.0)), "smoke", folder=tmp_path)
    required = RequiredRuns("cnn_to_vit", "bcos", ("e2kd",), ("frozen",), networks=False)
    assert there.has(required)
    assert not there.has(RequiredRuns("cnn_to_vit", "bcos", ("e2kd",), networks=False))
    assert there.students(required)["e2kd"].folder.name == frozen.run_name()
    assert there.experiment(required).frozen


def test_the_baseline_without_the_teachers_data_is_the_one_that_learned_from_them(workspace, tmp_path):
    base = lab.experiments.get("data_free", "smoke")
    baselines = [e.by_method("baseline") for e in (base, base.with_setting("reversed"))]
    required = RequiredRuns("data_free", "bcos", ("baseline",), (EVERY,), networks=False)
    there = FinishedRuns(results(*((baseline, 1.0) for baseline in baselines)), "smoke", folder=tmp_path)
    assert there.has(required)
    assert not there.left_out(required)
