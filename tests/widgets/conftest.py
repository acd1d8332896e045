"""Finished runs that several panels are tried with."""

import pytest

import e2kd_lab as lab


@pytest.fixture(scope="session")
def few_shots(workspace):
    """Finished few-shot runs of the smoke scale."""
    experiment = lab.experiments.get("imagenet_standard", "smoke")
    return [
        lab.run(experiment.with_setting(setting).replace(method=m, lam=5.0), folder=workspace / "shots", progress=False)
        for setting in experiment.settings()
        for m in ("kd", "e2kd")
    ]


@pytest.fixture(scope="session")
def taught(workspace):
    """By the title of a guided teacher, the experiment on images of several classes and finished runs of students."""
    base, folder = lab.experiments.get("voc", "smoke"), workspace / "voc-runs"
    return {
        title: (
            base.with_setting(setting),
            [
                lab.run(base.with_setting(setting).replace(method=m, lam=1.0), folder=folder, progress=False)
                for m in ("kd", "e2kd")
            ],
        )
        for title, setting in (("EPG teacher", "base"), ("IoU teacher", "iou"))
    }
