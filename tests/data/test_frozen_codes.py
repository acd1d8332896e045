"""Codes of maps: what they keep, how small they are, and that damage is noticed."""

import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from e2kd_lab.data.frozen_codes import decoded, encoded, is_code
from e2kd_lab.system.errors import DataError

SHAPE = (6, 16, 16)
FINITE = st.floats(-1e3, 1e3, width=32)


def heavy_tailed(seed=0, shape=SHAPE):
    """Most values are small, as weights of W(x) are."""
    return np.random.default_rng(seed).laplace(size=shape).astype(np.float32) ** 3


def cosine(values, code):
    return torch.nn.functional.cosine_similarity(torch.from_numpy(values).flatten(), code.flatten(), dim=0).item()


@pytest.mark.parametrize("bits", range(2, 9))
def test_values_are_rounded_to_the_nearest_step(bits):
    values = np.linspace(-3, 3, 6 * 16 * 16).reshape(SHAPE).astype(np.float32)
    read = decoded(encoded(values, f"q{bits}"), SHAPE)
    steps = 2 ** (bits - 1) - 1
    assert (read - torch.from_numpy(values) / 3).abs().max() <= 0.5 / steps + 1e-6
    assert len(read.unique()) == 2 * steps + 1
    assert read.dtype == torch.float32


@pytest.mark.parametrize("kept", ["0.9", "0.99", "0.995", "0.999"])
@pytest.mark.parametrize("seed", range(3))
def test_a_cosine_is_kept_with_few_steps(kept, seed):
    values = heavy_tailed(seed)
    read = decoded(encoded(values, f"cos{kept}"), SHAPE)
    found = cosine(values, read)
    assert float(kept) - 1e-6 <= found
    assert 1 - found > 0.5 * (1 - float(kept))  # and little more than that
    assert read.abs().max() == 1


def test_more_than_eight_bits_are_taken_where_a_cosine_needs_them():
    values = np.full(SHAPE, 0.001, np.float32)
    values[0, 0, 0] = 1  # with 8 bits, all others would be 0
    values[1:] *= np.linspace(0.5, 1.5, 16, dtype=np.float32)
    values[:, 1:] *= 3
    assert cosine(values, decoded(encoded(values, "cos0.999"), SHAPE)) >= 0.999


@given(arrays(np.float32, (2, 3, 4), elements=FINITE), st.sampled_from(["q2", "q5", "q8", "cos0.8", "cos0.999"]))
def test_every_map_has_a_code(values, code):
    read = decoded(encoded(values, code), (2, 3, 4))
    assert read.shape == (2, 3, 4)
    assert read.abs().max() == (1 if np.abs(values).max() > 0 else 0)
    if code == "cos0.999" and np.abs(values).max() > 1e-15:
        assert cosine(values.astype(np.float64), read.double()) > 0.999 - 1e-5


def test_sizes_follow_the_code():
    values = heavy_tailed(shape=(6, 64, 64))
    sizes = [len(encoded(values, code)) for code in ("q2", "q3", "q4", "q5", "q6", "q7", "q8")]
    assert sizes == sorted(sizes)
    assert sizes[-1] < values.size
    assert len(encoded(values, "cos0.9")) < len(encoded(values, "cos0.99"))


@pytest.mark.parametrize("name", ["", "q", "q1", "q9", "q06", "Q6", "cos", "cos0.7", "cos1", "cos0.9999", "cos0.990"])
def test_other_names_are_no_codes(name):
    assert not is_code(name)


@pytest.mark.parametrize(
    "code",
    [b"", b"noise", zlib.compress(b"x"), zlib.compress(bytes(10**7)), encoded(heavy_tailed(), "q6")[:-20]],
    ids=["empty", "noise", "short", "endless", "cut"],
)
def test_damage_is_named(code):
    with pytest.raises(DataError, match="A code of a map"):
        decoded(code, SHAPE)
