import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset

from e2kd_lab.data.loading import StepSampler, eval_loader, steps_per_epoch, train_loader


class Noise(Dataset):
    """Samples of noise that the transform would draw."""

    def __len__(self):
        return 11

    def __getitem__(self, index):
        return {"image": torch.rand(2), "index": index}


@given(
    images=st.integers(1, 50),
    batch=st.integers(1, 20),
    seed=st.integers(0, 9),
    start=st.integers(0, 30),
    world=st.integers(1, 3),
)
def test_sampler_is_a_permutation_per_epoch_from_any_step_for_any_number_of_processes(
    images, batch, seed, start, world
):
    per_epoch = steps_per_epoch(images, batch)
    stop = start + 2 * per_epoch
    whole = list(StepSampler(images, batch, seed=seed, start=0, stop=stop))
    resumed = list(StepSampler(images, batch, seed=seed, start=start, stop=stop))
    assert resumed == whole[start:]
    epoch = [index for step in whole[:per_epoch] for _, index in step]
    assert len(set(epoch)) == len(epoch) == min(images, per_epoch * batch)
    shards = [
        list(StepSampler(images, batch, seed=seed, start=0, stop=stop, rank=r, world_size=world)) for r in range(world)
    ]
    for step, parts in zip(whole, zip(*shards, strict=True), strict=True):
        assert sorted(step) == sorted(key for part in parts for key in part)


def test_epochs_and_seeds_differ():
    def first_epoch(seed, start):
        return [index for _, index in next(iter(StepSampler(30, 30, seed=seed, start=start, stop=9)))]

    assert first_epoch(0, 0) != first_epoch(0, 1)
    assert first_epoch(0, 0) != first_epoch(1, 0)


@pytest.mark.parametrize("workers", [0, 2])
def test_augmentation_does_not_depend_on_start_or_workers(workers):
    torch.manual_seed(0)
    whole = list(train_loader(Noise(), StepSampler(11, 4, seed=3, start=0, stop=5)))
    state = torch.get_rng_state()
    resumed = list(train_loader(Noise(), StepSampler(11, 4, seed=3, start=3, stop=5), workers=workers))
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(whole[3:], resumed, strict=True):
        assert torch.equal(a["image"], b["image"])


def test_evaluation_sees_every_image_once():
    seen = [
        i for rank in range(3) for b in eval_loader(Noise(), 2, rank=rank, world_size=3) for i in b["index"].tolist()
    ]
    assert sorted(seen) == list(range(11))
