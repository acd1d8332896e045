import e2kd_lab as lab
from e2kd_lab.runs import Run
from e2kd_lab.runs.examples import explained_examples, networks_of


def test_examples_come_from_different_classes(few_shots, workspace):
    experiment = lab.experiments.get("imagenet_standard", "smoke").with_setting("2-shots")
    comparison = explained_examples(experiment, few_shots[:2], count=5, folder=workspace / "shots")
    assert len(set(comparison.titles)) == 5
    assert list(comparison.maps) == ["teacher", "kd", "e2kd"]
    more = explained_examples(experiment, few_shots[:2], count=30, folder=workspace / "shots")
    assert len(more) == 30
    assert len(set(more.titles)) == 20


def test_students_of_other_runs_are_explained_as_the_experiment_says(runs, tiny):
    students = [Run(runs / tiny.replace(method=method, lam=5.0).run_name()) for method in ("kd", "e2kd")]
    networks = networks_of(tiny.replace(explanation="layercam"), students, runs)
    assert {name: network.explanation for name, network in networks.items()} == dict.fromkeys(networks, "layercam")
    assert {network.explanation for network in networks_of(tiny, students, runs).values()} == {"gradcam"}
