"""The map of lambda and tau: its numbers, its empty cells, and that they can be read."""

import itertools

import numpy as np
import pandas as pd
import pytest
import seaborn

from e2kd_lab.figures import Measure, figure_bytes, measures_of, sweep_cells, sweep_map
from e2kd_lab.figures.group_measure import MEASURE_COLOURS, MEASURES, OWN_COLOURS
from e2kd_lab.figures.sweep_map import _legible
from e2kd_lab.runs import RESULT_COLUMNS

OOD = Measure("accuracy", "out_of_distribution")
GRID = [(0.0, 1.0), (0.0, 5.0), *itertools.product([1.0, 5.0, 10.0], [1.0, 5.0])]


def row(method, lam, tau, seed, value, metric="accuracy", group="out_of_distribution", **others):
    """A row of a finished student's results."""
    return dict.fromkeys(RESULT_COLUMNS, "") | {
        "run": f"{method}-{lam:g}-{tau:g}-s{seed}",
        "status": "done",
        "scale": "lab",
        "family": "standard",
        "method": method,
        "lam": lam,
        "tau": tau,
        "seed": seed,
        "teacher": "teacher",
        "split": "test",
        "group": group,
        "metric": metric,
        "value": value,
        **others,
    }


@pytest.fixture
def results():
    """KD and e2KD of three seeds at tau = 1, one lambda at tau = 5, and what must not count."""
    random = np.random.default_rng(0)
    cells = [("kd", 0.0, 1.0), ("e2kd", 1.0, 1.0), ("e2kd", 5.0, 1.0), ("e2kd", 5.0, 5.0)]
    rows = [row(*cell, seed, 50 + 10 * random.normal()) for cell in cells for seed in range(3)]
    rows += [
        row("kd", 0.0, 5.0, 0, 1.0, status="running"),
        row("kd", 0.0, 1.0, 0, 2.0, split="val"),
        row("kd", 0.0, 1.0, 0, 3.0, group="all"),
        row("kd", 0.0, 1.0, 0, 0.4, metric="explanation_cosine"),
        row("at", 10.0, 1.0, 0, 4.0),
        row("teacher", 0.0, 1.0, 1000, 97.0, run="teacher", teacher=""),
        row("teacher", 0.0, 1.0, 1000, 5.0, run="another teacher", teacher=""),
    ]
    return pd.DataFrame(rows, columns=RESULT_COLUMNS)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_means_and_intervals_are_those_of_a_plain_computation(results):
    cells = sweep_cells(results, OOD, grid=GRID).set_index(["lam", "tau"])
    for (method, lam, tau), part in results[:12].groupby(["method", "lam", "tau"]):
        cell, values = cells.loc[(lam, tau)], part["value"].to_numpy(dtype=float)
        assert (cell["mean"], cell["low"], cell["high"]) == (pytest.approx(sum(values) / 3), min(values), max(values))
        assert cell["runs"].split() == [f"{method}-{lam:g}-{tau:g}-s{seed}" for seed in range(3)]
    assert cells["n"].sum() == 12


def test_kd_is_the_column_of_lambda_0(results):
    cells = sweep_cells(results, OOD, grid=GRID).set_index(["lam", "tau"])
    assert cells.loc[(0.0, 1.0), "mean"] == pytest.approx(results.loc[:2, "value"].astype(float).mean())
    labels = [label.get_text() for label in sweep_map(results, OOD, grid=GRID).axes[0].get_xticklabels()]
    assert labels == ["0 (KD)", "1", "5", "10"]


def test_cells_without_runs_are_hatched_and_those_outside_the_grid_are_not(results):
    cells = sweep_cells(results, OOD, grid=[*GRID, (20.0, 1.0)]).set_index(["lam", "tau"])
    missing = cells[cells["n"] == 0]
    assert set(missing[missing["in_grid"]].index) == {(0, 5), (1, 5), (10, 1), (10, 5), (20, 1)}
    assert list(missing[~missing["in_grid"]].index) == [(20, 5)]
    assert missing[["mean", "low", "high"]].isna().all(axis=None)
    figure = sweep_map(results, OOD, grid=[*GRID, (20.0, 1.0)])
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert (len(hatched), len(figure.axes[0].patches)) == (5, 6)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["no finished run yet", "not in the paper's grid"]


def test_a_cell_tells_mean_interval_and_number_of_seeds(results):
    shown = texts(sweep_map(results, OOD))
    values = results.loc[:2, "value"].astype(float)
    assert shown[:2] == [f"{values.mean():.1f}", f"{values.min():.1f}–{values.max():.1f}\nn = 3"]
    assert texts(sweep_map(results, Measure("explanation_cosine", "out_of_distribution"))) == ["0.40", "n = 1"]


def test_the_title_tells_the_students_teacher_and_the_picked_cell_is_outlined(results):
    figure = sweep_map(results, OOD, grid=GRID, picked=(5.0, 5.0))
    assert figure.get_suptitle() == "Accuracy, out-of-distribution — Standard networks — Teacher: 97.0 %"
    assert figure.legends[0].get_title().get_text() == "measured here (lab): mean, lowest and highest of n seeds"
    outlines = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    assert [outline.get_xy() for outline in outlines] == [(2, 1)]
    assert figure_bytes(figure) != figure_bytes(sweep_map(results, OOD, grid=GRID, picked=(1.0, 1.0)))
    assert figure.get_size_inches()[0] == pytest.approx(4.8)


def test_measures_are_those_of_the_students_in_a_fixed_order(results):
    kept = [OOD, Measure("accuracy"), Measure("explanation_cosine", "out_of_distribution")]
    assert measures_of(results) == kept
    assert kept[2].title == "Explanation cosine, out-of-distribution"
    assert measures_of(results.iloc[:0]) == []
    assert len(set(MEASURES)) == len(MEASURES)


def test_a_map_can_be_all_empty_but_not_nothing(results):
    figure = sweep_map(results.iloc[:0], Measure("f1"), grid=GRID)
    assert texts(figure) == []
    assert len(figure.axes) == 1  # no colours to explain
    with pytest.raises(ValueError, match="finished runs of KD or e2KD, or a grid"):
        sweep_map(results.iloc[:0], OOD)


@pytest.mark.parametrize("name", sorted({*MEASURE_COLOURS.values(), OWN_COLOURS}))
def test_numbers_are_legible_on_every_colour(name):
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for colour in seaborn.color_palette(name, as_cmap=True)(np.linspace(0, 1, 256)):
        ours = {"black": 0.0, "white": 1.0}[_legible(colour)]
        low, high = sorted([ours, luminance(colour)])
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2, level AA
