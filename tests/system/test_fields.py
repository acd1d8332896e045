import pytest

from e2kd_lab import experiments
from e2kd_lab.experiments.assignments import assigned
from e2kd_lab.system.errors import ExperimentError


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("epochs", "many", "'epochs' is 'many'; expected a whole number"),
        ("epochs", 1.5, "expected a whole number"),
        ("epochs", True, "expected a whole number"),
        ("lr", float("inf"), "'lr' is 'inf'; expected a number up to 1e300"),
        ("lr", None, "'lr' is 'None'"),
        ("lam", float("nan"), "'lam' is 'nan'"),
        ("clip_norm", "1", "expected a number up to 1e300 or None"),
        ("data_root", 5, "'data_root' is '5'; expected a text or None"),
        ("crop_scale", [0.5, 1.0], "expected .a number up to 1e300, a number up to 1e300."),
        ("crop_scale", (1.0, 0.5), r"expected \(smallest, largest\) within"),
        ("teacher_recipe", 5, "expected a Recipe or None"),
        ("method", ["kd"], r"no method '\['kd'\]'; expected one of teacher|baseline"),
        ("name", "../elsewhere", "expected letters, digits"),
        ("scale", "acme", "There is no scale 'acme'; expected one of"),
        ("family", "acme", "There is no family 'acme'; expected one of"),
        ("num_classes", 0, "expected at least 1"),
        ("image_size", 10**6, "MiniBirds size is 1000000, expected"),
        ("image_size", (24, 40), r"'image_size' is '\(24, 40\)'; expected a whole number"),
        ("scale", "own", "There is no scale 'own'; expected one of smoke, lab, paper"),
        ("seed", 2**32, "expected 0 to 4294967295"),
        ("precision", "64-true", "'precision' is '64-true'; expected one of 32-true"),
        ("student", "bcos_vit_mini", "'resnet_mini' and 'bcos_vit_mini' cannot be compared"),
    ],
)
def test_a_field_with_a_wrong_value_is_named(field, value, says):
    with pytest.raises(ExperimentError, match=says):
        experiments.get("waterbirds", "smoke").replace(**{field: value})


def test_a_number_that_cannot_be_written_out_is_refused():
    with pytest.raises(ExperimentError, match="'epochs' is 'a huge number'; expected a whole number"):
        experiments.get("waterbirds", "smoke").replace(epochs=1 << 50_000)


def test_assignments_are_literals_or_texts():
    assert assigned(["lr=0.5", "student=resnet_mini", "crop_scale=(0.5, 1.0)", "clip_norm=None", "data_root=a=b"]) == {
        "lr": 0.5, "student": "resnet_mini", "crop_scale": (0.5, 1.0), "clip_norm": None, "data_root": "a=b",
    }  # fmt: skip
    # What the parser of literals does not survive is text, too.
    for odd in ("{[]: 1}", "(" * 5000, "-" * 200_000 + "1", "9" * 5000, "\0"):
        assert assigned([f"lr={odd}"]) == {"lr": odd}
    with pytest.raises(ExperimentError, match="--set lr has no '='; expected field=value"):
        assigned(["lr"])
