import pytest

from e2kd_lab.widgets.value_slider import ValueSlider


@pytest.fixture
def lam():
    slider = ValueSlider("λ", [5.0, 0.0, 1.0], 1.0)
    slider.heard = []
    slider.observe(lambda change: slider.heard.append(change["new"]), "value")
    return slider


def shown(slider):
    return slider.value, slider.slider.value, slider.field.value, slider.problem.value


def test_slider_field_and_value_are_one(lam):
    assert shown(lam) == (1.0, 1.0, "1", "")
    lam.slider.value = 5.0
    assert shown(lam) == (5.0, 5.0, "5", "")
    lam.field.value = "0"
    assert shown(lam) == (0.0, 0.0, "0", "")
    lam.value = 1.0
    assert shown(lam) == (1.0, 1.0, "1", "")
    assert lam.heard == [5.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "value"), [("20", 20.0), (" 2.5 ", 2.5), ("2,5", 2.5), ("1e3", 1000.0), ("999", 999.0)]
)
def test_any_number_can_be_typed(lam, text, value):
    lam.field.value = text
    assert shown(lam) == (value, value, f"{value:g}", "")
    assert [one for _, one in lam.options] == sorted([0.0, 1.0, 5.0, value])
    assert lam.heard == [value]


@pytest.mark.parametrize("text", ["abc", "-3", "", "nan", "inf", "1e999", "<b>", "1,000", "12,345.6"])
def test_what_is_no_weight_is_said_and_changes_nothing(lam, text):
    lam.field.value = text
    assert shown(lam)[:3] == (1.0, 1.0, "1")
    assert "expected a number &gt;= 0" in lam.problem.value
    assert "<b>" not in lam.problem.value
    assert lam.heard == []
    lam.field.value = "5"
    assert lam.problem.value == ""


def test_a_temperature_is_positive():
    tau = ValueSlider("τ", [1.0], 1.0, positive=True)
    tau.field.value = "0"
    assert tau.value == 1.0
    assert "expected a number &gt; 0" in tau.problem.value


def test_cells_of_a_map_are_those_that_it_has():
    lam = ValueSlider("λ", [0.0, 5.0], 0.0, zero="0 (KD)", closed=True)
    assert dict(lam.options) == {"0 (KD)": 0.0, "5": 5.0}
    lam.field.value = "3"
    assert lam.value == 0.0
    assert "3: expected one of 0, 5" in lam.problem.value


def test_whole_numbers_stay_whole():
    every = ValueSlider("every", [1, 2, 4], 1, closed=True)
    every.field.value = "4"
    assert every.value == 4
    assert type(every.value) is int
    every.field.value = "2.0"
    assert (type(every.value), every.field.value) == (int, "2")


def test_other_values_are_offered(lam):
    lam.offer([10.0, 100.0], 10.0)
    assert shown(lam) == (10.0, 10.0, "10", "")
    assert [one for _, one in lam.options] == [10.0, 100.0]
    lam.disabled = True
    assert lam.slider.disabled
    assert lam.field.disabled
