import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.runs import RESULT_COLUMNS, Run, find_runs, select_by_validation
from e2kd_lab.system.errors import RunError


def test_results_of_all_runs_are_one_table(runs):
    table = lab.load_runs(runs)
    assert list(table.columns) == RESULT_COLUMNS
    assert set(table["method"]) == {"teacher", "baseline", "kd", "e2kd"}
    test = table.query("split == 'test' and metric == 'accuracy' and method == 'e2kd'")
    assert set(test["group"]) >= {"all", "in_distribution", "out_of_distribution", "worst", "LL", "LW", "WL", "WW"}
    assert test["value"].between(0, 100).all()
    assert (table["status"] == "done").all()


def test_a_run_holds_what_the_house_promises(runs):
    for run in find_runs(runs):
        names = {path.name for path in run.folder.iterdir()}
        assert {"config.json", "environment.json", "metrics.csv", "last.ckpt", "best.ckpt", "status.json"} <= names
        assert not any(name.endswith(".part") for name in names)


def finished(run, value, *, teacher="teacher", **values):
    """Rows of a finished run with a validation and a test accuracy."""
    row = dict.fromkeys(RESULT_COLUMNS, "") | {"experiment": "waterbirds", "scale": "lab", "family": "standard"}
    row |= {"setting": "base", "lam": 0.0, "tau": 1.0, "status": "done", "group": "all", "metric": "accuracy"}
    row |= {"run": run, "seed": int(run.rpartition("-s")[2]), "teacher": teacher, **values}
    return [{**row, "split": "val", "value": value}, {**row, "split": "test", "value": value - 1}]


def selected(*runs):
    return select_by_validation(pd.DataFrame([row for rows in runs for row in rows], columns=RESULT_COLUMNS))


def test_selection_takes_the_best_validation_accuracy():
    chosen = selected(
        finished("kd-a-s0", 50.0, method="kd"),
        finished("kd-b-s0", 60.0, method="kd", tau=5.0),
        finished("e2kd-a-s0", 90.0, method="e2kd", lam=5.0),
        finished("e2kd-b-s0", 80.0, method="e2kd", lam=1.0),
        finished("e2kd-c-s0", 99.0, method="e2kd", lam=1.0, scale="smoke"),
        [{**row, "status": "running"} for row in finished("e2kd-d-s0", 99.0, method="e2kd", lam=2.0)],
    )
    assert set(chosen["run"]) == {"kd-b-s0", "e2kd-a-s0", "e2kd-c-s0"}
    assert list(chosen.columns) == [*RESULT_COLUMNS, "tried"]
    tried = chosen.drop_duplicates("run").set_index("run")["tried"]
    assert tried.to_dict() == {"kd-b-s0": 2, "e2kd-a-s0": 2, "e2kd-c-s0": 1}


def test_runs_of_one_temperature_but_different_recipes_are_not_mixed():
    short = [finished(f"kd-short-s{seed}", value, method="kd") for seed, value in ((0, 60.0), (1, 70.0))]
    long = [finished(f"kd-long-s{seed}", value, method="kd") for seed, value in ((0, 66.0), (10, 68.0))]
    chosen = selected(*short, *long)
    assert set(chosen["run"]) == {"kd-long-s0", "kd-long-s10"}


def test_equal_means_are_settled_by_seeds_then_by_the_smaller_values():
    thrice = [finished(f"kd-b-s{seed}", 90.1, method="kd", tau=5.0) for seed in range(3)]
    assert set(selected(finished("kd-a-s0", 90.1, method="kd"), *thrice)["run"]) == {f"kd-b-s{n}" for n in range(3)}
    pair = [finished("e2kd-x-s0", 90.0, method="e2kd", tau=5.0, lam=1.0)]
    pair.append(finished("e2kd-y-s0", 90.0, method="e2kd", tau=1.0, lam=5.0))
    assert set(selected(*pair)["run"]) == {"e2kd-y-s0"}


def test_teachers_stay_unless_they_taught_others_only():
    teachers = [finished(f"teacher-{name}-s0", 99.0, method="teacher", teacher="") for name in "abc"]
    chosen = selected(
        *teachers,
        finished("kd-a-s0", 50.0, method="kd", teacher="teacher-a-s0"),
        finished("kd-b-s0", 60.0, method="kd", teacher="teacher-b-s0"),
    )
    assert set(chosen["run"]) == {"kd-b-s0", "teacher-b-s0", "teacher-c-s0"}


def test_damaged_runs_are_named(tmp_path):
    folder = tmp_path / "waterbirds-x"
    folder.mkdir()
    (folder / "config.json").write_text("{")
    (folder / "metrics.csv").write_text("")
    with pytest.raises(RunError, match=r"config\.json cannot be read"):
        lab.load_runs(tmp_path)
    with pytest.raises(RunError, match=r"metrics\.csv"):
        Run(folder).metrics()
