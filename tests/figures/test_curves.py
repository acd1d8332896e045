import colorsys

import pandas as pd
from matplotlib.colors import to_rgb

from e2kd_lab.figures import figure_bytes, training_curves
from e2kd_lab.figures.run_looks import run_looks
from e2kd_lab.figures.style import METHOD_COLOURS
from e2kd_lab.runs import find_runs

ROWS = pd.DataFrame(
    {"epoch": [1, 2], "split": "val", "group": "all", "metric": "explanation_cosine", "value": [0.1, 0.5]}
)


def test_curves_of_any_runs_are_drawn(runs):
    curves = {run.folder.name: (run.config["method"], run.metrics()) for run in find_runs(runs)}
    assert figure_bytes(training_curves(curves)).startswith(b"\x89PNG")
    assert figure_bytes(training_curves({})).startswith(b"\x89PNG")


def test_runs_of_a_method_differ_in_lightness_dash_and_marker_in_the_order_of_lambda():
    curves = {f"e²KD, λ = {lam:g}, τ = 1, seed 0": ("e2kd", ROWS) for lam in (50.0, 5.0, 10.0)}
    looks = run_looks({label: method for label, (method, _) in curves.items()})
    lightness, hues = {}, set()
    for label, look in looks.items():
        hue, lightness[label], _ = colorsys.rgb_to_hls(*to_rgb(look["color"]))
        hues.add(round(hue, 1))
    assert sorted(lightness, key=lambda label: -lightness[label]) == [
        f"e²KD, λ = {lam:g}, τ = 1, seed 0" for lam in (5.0, 10.0, 50.0)
    ]
    assert hues == {round(colorsys.rgb_to_hls(*to_rgb(METHOD_COLOURS["e2kd"]))[0], 1)}
    assert len({look["marker"] for look in looks.values()}) == len({look["linestyle"] for look in looks.values()}) == 3
    assert run_looks({"one": "kd"})["one"]["color"] == METHOD_COLOURS["kd"]


def test_handles_below_show_the_dash_of_their_curve():
    curves = {f"e²KD, λ = {lam}, τ = 1, seed {seed}": ("e2kd", ROWS) for lam in range(1, 6) for seed in range(3)}
    figure = training_curves(curves)
    looks = run_looks({label: method for label, (method, _) in curves.items()})
    handles = figure.legends[0].get_lines()
    assert len(handles) == len(curves)
    for handle, look in zip(handles, looks.values(), strict=True):
        assert (handle.get_linestyle(), handle.get_marker()) == (look["linestyle"], look["marker"])
    assert figure.legends[0].get_title().get_text() == "e²KD, τ = 1"  # what all share is said once


def test_few_runs_are_named_at_the_ends_of_their_curves():
    figure = training_curves({"KD, τ = 1, seed 0": ("kd", ROWS), "e²KD, λ = 5, τ = 1, seed 0": ("e2kd", ROWS)})
    assert not figure.legends
    assert [text.get_text() for text in figure.axes[3].texts] == ["KD", "e²KD, λ = 5"]
