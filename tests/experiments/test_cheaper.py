"""Explanations on some steps or of some images, as a part of the experiment."""

import pytest

import e2kd_lab as lab
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training import Watcher


class StopAfter(Watcher):
    def __init__(self, steps):
        self.steps = steps

    def on_step(self, step, losses):
        self.done = step

    def should_stop(self):
        return self.done >= self.steps


def test_options_name_the_run_only_where_they_change_it(tiny):
    e2kd, kd = tiny.replace(method="e2kd", lam=5.0), tiny.replace(method="kd")
    for change in ({"explain_every": 2}, {"explain_part": 0.5}):
        assert e2kd.replace(**change).config_hash() != e2kd.config_hash()
        assert kd.replace(**change).config_hash() == kd.config_hash()
    assert not {"explain_every", "explain_part"} & set(e2kd.config())
    assert e2kd.replace(explain_every=2).config()["explain_every"] == 2
    assert "every 2 steps" in e2kd.replace(explain_every=2).title
    assert e2kd.replace(explain_part=0.5, setting="0.5 of a batch").title.count("0.5 of a batch") == 1


@pytest.mark.parametrize("change", [{"explain_every": 0}, {"explain_part": 0.0}, {"explain_part": 2.0}])
def test_refuses_what_leaves_no_explanation(tiny, change):
    with pytest.raises(ExperimentError, match=next(iter(change))):
        tiny.replace(**change)


def test_a_stopped_run_resumes_in_the_middle_of_a_period(tiny_bcos, tmp_path):
    experiment = tiny_bcos.replace(method="e2kd", lam=5.0, explain_every=4, explain_part=0.5)
    for folder in ("whole", "resumed"):
        lab.run(experiment.teacher_experiment(), folder=tmp_path / folder, progress=False)
    whole = lab.run(experiment, folder=tmp_path / "whole", progress=False)
    stopped = lab.run(experiment, folder=tmp_path / "resumed", progress=False, watchers=[StopAfter(3)])
    assert stopped.status == "stopped"
    resumed = lab.run(experiment, folder=tmp_path / "resumed", progress=False)
    assert resumed.metrics().equals(whole.metrics())
