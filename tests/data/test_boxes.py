import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.data.boxes import box_masks

side = st.floats(0, 12, width=32)


def test_a_box_of_whole_pixels_covers_exactly_these():
    masks = box_masks(torch.tensor([[1.0, 2.0, 4.0, 5.0]]), torch.tensor([1]), 3, 6, 8)
    assert masks.dtype == torch.bool
    assert masks.shape == (3, 6, 8)
    assert masks.sum(dim=(1, 2)).tolist() == [0, 9, 0]
    assert masks[1, 2:5, 1:4].all()


def test_a_pixel_is_inside_if_its_centre_is():
    masks = box_masks(torch.tensor([[0.5, 0.6, 2.5, 3.4]]), torch.tensor([0]), 1, 5, 5)
    assert masks[0].nonzero().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]


@given(boxes=st.lists(st.tuples(side, side, side, side, st.integers(0, 2)), max_size=5))
def test_masks_are_the_union_pixel_by_pixel(boxes):
    rows = torch.tensor([box[:4] for box in boxes]).reshape(-1, 4)
    masks = box_masks(rows, torch.tensor([box[4] for box in boxes], dtype=torch.long), 3, 9, 12)
    expected = torch.zeros(3, 9, 12, dtype=torch.bool)
    for x1, y1, x2, y2, label in boxes:
        for y in range(9):
            for x in range(12):
                expected[label, y, x] |= x1 <= x + 0.5 < x2 and y1 <= y + 0.5 < y2
    assert torch.equal(masks, expected)


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"labels of boxes are \[2\]; expected 0 to 1"):
        box_masks(torch.zeros(1, 4), torch.tensor([2]), 2, 4, 4)
