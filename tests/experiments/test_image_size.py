"""Larger and smaller pictures: one setting in every experiment."""

import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.experiments import names
from e2kd_lab.methods import Batch
from e2kd_lab.system.errors import ExperimentError


@pytest.mark.parametrize("name", names())
def test_one_setting_draws_and_trains_larger_pictures(name, workspace):
    usual = lab.experiments.get(name, "smoke")
    larger = usual.replace(image_size=48)
    assert larger.resize == 48
    for experiment in (larger.teacher_experiment(), larger):
        sample = experiment.dataset("test")[0]
        assert sample["image"].shape == (3, 48, 48)
    # The pictures are drawn larger, not enlarged; both sets can be there at once.
    native = larger.data.scene("test", 0, larger)
    assert native.draw({}).image.shape == (3, 48, 48)
    assert larger.data_fingerprint() != usual.data_fingerprint()
    assert usual.dataset("test")[0]["image"].shape == (3, 32, 32)
    student, teacher = larger.build(larger.student), larger.build(larger.teacher).eval()
    images = torch.rand(4, 3, 48, 48)
    labels = torch.randint(2, (4, larger.num_classes)).float() if larger.multilabel else torch.arange(4) % 2
    step = larger.replace(method="kd").training_step(student, teacher)
    step.step(Batch(images, labels))["loss"].backward()


def test_other_sizes_stay_as_they_are_given(minibirds):
    smoke = lab.experiments.get("waterbirds", "smoke")
    assert smoke.replace(image_size=24, resize=28).resize == 28
    assert smoke.replace(image_size=24, resize=28).minibirds.size == 32
    assert smoke.replace(image_size=64).minibirds.size == 64
    photographs = smoke.replace(data_root=str(minibirds), image_size=24)
    assert (photographs.resize, photographs.minibirds.size) == (32, 32)
    assert photographs.replace(image_size=96).resize == 128  # in proportion, because 32 would be too small


def test_training_images_are_no_scenes():
    with pytest.raises(ExperimentError, match="split 'train'; expected val or test"):
        lab.experiments.get("waterbirds", "smoke").scene("train", 0)


def test_the_usual_sizes_keep_their_folders(workspace):
    for name, folder in (("waterbirds", "minibirds"), ("voc", "minivoc")):
        for scale, ending in (("lab", ""), ("smoke", "-smoke")):
            data = lab.experiments.get(name, scale).data
            spec = getattr(data, folder)
            assert data.embedded_folder(folder, spec).name == folder + ending


def test_sizes_that_cannot_be_drawn_are_refused():
    smoke = lab.experiments.get("waterbirds", "smoke")
    with pytest.raises(
        ExperimentError, match="'image_size' is 4: MiniBirds size is 4, expected a whole number from 16"
    ):
        smoke.replace(image_size=4)
    with pytest.raises(ExperimentError, match="'image_size' is"):
        smoke.replace(image_size=None)
