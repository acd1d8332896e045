import pytest

from e2kd_lab.bench.frozen import frozen_operations
from e2kd_lab.bench.pairs import Pair
from e2kd_lab.models import build_model


def test_frozen_steps_cost_what_published_operation_counts_give():
    teacher, student = build_model("densenet169", 1000), build_model("resnet18", 1000)
    asked, own = 3.36, 1.81  # billions of multiplications and additions at 224 px, from torchvision's table of models
    found = frozen_operations(Pair("densenet169", "resnet18", 1000, 224, 1), teacher, student)
    assert found == pytest.approx(dict.fromkeys(("kd", "e2kd"), 3 * own / (asked + 3 * own)), rel=0.01)
    found = frozen_operations(Pair("bcos_densenet169", "bcos_resnet18", 1000, 224, 1), teacher, student)
    expected = {"kd": 6 * own / (asked + 3 * own), "e2kd": 6 * own / (2 * asked + 6 * own)}
    assert found == pytest.approx(expected, rel=0.01)
