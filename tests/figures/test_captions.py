import pytest
from figure_cases import results

from e2kd_lab.figures import caption


def test_it_tells_what_how_methods_seeds_and_scale():
    text = caption("bars of 50 % & more", results(methods=("kd", "e2kd")), kind="bars")
    assert text.startswith(r"Bars of 50 \% \& more. Bars are means over seeds")
    assert r"KD, $\tau$ = 1 (seeds 0--2); e$^2$KD, $\lambda$ = 5, $\tau$ = 1 (seeds 0--2)." in text
    assert text.endswith("Measured here (lab).")


def test_settings_are_told_apart_where_there_are_several():
    text = caption("all", results(methods=("kd",), settings=("base", "mixup"), seeds=1))
    assert r"KD, $\tau$ = 1 (seed 0); KD, $\tau$ = 1, + mixup (seed 0)" in text


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no figure of kind 'pie'; expected one of bars"):
        caption("all", results(), kind="pie")
