import pytest
import torch
from by_name import method_of

from e2kd_lab import build_model
from e2kd_lab.system.errors import CheckpointError
from e2kd_lab.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint


@pytest.fixture
def training():
    torch.manual_seed(0)
    method = method_of("baseline", build_model("resnet_mini", 2))
    return method, torch.optim.Adam(method.parameters())


def load(path, training):
    return load_checkpoint(path, *training, torch.device("cpu"))


def test_a_state_comes_back(tmp_path, training):
    save_checkpoint(tmp_path / "last.ckpt", TrainingState(step=3, sums={"loss": torch.tensor(2.0)}), *training)
    drawn = torch.rand(3)
    state = load(tmp_path / "last.ckpt", training)
    assert (state.step, state.sums["loss"].item()) == (3, 2.0)
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.parametrize("part", ["method", "optimizer", "state", "random"])
@pytest.mark.parametrize(
    "value", [None, [], {}, 5, "a", {"a": 1}, torch.ones(2)], ids=lambda value: type(value).__name__
)
def test_a_part_that_is_something_else_is_a_sentence(tmp_path, training, part, value):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, TrainingState(), *training)
    content = torch.load(path)
    torch.save({**content, part: value}, path)
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        load(path, training)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", "a"),
        ("step", -1),
        ("step", 1.5),
        ("best_step", None),
        ("best_accuracy", "a"),
        ("sums", [1]),
        ("sums", 5),
    ],
)
def test_a_state_that_makes_no_sense_is_a_sentence(tmp_path, training, name, value):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, TrainingState(), *training)
    content = torch.load(path)
    torch.save({**content, "state": {**content["state"], name: value}}, path)
    with pytest.raises(CheckpointError, match=r"last\.ckpt is not the state of this run"):
        load(path, training)


@pytest.mark.parametrize("value", [torch.ones(2), torch.zeros(5, dtype=torch.uint8), "a"])
def test_random_generators_that_are_none_are_a_sentence(tmp_path, training, value):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, TrainingState(), *training)
    content = torch.load(path)
    for name in ("torch", "python", "numpy"):
        torch.save({**content, "random": {**content["random"], name: value}}, path)
        with pytest.raises(CheckpointError, match=r"last\.ckpt is not the state of this run"):
            load(path, training)
