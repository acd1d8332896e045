"""Sweeps: what fails is reported, and the rest is trained."""

import e2kd_lab as lab


def test_an_experiment_whose_data_are_missing_does_not_end_the_sweep(tiny, tmp_path):
    tiny = tiny.replace(method="baseline", epochs=1)
    lost, lines = tiny.replace(data_root=str(tmp_path / "nowhere")), []
    swept = lab.sweep([lost, tiny], folder=tmp_path / "runs", say=lines.append, progress=False)
    assert [experiment for experiment, _ in swept.failures] == [lost]
    assert "nowhere" in swept.failures[0][1]
    assert [run.status for run in swept.runs] == ["done"]
    assert ": failed: " in lines[0]
