"""Which explanation should a teacher give? One setting an explanation, one teacher for all."""

import pytest

import e2kd_lab as lab
from e2kd_lab.explanations import explanation_of
from e2kd_lab.runs.freeze import freeze
from e2kd_lab.widgets import ExplanationBrowser, SweepMap

SETTINGS = lab.experiments.get("which_explanation", "smoke").settings()
BESIDE = {"which_explanation": "waterbirds", "which_explanation_few_shots": "imagenet_standard"}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("scale", ["smoke", "lab", "paper"])
def test_a_setting_copies_its_explanation_with_the_papers_weights(name, scale):
    base = lab.experiments.get(name, scale)
    assert base.settings()[0] == "base"
    assert base.explanation is None
    for setting in base.settings()[1:]:
        asked = base.with_setting(setting)
        assert asked.explanation == setting
        assert asked.title.count("by ") == 1
        assert setting not in asked.title
        papers = lab.experiments.get(BESIDE[name], scale).grid("e2kd")
        assert [e.lam for e in asked.grid("e2kd")] == [e.lam for e in papers if e.tau == 1]
    whole = base.with_setting(base.settings()[-1])
    assert (whole.explain_part == 1) == (scale == "paper")
    assert lab.experiments.get(name, scale, "bcos").settings() == ("base",)


@pytest.mark.parametrize("family", ["standard", "bcos"])
@pytest.mark.parametrize("name", BESIDE)
def test_the_teacher_is_that_of_the_papers_experiment(name, family, workspace):
    papers = BESIDE[name] if family == "standard" else BESIDE[name].replace("standard", "bcos")
    own, other = (lab.experiments.get(one, "smoke", family).teacher_experiment() for one in (name, papers))
    assert own.run_name() == other.run_name()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("which-explanation")


@pytest.mark.parametrize("setting", SETTINGS[1:])
def test_each_explanation_is_swept_and_shown(setting, folder, workspace):
    base = lab.experiments.get("which_explanation", "smoke").with_setting(setting).replace(epochs=1)
    asked = [base.replace(method="kd"), base.replace(method="e2kd", lam=5.0)]
    swept = lab.sweep(asked, folder=folder, progress=False, say=lambda line: None)
    assert swept.failures == []
    assert [run.status for run in swept.runs] == ["done", "done"]
    measured = swept.runs[1].results().query("split == 'test' and group == 'all'").set_index("metric")["value"]
    assert -1 <= measured["explanation_cosine"] <= 1
    browser = ExplanationBrowser(asked[1], swept.runs, folder=folder, page_size=2)
    assert browser.last_error is None
    assert bytes(browser.image.value)
    sweep = SweepMap(asked[1], count=2, folder=folder)
    assert sweep.last_error is None


@pytest.mark.parametrize("setting", SETTINGS[1:])
def test_each_explanation_can_be_frozen(setting, folder, workspace):
    base = lab.experiments.get("which_explanation_few_shots", "smoke").with_setting(setting)
    live = base.replace(method="e2kd", lam=5.0, epochs=1)
    frozen = live.replace(frozen=True, frozen_root=str(folder / f"frozen-{setting}"))
    lab.run(live.teacher_experiment(), folder=folder, progress=False)
    freeze(frozen, runs=folder)
    run = lab.run(frozen, folder=folder, progress=False)
    assert run.status == "done"
    assert explanation_of(lab.load_teacher(frozen, folder=folder)).name == setting
    losses = run.metrics().query("metric == 'explanation_loss'")["value"]
    assert losses.between(0, 2).all()
