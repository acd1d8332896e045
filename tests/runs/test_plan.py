"""Plans: teachers first, what costs the same measured once, and estimates kept beside runs."""

from dataclasses import replace

import pytest
from cost_cases import COST

import e2kd_lab as lab
from e2kd_lab.runs import Run, find_runs
from e2kd_lab.runs import plan as planning
from e2kd_lab.runs.plan import ESTIMATE, estimated_seconds, plan, planned_table

CPU = lab.Hardware(device="cpu")


@pytest.fixture
def measured(monkeypatch):
    """Titles of experiments whose cost was measured."""
    titles = []

    def cost(experiment, **options):
        titles.append(experiment.title)
        return replace(COST, steps=len(titles))

    monkeypatch.setattr(planning, "measure_cost", cost)
    return titles


def test_seed_weight_and_temperature_cost_nothing(tiny, measured, tmp_path):
    e2kd = tiny.replace(method="e2kd", lam=1.0)
    wanted = [e2kd, e2kd.replace(lam=5.0), e2kd.replace(tau=5.0, seed=3), e2kd.replace(explain_part=0.5)]
    planned = plan(wanted, folder=tmp_path)
    assert len(measured) == 3  # the teacher, e2KD, and e2KD of half of a batch
    assert [one.experiment.method for one in planned] == ["teacher", *["e2kd"] * 4]
    assert [one.cost.steps for one in planned] == [1, 2, 2, 2, 3]
    table = planned_table(planned)
    assert table["seconds"].tolist() == [one.cost.seconds for one in planned]
    assert table["run"].tolist() == [one.experiment.run_name() for one in planned]


def test_a_b_cosified_teacher_comes_after_its_ordinary_network(workspace, measured, tmp_path):
    wanted = lab.experiments.get("waterbirds", "smoke", "bcos").with_setting("bcosified").replace(method="kd")
    networks = [one.experiment.network for one in plan([wanted], folder=tmp_path)]
    assert networks == ["resnet_mini", "bcosified/resnet_mini", "bcos_resnet_mini"]


def test_an_estimate_is_kept_and_compared_with_what_the_run_took(tiny, measured, tmp_path):
    baseline = tiny.replace(method="baseline", epochs=1)
    plan([baseline], folder=tmp_path)
    here = Run(tmp_path / baseline.run_name())
    assert estimated_seconds(here) == pytest.approx(COST.start_seconds + 0.6 * 2 + COST.evaluation_seconds)
    assert here.status == "new"
    assert not find_runs(tmp_path)
    run = lab.run(baseline, folder=tmp_path, progress=False, hardware=CPU)
    _, planned = plan([baseline], folder=tmp_path)
    assert planned.status == "done"
    assert planned.took == run.seconds > 0
    assert planned.estimated == estimated_seconds(here)
    assert "estimated" in planned_table([planned])


def test_a_run_that_was_interrupted_has_no_time(tiny, tmp_path):
    class StopAtOnce(lab.Watcher):
        def should_stop(self):
            return True

    teacher = tiny.replace(method="teacher")
    stopped = lab.run(teacher, folder=tmp_path, progress=False, watchers=[StopAtOnce()], hardware=CPU)
    assert (stopped.status, stopped.seconds) == ("stopped", None)
    done = lab.run(teacher, folder=tmp_path, progress=False, hardware=CPU)
    assert (done.status, done.seconds) == ("done", None)


def test_a_damaged_estimate_is_none(tmp_path):
    for content in ("{", "[]", '{"seconds": null}', "{}"):
        (tmp_path / ESTIMATE).write_text(content)
        assert estimated_seconds(Run(tmp_path)) is None


def test_runs_without_data_have_no_folder(workspace, measured, monkeypatch, tmp_path):
    monkeypatch.setattr(planning, "measure_cost", lambda experiment, **options: replace(COST, is_drawn=True))
    planned = plan([lab.experiments.get("voc", "paper").replace(method="kd")], folder=tmp_path)
    assert [one.run for one in planned] == [None, None]
    assert not list(tmp_path.iterdir())
