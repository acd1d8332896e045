import e2kd_lab as lab
from e2kd_lab.runs.examples import explained_examples


def test_examples_come_from_different_classes(few_shots, workspace):
    experiment = lab.experiments.get("imagenet_standard", "smoke").with_setting("2-shots")
    comparison = explained_examples(experiment, few_shots[:2], count=5, folder=workspace / "shots")
    assert len(set(comparison.titles)) == 5
    assert list(comparison.maps) == ["teacher", "kd", "e2kd"]
    more = explained_examples(experiment, few_shots[:2], count=30, folder=workspace / "shots")
    assert len(more) == 30
    assert len(set(more.titles)) == 20
