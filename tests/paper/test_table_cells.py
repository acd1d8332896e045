"""The paper's tables with our numbers: which number comes from where, from which runs, and back out of each format."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from e2kd_lab.figures.style import METHOD_TITLES
from e2kd_lab.figures.table_writers import escape_latex
from e2kd_lab.paper import paper_results, results_cells, table_csv, table_html, table_latex, table_markdown
from e2kd_lab.paper.table_cells import TABLE_TITLES
from e2kd_lab.runs import RESULT_COLUMNS

LAB, PAPER_SCALE = "measured here (lab)", "measured here (paper scale)"


def runs(values, *, experiment="imagenet_standard", scale="lab", family="standard", lam=5.0, tau=1.0, group="all"):
    """Rows of finished runs: {(setting, method): [test accuracy of each seed]}; agreement is two points higher.

    Validation accuracy is the same for all, so that the smaller lambda is chosen.
    """
    rows = []
    for (setting, method), seeds in values.items():
        for seed, value in enumerate(seeds):
            teacher = method == "teacher"
            name = f"{experiment}-{scale}-{family}-{setting}-{method}-{lam:g}-{tau:g}-s{seed}"
            measures = [("val", "all", "accuracy", 50.0), ("test", group, "accuracy", value)]
            measures += [] if teacher else [("test", group, "agreement", value + 2)]
            for split, of, metric, number in measures:
                row = dict.fromkeys(RESULT_COLUMNS, "") | {
                    "run": f"teacher-{scale}-{family}" if teacher else name,
                    "teacher": "" if teacher else f"teacher-{scale}-{family}",
                    "status": "done",
                    "experiment": "imagenet" if teacher and experiment != "waterbirds" else experiment,
                    "scale": scale,
                    "family": family,
                    "setting": setting,
                    "method": method,
                    "lam": lam if method == "e2kd" else 0.0,
                    "tau": tau,
                    "seed": seed,
                    "split": split,
                    "group": of,
                    "metric": metric,
                    "value": number,
                }
                rows.append(row)
    return pd.DataFrame(rows, columns=RESULT_COLUMNS)


RESULTS = pd.concat(
    [
        runs(
            {
                ("10-shots", "kd"): [20.0, 22.0, 27.0],
                ("10-shots", "e2kd"): [30.1, 34.2, 31.7],
                ("40-shots", "kd"): [41.5],
                ("base", "teacher"): [90.0],
            }
        ),
        runs({("10-shots", "e2kd"): [99.0]}, lam=10.0),  # not chosen by validation
        runs({("50-shots", "kd"): [48.0, 49.0], ("base", "kd"): [71.0]}, scale="paper"),
        runs({("2-shots", "kd"): [1.0]}, scale="smoke"),
        runs({("10-shots", "kd"): [77.0]}).assign(status="running", run="unfinished"),
        runs({("10-shots", "kd"): [77.0]}, experiment="imagenet_bcos"),
    ]
)


def cell(cells, **wanted):
    chosen = cells[(cells[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.mark.parametrize("table", TABLE_TITLES)
def test_every_published_number_is_there_once(table):
    cells = results_cells(RESULTS.iloc[:0], table)
    assert set(cells["source"]) == {"paper"}
    assert not cells.duplicated(["place", "method", "metric"]).any()
    if not table.startswith("figureB"):
        students = paper_results(table).query(
            "method != 'teacher' and metric in ('accuracy', 'agreement', 'epg', 'iou', 'f1')"
        )
        assert sorted(cells.loc[cells["method"] != "teacher", "mean"]) == sorted(students["value"])
    assert (cells["n"] == 0).all()
    assert cells[["spread", "difference", "lam", "tau"]].isna().all(axis=None)
    assert set(cells["runs"]) == {()}


def test_means_spreads_and_differences_are_those_of_a_plain_computation():
    cells = results_cells(RESULTS, "table1")
    kd = cell(cells, column="50 shots", source=LAB, method="kd", metric="accuracy")
    assert (kd["column_here"], kd["mean"], kd["n"], kd["seeds"]) == ("10 shots", 23.0, 3, 3)
    assert kd["spread"] == pytest.approx(np.sqrt((9 + 1 + 16) / 2))
    assert kd["difference"] == pytest.approx(23.0 - 49.8)
    agreement = cell(cells, column="50 shots", source=LAB, method="e2kd", metric="agreement")
    assert (agreement["mean"], agreement["difference"]) == pytest.approx((34.0, 34.0 - 61.7))
    one = cell(cells, column="200 shots", source=LAB, method="kd", metric="accuracy")
    assert (one["column_here"], one["mean"], one["n"], np.isnan(one["spread"])) == ("40 shots", 41.5, 1, True)


def test_a_cell_lists_exactly_the_runs_that_make_its_mean():
    cells = results_cells(RESULTS, "table1")
    measured = cells[cells["source"] != "paper"]
    assert len(measured) == 12
    for number in measured.itertuples():
        rows = RESULTS[RESULTS["run"].isin(number.runs) & (RESULTS["split"] == "test")]
        rows = rows[rows["metric"] == number.metric]
        assert rows["run"].nunique() == len(number.runs) == number.n == len(rows)
        assert rows["value"].mean() == pytest.approx(number.mean)
    named = {name for names in cells["runs"] for name in names}
    assert not any("bcos" in name or "smoke" in name or "-10-1-" in name or name == "unfinished" for name in named)


def test_columns_stand_beside_their_counterparts_even_if_some_are_missing():
    cells = results_cells(RESULTS, "table1")
    paper_scale = cells[cells["source"] == PAPER_SCALE]
    assert set(paper_scale["column"]) == {"50 shots", "all images"}
    assert (paper_scale["column"] == paper_scale["column_here"]).all()
    full = cell(cells, column="all images", source=PAPER_SCALE, method="kd", metric="accuracy")
    assert full["difference"] == pytest.approx(71.0 - 71.8)
    more = results_cells(runs({("25-shots", "kd"): [30.0]}), "table1")
    other = cell(more, source=LAB, metric="accuracy")
    assert (other["place"], other["column"], np.isnan(other["difference"])) == (3, "25 shots", True)


def test_lambda_and_tau_are_told_where_the_method_has_them():
    measured = results_cells(RESULTS, "table1").query("source == @LAB and metric == 'accuracy'").set_index("method")
    values = measured.loc[["teacher", "kd", "e2kd"], ["lam", "tau"]].drop_duplicates()
    np.testing.assert_equal(values.to_numpy(), [[np.nan, np.nan], [np.nan, 1.0], [5.0, 1.0]])


def test_the_teacher_stands_in_every_column_of_its_students():
    teacher = results_cells(RESULTS, "table1").query("source == @LAB and method == 'teacher'")
    assert list(teacher["column"]) == ["50 shots", "200 shots"]
    assert list(teacher["n"]) == [1, 1]
    np.testing.assert_allclose(teacher["difference"], 90.0 - 73.3)


def test_the_smoke_test_counts_only_alone():
    assert set(results_cells(RESULTS, "table1")["source"]) == {"paper", LAB, PAPER_SCALE}
    smoke = results_cells(RESULTS.query("scale == 'smoke'"), "table1").query("source != 'paper'")
    assert set(smoke["source"]) == {"measured here (smoke test, meaningless)"}
    assert set(smoke["column"]) == {"50 shots"}


@pytest.mark.parametrize(
    ("table", "group", "accuracy"), [("figureB1", "in_distribution", 98.8), ("figureB2", "out_of_distribution", 55.2)]
)
def test_waterbirds_has_a_column_for_each_family_and_setting(table, group, accuracy):
    values = {("base", "kd"): [10.0], ("long", "e2kd"): [40.0, 50.0], ("base", "teacher"): [80.0]}
    other = runs({("base", "kd"): [0.0]}, experiment="waterbirds", family="bcos", group="worst")
    results = pd.concat([runs(values, experiment="waterbirds", family="bcos", group=group), other])
    cells = results_cells(results, table)
    assert cells["column"].unique().tolist() == [
        f"{family} networks{setting}"
        for family in ("Standard", "B-cos")
        for setting in ("", " + mixup", " + mixup, 5x longer")
    ]
    measured = cells[cells["source"] == LAB]
    assert set(measured["column"]) == {"B-cos networks", "B-cos networks + mixup, 5x longer"}
    longest = cell(measured, column="B-cos networks + mixup, 5x longer", method="e2kd", metric="accuracy")
    assert (longest["mean"], longest["n"]) == (45.0, 2)
    teacher = measured.query("method == 'teacher'")
    assert len(teacher) == 2
    np.testing.assert_allclose(teacher["difference"], 80.0 - accuracy)


def test_measures_that_the_paper_does_not_give_have_no_column_of_differences():
    results = runs(
        {("base", "kd"): [10.0], ("base", "teacher"): [80.0]}, experiment="waterbirds", group="in_distribution"
    )
    heads = table_markdown(results_cells(results, "figureB1"), "figureB1").splitlines()[2].split(" | ")
    here = [head.removesuffix(" |") for head in heads[-3:]]
    assert here == [f"Accuracy, {LAB}", "Accuracy, difference (lab)", f"Agreement, {LAB}"]


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="no table 'table9' here; expected one of table1"):
        results_cells(RESULTS, "table9")


def numbers(text):
    """Numbers that a cell shows: mean, spread and n, or a difference, or nothing."""
    return [float(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace("−", "-"))]


def expected(cells):
    """What each line of a table should show, from left to right, by its method."""
    lines = []
    for (_, method), part in cells.groupby(["place", "method"], sort=False):
        known, line = {(one.metric, one.source): one for one in part.itertuples()}, []
        for metric in ("accuracy", "agreement"):
            line.append([known[metric, "paper"].mean] if (metric, "paper") in known else [])
            for source in cells["source"].unique()[1:]:
                one = known.get((metric, source))
                spread = [] if one is None or one.n == 1 else [round(one.spread, 1)]
                line.append([] if one is None else [round(one.mean, 1), *spread, one.n])
                line.append([] if one is None or np.isnan(one.difference) else [round(one.difference, 1)])
        lines.append((METHOD_TITLES[method], line))
    return lines


def test_markdown_parses_back_to_the_same_numbers():
    cells = results_cells(RESULTS, "table1")
    rows = "\n".join(line.strip("| ") for line in table_markdown(cells, "table1").splitlines() if line.startswith("|"))
    table = pd.read_csv(io.StringIO(rows), sep=r"\s*\|\s*", engine="python", skiprows=[1], dtype=str)
    assert list(table.columns[:5]) == [
        "Data", "Method", "Accuracy, paper", f"Accuracy, {LAB}", "Accuracy, difference (lab)"
    ]  # fmt: skip
    assert table["Data"].unique().tolist()[0] == "50 shots; measured here (lab): 10 shots"
    shown = [(method, [numbers(text) for text in line]) for _, method, *line in table.itertuples(index=False)]
    assert shown == expected(cells)


def test_latex_parses_back_to_the_same_numbers():
    cells = results_cells(RESULTS, "table1")
    text = table_latex(cells, "table1")
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    rows = [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if " & " in line]
    undone = [
        (method.replace("$^2$", "²"), [numbers(cell.replace("$-$", "-").replace("--", "")) for cell in line])
        for method, *line in rows
    ]
    assert undone == expected(cells)


@pytest.mark.parametrize(("table", "measure"), [("table1", "accuracy"), ("table4", "F1")])
@pytest.mark.parametrize("format_table", [table_html, table_latex, table_markdown])
def test_captions_say_what_configurations_were_chosen_by(format_table, table, measure):
    text = format_table(results_cells(RESULTS, table), table)
    assert re.findall(r"highest validation (\w+)\.", text) == [measure]


def test_html_is_well_formed_accessible_and_has_the_same_numbers():
    cells = results_cells(RESULTS, "table1")
    root = ElementTree.fromstring(table_html(cells, "table1"))
    table = root.find("table")
    assert table.find("caption").find("b").text == "Table 1: ResNet-34 to ResNet-18 on ImageNet."
    assert all(heading.get("scope") in ("col", "colgroup", "row", "rowgroup") for heading in table.iter("th"))
    rows = [row for row in table.iter("tr") if row.find("td") is not None]
    shown = []
    for row in rows:
        method = row.find("th")
        shown.append((method[0].tail.strip(), [numbers("".join(cell.itertext())) for cell in row.findall("td")]))
    assert shown == expected(cells)
    told = [cell.get("title") for cell in table.iter("td") if cell.get("title")]
    assert len(told) == (cells["n"] > 0).sum()
    kd = cell(cells, column="50 shots", source=LAB, method="kd", metric="accuracy")
    assert f"{LAB}: {', '.join(kd['runs'])}" in told


def test_csv_has_all_digits_and_the_runs():
    cells = results_cells(RESULTS, "table1")
    table = pd.read_csv(io.StringIO(table_csv(cells, "table1")))
    assert set(table.pop("table")) == {"table1"}
    table["runs"] = [tuple(names.split()) for names in table["runs"].fillna("")]
    pd.testing.assert_frame_equal(table, cells, check_dtype=False, check_exact=True)


@pytest.mark.parametrize("table", TABLE_TITLES)
def test_latex_is_balanced_and_plain_ascii(table):
    text = table_latex(results_cells(RESULTS, table), table)
    assert text.isascii()
    unescaped = re.sub(r"\\[{}&%$#_]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") % 2 == 0
    columns = len(re.search(r"\\begin\{tabular\}\{(l r*)\}".replace(" ", ""), text)[1])
    for line in text.splitlines():
        if line.endswith(r"\\") and not line.startswith("%"):
            spans = [int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            assert re.sub(r"\\&", "", line).count("&") + 1 + sum(spans) == columns


def test_special_characters_are_escaped():
    assert escape_latex("50 % of a_b & {c} ± λτ² # $ ~ ^ \\") == (
        r"50 \% of a\_b \& \{c\} $\pm$ $\lambda$$\tau$$^2$ \# \$ \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )


def test_a_cell_shows_the_runs_of_one_configuration():
    first, other = runs({("10-shots", "kd"): [20.0, 22.0]}), runs({("10-shots", "kd"): [50.0, 52.0, 54.0]}, tau=2.0)
    same_values = other.assign(tau=1.0)  # another recipe at the same temperature
    kd = cell(results_cells(pd.concat([first, same_values]), "table1"), source=LAB, method="kd", metric="accuracy")
    assert (kd["mean"], kd["n"], kd["seeds"], kd["tried"]) == (52.0, 3, 3, 2)  # equal by validation, but more seeds
    better = pd.concat([first.assign(value=first["value"].where(first["split"] == "test", 51.0)), same_values])
    kd = cell(results_cells(better, "table1"), source=LAB, method="kd", metric="accuracy")
    assert (kd["mean"], kd["n"], kd["seeds"], kd["tried"]) == (21.0, 2, 2, 2)
    assert kd["runs"] == tuple(sorted(first["run"].unique()))


def test_a_mean_of_several_teachers_is_marked_and_explained():
    students = runs({("10-shots", "kd"): [20.0], ("10-shots", "e2kd"): [30.0], ("base", "teacher"): [90.0]})
    another = students[students["method"] == "teacher"].assign(run="teacher-of-another-kind", value=80.0)
    taught = students["teacher"].where(students["method"] != "kd", "teacher-of-another-kind")
    mixed = results_cells(pd.concat([students.assign(teacher=taught), another]), "table1")
    for write, mark in ((table_html, "†"), (table_markdown, "†"), (table_latex, r"$^\dagger$")):
        assert re.sub(r"</?small>", "", write(mixed, "table1")).count("(n = 2)" + mark) == 1
        assert "Mean of several teachers" in write(mixed, "table1")
        assert mark not in write(results_cells(students, "table1"), "table1")


def test_baselines_of_a_frozen_and_of_a_live_teacher_are_not_mixed():
    live = runs({("10-shots", "baseline"): [40.0]}, experiment="imagenet_bcos_densenet", family="bcos")
    frozen = runs(
        {("10-shots", "baseline"): [60.0], ("40-shots", "baseline"): [70.0], ("10-shots", "kd"): [50.0]},
        experiment="imagenet_frozen",
        family="bcos",
    )
    cells = results_cells(pd.concat([live, frozen]), "table3").query("source != 'paper' and metric == 'accuracy'")
    found = cells.set_index(["column_here", "method"])["mean"].to_dict()
    assert found == {("10 shots", "baseline"): 40, ("40 shots", "baseline"): 70, ("10 shots", "kd_frozen"): 50}


@pytest.mark.parametrize("write", [table_html, table_latex, table_markdown, table_csv])
def test_the_order_of_runs_does_not_change_a_byte(write):
    shuffled = RESULTS.sample(frac=1, random_state=0)
    assert write(results_cells(shuffled, "table1"), "table1") == write(results_cells(RESULTS, "table1"), "table1")
