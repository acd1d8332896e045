"""Guidance learns from masks, however they are stored, and not from empty ones."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import e2kd_lab as lab
from e2kd_lab.models.checkpoints import read_checkpoint
from e2kd_lab.system.errors import DataError, LabNote
from e2kd_lab.training.located_objects import object_masks, require_located_objects


@pytest.fixture
def guided(minibirds, tiny, tmp_path):
    """Trains a guided teacher on a copy of the set whose masks are changed; the weights and measures it ends with."""

    def train(name, change):
        root = tmp_path / name
        shutil.copytree(minibirds, root)
        for path in root.rglob("segmentations/**/*.png"):
            inside = np.asarray(Image.open(path)) > 127
            Image.fromarray(change(inside)).save(path)
        teacher = tiny.replace(data_root=str(root), guidance="energy", guidance_weight=1.0).teacher_experiment()
        run = lab.run(teacher, folder=tmp_path / "runs" / name, progress=False)
        return read_checkpoint(run.checkpoint())["model"], (run.folder / "metrics.csv").read_text()

    return train


def test_masks_of_0_and_1_guide_as_those_of_0_and_255_bit_for_bit(guided):
    weights, measures = guided("usual", lambda inside: inside.astype(np.uint8) * 255)
    with pytest.warns(LabNote, match="masks with 0 and 1 scaled to 0 and 255"):
        same, also = guided("ones", lambda inside: inside.astype(np.uint8))
    assert measures == also
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    losses = [line for line in measures.splitlines() if "guidance_loss" in line]
    assert losses
    assert not any(line.endswith((",0.0", ",1.0")) for line in losses)


def test_a_set_of_empty_masks_is_refused(guided):
    with pytest.raises(DataError, match=r"None of the 32 training images has a located object.*data check"):
        guided("empty", lambda inside: np.zeros(inside.shape, np.uint8))


def test_one_located_object_is_enough():
    empty, full = torch.zeros(2, 4, 4, dtype=torch.bool), torch.ones(2, 4, 4, dtype=torch.bool)
    require_located_objects([{"box_mask": empty}, {"box_mask": full}])
    require_located_objects([{"image": empty}])  # without masks, the step says so
    with pytest.raises(DataError, match="None of the 1 training images"):
        require_located_objects([{"box_mask": empty}])
    assert object_masks({"mask": torch.tensor([127, 128])}).tolist() == [False, True]


def test_a_batch_without_a_located_object_is_said(tiny):
    method = lab.methods.Baseline(tiny.build("resnet_mini"), guidance=lab.methods.Guidance("energy", 1.0))
    images, labels = torch.rand(2, 3, 32, 32), torch.tensor([0, 1])
    with pytest.warns(LabNote, match="all masks of a batch are empty, which has no effect"):
        method(images, labels, masks=torch.zeros(2, 1, 32, 32, dtype=torch.bool))
