import pytest
import torch

from e2kd_lab.metrics import grid_members, grid_pointing_game, image_grids


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_uniform_map_has_the_share_of_chance_and_a_map_of_the_cell_all_of_it(side):
    maps = torch.ones(side**2, 6, 6)
    cells = torch.arange(side**2)
    torch.testing.assert_close(grid_pointing_game(maps, cells, side), torch.full((side**2,), 1 / side**2))
    own = torch.zeros(side**2, side**2, 1, 6 // side, 6 // side)
    own[cells, cells] = 1
    own = image_grids(own)
    assert (grid_pointing_game(own, cells, side) == 1).all()
    if side > 1:
        assert (grid_pointing_game(own - 5 * (1 - own), cells, side) == 1).all()  # negative evidence does not count
        assert (grid_pointing_game(own, cells.roll(1), side) == 0).all()


def test_grids_are_rows_of_images():
    images = torch.rand(2, 9, 3, 4, 5)
    grids = image_grids(images)
    assert grids.shape == (2, 3, 12, 15)
    assert torch.equal(grids[1, :, 4:8, 10:15], images[1, 5])


def test_members_are_of_different_classes_and_right_and_confident():
    torch.manual_seed(0)
    labels = torch.randint(6, (200,))
    logits = 2 * torch.randn(200, 6)
    grids = grid_members(logits, labels, 2)
    assert len(grids) > 3
    assert torch.equal(grids, grid_members(logits, labels, 2))
    chosen = grids.flatten()
    assert len(chosen.unique()) == len(chosen)
    probabilities = logits.softmax(1)[chosen, labels[chosen]]
    assert (probabilities >= 0.5).all()
    assert all(len(row.unique()) == 4 for row in labels[grids])
    assert grid_members(logits, labels, 3).shape == (0, 9)  # six classes make no grid of nine
    assert len(grid_members(logits, labels, 2, count=2)) == 2


def test_refuses_maps_that_cells_do_not_divide():
    with pytest.raises(ValueError, match="3 x 3 cells divide evenly"):
        grid_pointing_game(torch.ones(1, 7, 7), torch.tensor([0]), 3)
