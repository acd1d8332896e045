"""Edits of pictures."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.data.edits import BLURRED, GREY, NOTHING, Edits, background_of, covered, moved
from e2kd_lab.data.scenes import Amount, Drawn

PICTURE = torch.rand(3, 12, 16, generator=torch.Generator().manual_seed(0))
MASK = torch.zeros(1, 12, 16)
MASK[0, 4:8, 5:10] = 1


@given(right=st.integers(-5, 5), down=st.integers(-5, 5))
def test_whole_pixels_are_moved_exactly(right: int, down: int) -> None:
    rolled = torch.roll(PICTURE, (down, right), (1, 2))
    inside = (slice(None), slice(max(down, 0), 12 + min(down, 0)), slice(max(right, 0), 16 + min(right, 0)))
    torch.testing.assert_close(moved(PICTURE, right, down)[inside], rolled[inside], atol=1e-5, rtol=0)


def test_the_middle_stays_when_a_picture_is_scaled() -> None:
    picture = torch.zeros(1, 9, 9)
    picture[0, 4, 4] = 1
    assert moved(picture, 0, 0, 2.0)[0, 4, 4] == 1
    assert moved(picture, 0, 0, 2.0).sum() > 2 * picture.sum()
    assert moved(picture, 0, 0, 0.5).sum() < picture.sum() + 1e-6


@pytest.mark.parametrize("how", [BLURRED, GREY])
def test_only_the_box_is_covered(how: str) -> None:
    result = covered(PICTURE, (25, 75), (50, 100), how)  # type: ignore[arg-type]
    changed = (result != PICTURE).any(0)
    assert changed[6:, 4:12].all()
    changed[6:, 4:12] = False
    assert not changed.any()


def test_nothing_covers_nothing() -> None:
    assert covered(PICTURE, (0, 100), (0, 100), NOTHING) is PICTURE


def test_the_object_is_filled_with_what_is_around_it() -> None:
    image = torch.full((3, 12, 16), 0.25)
    filled = background_of(torch.where(MASK.bool(), 1.0, image), MASK)
    torch.testing.assert_close(filled, image)
    assert background_of(PICTURE, None) is PICTURE
    everywhere = background_of(PICTURE, torch.ones(1, 12, 16))
    torch.testing.assert_close(everywhere, PICTURE.mean((1, 2), keepdim=True).expand_as(PICTURE))


def test_the_other_background_is_behind_the_object() -> None:
    other = Drawn(torch.full((3, 12, 16), 0.5))
    edits = Edits((12, 16), has_mask=True, other=other)
    result = edits.apply(Drawn(PICTURE, MASK), {"background": 100.0})
    assert torch.equal(result[:, MASK[0] == 1], PICTURE[:, MASK[0] == 1])
    assert (result[:, MASK[0] == 0] == 0.5).all()
    half = edits.apply(Drawn(PICTURE, MASK), {"background": 50.0})
    torch.testing.assert_close(half, (result + PICTURE) / 2)
    assert torch.equal(edits.apply(Drawn(PICTURE, MASK), {"mix": 100.0}), other.image)


def test_unchanged_is_unchanged_and_every_change_is_seen() -> None:
    edits = Edits((12, 16), has_mask=True, other=Drawn(1 - PICTURE))
    drawn = Drawn(PICTURE, MASK)
    unchanged = {change.name: change.value for change in edits.changes}
    assert torch.equal(edits.apply(drawn, unchanged), PICTURE)
    for change in edits.changes:
        if isinstance(change, Amount):
            for end in (change.low, change.high):
                result = edits.apply(drawn, {change.name: end})
                assert result.shape == PICTURE.shape
                assert result.clamp(0, 1).equal(result)
                assert end == change.value or not torch.equal(result, PICTURE), change.name


def test_what_needs_another_picture_is_not_offered_without_one() -> None:
    names = {change.name for change in Edits((8, 8), has_mask=True).changes}
    assert not names & {"background", "mix"}
    assert "mix" in {change.name for change in Edits((8, 8), other=Drawn(torch.zeros(3, 8, 8))).changes}
