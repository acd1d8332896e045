import pytest
import torch

from e2kd_lab.bench.pairs import Pair, our_steps

CPU = torch.device("cpu")


@pytest.mark.parametrize("family", ["", "bcos_"])
def test_steps_in_half_precision_stay_near_the_others(family):
    pair = Pair(f"{family}resnet_mini_deep", f"{family}resnet_mini", 5, 32, 4)
    moved = []
    for half in (False, True):
        teacher, student = pair.build(CPU)
        our_steps(teacher, student, *pair.images_and_labels(CPU), half=half)["e2kd"]()
        moved.append(torch.cat([buffer.flatten().double() for buffer in student.buffers()]))
    torch.testing.assert_close(moved[1], moved[0], rtol=0.02, atol=0.02)
    assert not torch.equal(moved[1], moved[0])  # and are in half precision
