import pytest

from e2kd_lab.bench.frozen import frozen_operations
from e2kd_lab.bench.pairs import Pair
from e2kd_lab.models import build_model


def test_frozen_steps_cost_what_published_operation_counts_give():
    teacher, student = build_model("densenet169", 1000), build_model("resnet18", 1000)
    asked, own = 3.36, 1.81  # billions of multiplications and additions at 224 px, from torchvision's table of models
    found = frozen_operations(Pair("densenet169", "resnet18", 1000, 224, 1), teacher, student)
    live = 2e9 * (asked + 3 * own)
    assert found == pytest.approx({"e2kd frozen": 6e9 * own, "kd": live, "e2kd": live}, rel=0.01)
    found = frozen_operations(Pair("bcos_densenet169", "bcos_resnet18", 1000, 224, 1), teacher, student)
    frozen = {"e2kd frozen": 12e9 * own, "e2kd frozen part": 9e9 * own}  # a quarter of the images passes again
    assert found == pytest.approx(frozen | {"kd": live, "e2kd": 2e9 * (2 * asked + 6 * own)}, rel=0.01)
