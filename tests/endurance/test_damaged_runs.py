"""What a fuzzer once found in a run's JSON files, one example each."""

import json

import pytest
from endurance.sound_files import READERS

from e2kd_lab.runs import Run, load_runs
from e2kd_lab.system.errors import RunError


@pytest.mark.parametrize(
    ("name", "field", "value", "says"),
    [
        ("config.json", "setting", None, r"config\.json: 'setting' is 'None'; expected a text"),
        ("config.json", "tau", ["float32"], r"config\.json: 'tau' is .*; expected a finite number"),
        ("config.json", "lam", float("nan"), r"config\.json: 'lam' is 'nan'; expected a finite number"),
        ("config.json", "seed", True, r"config\.json: 'seed' is 'True'; expected a whole number"),
        ("config.json", "select", {}, r"config\.json: 'select' is .*; expected a text"),
        ("config.json", "teacher", 5, r"config\.json: 'teacher' is '5'; expected a text, or nothing"),
        ("status.json", "status", True, r"status\.json: 'status' is 'True'; expected one of new, running"),
        ("status.json", "status", [], r"status\.json: 'status' is '\[\]'; expected one of new, running"),
    ],
)
def test_a_wrong_value_in_a_runs_files_is_named(tmp_path, name, field, value, says):
    make, _ = READERS["run"]
    path = next(path for path in make(tmp_path) if path.name == name)
    assert len(load_runs(tmp_path))
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(RunError, match=says):
        load_runs(tmp_path)


def test_an_error_that_is_no_text_is_shown_as_one(tmp_path):
    make, _ = READERS["run"]
    path = next(path for path in make(tmp_path) if path.name == "status.json")
    path.write_text(json.dumps({"status": "failed", "error": [[]]}))
    assert Run(path.parent).error == "[[]]"
