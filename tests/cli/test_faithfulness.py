"""``e2kd-lab evaluate --faithfulness``: a table, and columns in the results of the run."""

import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

import e2kd_lab as lab
from e2kd_lab.cli.commands import app

MEASURES = {
    "insertion", "deletion", "insertion_minus_deletion", "deletion_least_first", "infidelity", "sensitivity",
    "randomised_cosine", "randomised_rank_correlation",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")
def test_measures_are_printed_and_kept(runs, tiny, tmp_path):
    experiments = [tiny.replace(method="e2kd", lam=5.0), tiny.teacher_experiment()]
    student, _ = (tmp_path / experiment.run_name() for experiment in experiments)
    for experiment in experiments:
        shutil.copytree(runs / experiment.run_name(), tmp_path / experiment.run_name())
    before = lab.Run(student).metrics()
    arguments = ["evaluate", str(student), "--data-root", str(tiny.data_root), "--faithfulness", "--images", "6"]
    outputs = [CliRunner().invoke(app, arguments, env={"COLUMNS": "120"}, catch_exceptions=False).output for _ in "12"]
    assert outputs[0] == outputs[1]
    for title in ("Insertion", "Deletion, least first", "Infidelity", "Rank correlation after randomisation"):
        assert title in outputs[0]
    after = lab.Run(student).metrics()
    added = after.merge(before, how="left", indicator=True).query("_merge == 'left_only'")
    assert set(added["metric"]) == {*MEASURES, "faithfulness_images"}
    assert added.loc[added["metric"] == "faithfulness_images", "value"].tolist() == [6]
    assert not added.duplicated(["group", "metric"]).any()  # once, although measured twice
    assert {"all", "in_distribution", "out_of_distribution"} <= set(added["group"])
    assert set(added["split"]) == {"test"}
    pd.testing.assert_frame_equal(after.merge(before), before)
    listed = CliRunner().invoke(app, ["results", "--runs", str(tmp_path)], env={"COLUMNS": "300"}).output
    assert "ins. - del." in listed
