"""Tables and figures of experiments, methods and measures that the lab has never heard of."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import e2kd_lab as lab
from e2kd_lab.cli.commands import app
from e2kd_lab.figures import Measure, figure_bytes, measure_bars, measures_of, sweep_cells, sweep_map, training_curves
from e2kd_lab.figures.labels import in_order, method_colours, title_of
from e2kd_lab.figures.style import METHOD_COLOURS
from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title
from e2kd_lab.paper import write_figures
from e2kd_lab.runs import RESULT_COLUMNS, select_by_validation
from e2kd_lab.widgets import SweepMap, TrainLab


def rows_of(method, values, *, lam=0.0, tau=1.0, experiment="pets & co_1", group="all", val=50.0, **others):
    """Finished runs of a method: {metric: [test value of each seed]}."""
    rows, stem = [], f"{experiment}-own-{method}-{lam:g}x{tau:g}"
    for metric, seeds in values.items():
        for seed, value in enumerate(seeds):
            common = dict.fromkeys(RESULT_COLUMNS, "") | {
                "run": f"{stem}-s{seed}", "status": "done", "experiment": experiment, "scale": "own",
                "family": "standard", "setting": "base", "method": method, "lam": lam, "tau": tau, "seed": seed,
                "teacher": "" if method == "teacher" else f"{experiment}-own-teacher-0x1-s0", "group": group,
            } | others  # fmt: skip
            rows.append(common | {"split": "test", "metric": metric, "value": value})
            rows.append(common | {"split": "val", "metric": "accuracy", "value": val, "group": "all"})
    return pd.DataFrame(rows, columns=RESULT_COLUMNS).drop_duplicates(["run", "split", "group", "metric"])


RESULTS = pd.concat(
    [
        rows_of("teacher", {"accuracy": [90.0]}),
        rows_of("kd", {"accuracy": [60.0, 62.0, 67.0], "agreement": [70.0, 71.0, 75.0], "ece": [0.08, 0.06, 0.07]}),
        rows_of("their_dkd", {"accuracy": [70.0, 71.0, 72.0], "ece": [0.02, 0.04, 0.03]}, lam=1.0, val=60.0),
        rows_of("their_dkd", {"accuracy": [99.0, 99.0, 99.0], "ece": [0.9, 0.9, 0.9]}, lam=8.0, tau=4.0),
        rows_of("their_dkd", {"accuracy": [1.0]}, lam=3.0).assign(status="running"),
        rows_of("kd", {"accuracy": [11.0, 12.0, 16.0]}, group="north"),
    ]
)


def test_means_spreads_and_seeds_are_those_of_a_plain_computation():
    frame = lab.results_table(RESULTS).frame.set_index(["method", "metric"])
    kd = frame.loc[("kd", "accuracy")]
    assert (kd["mean"], kd["n"], kd["seeds"], kd["configurations"]) == (63.0, 3, 3, 1)
    assert kd["spread"] == pytest.approx(np.std([60, 62, 67], ddof=1))
    chosen = frame.loc[("their_dkd", "accuracy")]
    assert chosen["mean"] == 71.0  # chosen by validation, not by test
    assert chosen["runs"] == tuple(f"pets & co_1-own-their_dkd-1x1-s{seed}" for seed in range(3))
    assert np.isnan(frame.loc[("teacher", "accuracy"), "spread"])
    everything = lab.results_table(RESULTS, rows=("method", "lam", "tau"), select=False, groups=["all", "north"]).frame
    assert set(everything["group"]) == {"all", "north"}
    assert everything.query("method == 'their_dkd' and metric == 'accuracy'")["mean"].tolist() == [71.0, 99.0]


def test_each_format_shows_the_numbers_their_unit_and_the_best_student():
    table = lab.results_table(RESULTS, best={"ece": "lowest"})
    markdown = table.to_markdown().splitlines()
    assert markdown[2] == "| Method | All images, Accuracy (%) | All images, Agreement (%) | All images, ece |"
    assert markdown[4:] == [
        "| Teacher | 90.0 (n = 1) | – | – |",
        "| KD | 63.0 ± 3.6 | 72.0 ± 2.6 | 0.0700 ± 0.0100 |",  # alone, thus no best
        "| their_dkd | **71.0** ± 1.0 | – | **0.0300** ± 0.0100 |",
    ]
    latex = table.to_latex()
    assert r"their\_dkd & \textbf{71.0} $\pm$ 1.0 & -- & \textbf{0.0300} $\pm$ 0.0100 \\" in latex
    assert r"pets \& co\_1" in latex
    page = ElementTree.fromstring(table._repr_html_())
    lines = [[" ".join("".join(cell.itertext()).split()) for cell in line] for line in page.find("table").iter("tr")]
    assert lines[-1] == ["■ their_dkd", "71.0 ± 1.0", "–", "0.0300 ± 0.0100"]
    bold = [cell.text for cell in page.find("table").iter("b")]
    assert "0.0300" in bold
    assert "90.0" not in bold  # the teacher takes no part
    without = lab.results_table(RESULTS)  # who knows whether a high ece is good?
    assert "**0.0300**" not in without.to_markdown()


def test_csv_has_all_digits(tmp_path):
    table = lab.results_table(RESULTS)
    text = table.to_csv(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == text == table.to_csv()
    read = pd.read_csv(io.StringIO(text))
    read["runs"] = [tuple(re.findall(r"pets & co_1-own-\S+", names)) for names in read["runs"]]
    pd.testing.assert_frame_equal(read, table.frame, check_dtype=False, check_exact=True)


def test_what_must_not_be_mixed_comes_apart():
    other = rows_of("kd", {"accuracy": [10.0]}, experiment="cars", family="bcos", setting="mixup")
    table = lab.results_table(pd.concat([RESULTS, other]), rows="method", columns="metric", groups=["all", "north"])
    markdown = table.to_markdown()
    assert "| cars, B-cos networks, mixup, All images | KD | 10.0 (n = 1) |" in markdown
    assert "| pets & co_1, Standard networks, default, north | KD | 13.0 ± 2.6 |" in markdown
    assert set(table.frame["n"]) == {1, 3}
    mixed = lab.results_table(RESULTS, select=False, metrics="accuracy")
    assert "† Mean over several configurations." in mixed.to_markdown()
    assert "**85.0** ± 15.3†" in mixed.to_markdown()
    assert "†" not in lab.results_table(RESULTS).to_markdown()


def test_hyperparameters_that_a_method_does_not_have_are_a_dash():
    theirs = rows_of("their_dkd", {"accuracy": [70.0]}, lam=1.0).assign(beta=8.0)
    results = pd.concat([rows_of("kd", {"accuracy": [60.0]}, tau=2.0), theirs], ignore_index=True)
    table = lab.results_table(results, rows=("method", "lam", "tau", "beta"), columns="metric", select=False)
    lines = table.to_markdown().splitlines()
    assert lines[2] == "| Method | λ | τ | beta | Accuracy (%) |"
    assert lines[4:] == ["| KD | – | 2 | – | 60.0 |", "| their_dkd | 1 | 1 | 8 | **70.0** |"]
    assert table.frame["lam"].isna().tolist() == [True, False]
    across = lab.results_table(results, columns=("beta", "metric"), select=False).to_markdown().splitlines()
    assert across[2] == "| Method | beta = 8, Accuracy (%) | –, Accuracy (%) |"


def test_lambda_in_columns_and_seeds_in_rows():
    table = lab.results_table(
        RESULTS.query("method == 'their_dkd'"), rows="seed", columns=("lam", "metric"), select=False
    )
    assert table.to_markdown().splitlines()[2] == (
        "| Seed | λ = 1, Accuracy (%) | λ = 1, ece | λ = 8, Accuracy (%) | λ = 8, ece |"
    )
    assert [line.split(" | ")[0] for line in table.to_markdown().splitlines()[4:]] == ["| 0", "| 1", "| 2"]


def test_a_teacher_stands_beside_its_students_whatever_it_is_called():
    teacher = rows_of("teacher", {"accuracy": [90.0]}, experiment="teachers")
    students = [
        rows_of("kd", {"accuracy": [value]}, setting=setting, tau=value, teacher=teacher["run"].iloc[0])
        for setting, value in (("10-shots", 20.0), ("base", 40.0))
    ]
    lines = lab.results_table(pd.concat([teacher, *students]), columns="metric").to_markdown().splitlines()[4:]
    assert lines == [
        *("| default | Teacher | 90.0 |", "| default | KD | 40.0 |"),
        *("| 10 shots | Teacher | 90.0 |", "| 10 shots | KD | 20.0 |"),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"rows": "colour"}, "no column 'colour'"), ({"columns": ("method",)}, "'method' comes twice"),
     ({"metrics": ["f2"]}, "no metric 'f2'"), ({"groups": ["south"]}, "no group 'south'"),
     ({"split": "train"}, "no finished runs with such results on 'train'")],
)  # fmt: skip
def test_what_is_not_there_is_named(options, said):
    with pytest.raises(ValueError, match=said):
        lab.results_table(RESULTS, **options)
    with pytest.raises(ValueError, match="select=False"):
        lab.results_table(RESULTS.query("split == 'test'"))


names = st.text("abz&%_$#~^\\{}|<é²λ ", min_size=1, max_size=6).filter(lambda name: name.strip() == name)


@given(st.data())
def test_any_names_and_numbers_come_back_out_of_every_format(data):
    methods = data.draw(st.lists(names, min_size=1, max_size=3, unique=True))
    measures = data.draw(st.lists(names | st.sampled_from(sorted(LAB_MEASURES)), min_size=1, max_size=3, unique=True))
    parts = []
    for place, method in enumerate(methods):
        values = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 4)), min_size=1, max_size=3)
        drawn = {metric: data.draw(values) for metric in measures if place == 0 or data.draw(st.booleans())}
        if drawn:
            parts.append(rows_of(method, drawn, lam=float(place)))
    results = pd.concat(parts, ignore_index=True)
    table = lab.results_table(results, rows="method", columns="metric", select=False)
    plain = results.query("split == 'test'").groupby(["method", "metric"])["value"].agg(["mean", "std", "count"])
    found = table.frame.set_index(["method", "metric"]).loc[plain.index]
    assert found["mean"].to_numpy() == pytest.approx(plain["mean"].to_numpy(), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(found["spread"], plain["std"], atol=1e-9)
    assert found["n"].tolist() == plain["count"].tolist()
    count = len(table.frame["method"].unique())
    page = ElementTree.fromstring(table._repr_html_())
    shown = [line for line in page.find("table").iter("tr") if line.find("td") is not None]
    heads = table.frame["metric"].nunique()
    assert [len(line.findall("td")) for line in shown] == [heads] * count
    columns = [re.sub(r"\\\|", "", line).count("|") - 1 for line in table.to_markdown().splitlines()[2:]]
    assert columns == [heads + 1] * (count + 2)
    body = table.to_latex().split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert [re.sub(r"\\&", "", line).count("&") for line in body] == [heads] * count
    unescaped = re.sub(r"\\[{}&%$#_]", "", table.to_latex())
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") % 2 == 0


@given(st.lists(st.sampled_from([*METHOD_COLOURS, "theirs", "other", "third"]), min_size=1, unique=True))
def test_methods_have_an_order_and_colours_that_differ(methods):
    colours = method_colours(methods)
    assert len(set(colours.values())) == len(methods)
    assert all(colours[name] == METHOD_COLOURS[name] for name in methods if name in METHOD_COLOURS)
    ordered = in_order("method", methods)
    known = [name for name in ordered if name in METHOD_COLOURS]
    assert ordered == [*known, *sorted(set(methods) - set(known))]
    assert known == [name for name in METHOD_COLOURS if name in methods]


def test_unknown_names_are_written_as_they_are():
    assert measure_title("their_measure").with_unit == "their measure"
    assert measure_title("their_measure").text(0.0512345) == "0.0512"
    assert measure_title("accuracy").text(float("nan")) == "–"
    assert title_of("method", "theirs") == "theirs"
    assert title_of("family", "transformers") == "transformers"
    assert Measure("their_measure", "north").title == "their measure, north"
    assert Measure("their_measure").unit == ""


def test_bars_of_unknown_methods_and_measures():
    selected = select_by_validation(RESULTS)
    figure = measure_bars(selected, title="pets")
    assert [axis.get_ylabel() for axis in figure.axes] == ["Accuracy (%)", "Agreement (%)", "ece"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["KD", "their_dkd", "Teacher"]
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert heights == [63.0, 71.0, 13.0]  # all images, then the north
    assert figure_bytes(figure).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="there are none"):
        measure_bars(selected, metrics=["f2"])
    many = pd.concat([rows_of("kd", {"accuracy": [50.0]}, group=f"class {number}") for number in range(40)])
    few = measure_bars(pd.concat([many, RESULTS]), metrics=["accuracy"])
    assert len(few.axes[0].patches) == 2


def test_maps_of_unknown_methods():
    cells = sweep_cells(RESULTS, Measure("ece"), method="their_dkd").set_index(["lam", "tau"])
    assert cells.loc[(1.0, 1.0), "mean"] == pytest.approx(0.03)
    assert cells["n"].tolist() == [3, 0, 0, 3]
    figure = sweep_map(RESULTS, Measure("ece"), method="their_dkd")
    assert figure.axes[0].get_xlabel() == "weight, λ"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1", "8"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["no finished run"]
    assert Measure("ece") in measures_of(RESULTS)


def test_curves_have_an_axis_for_each_own_measure():
    row = {"epoch": 1, "split": "val", "group": "all", "metric": "ece", "value": 0.1}
    rows = pd.DataFrame([row, row | {"metric": "accuracy", "value": 50.0}, row | {"metric": "loss", "split": "train"}])
    figure = training_curves({"theirs": ("theirs", rows)})
    assert [axis.get_title() for axis in figure.axes] == [
        "Training loss", "Accuracy (%)", "Agreement (%)", "Explanation cosine", "ece"
    ]  # fmt: skip
    assert figure.axes[4].lines[0].get_color() == method_colours(["theirs"])["theirs"]


@pytest.fixture(scope="module")
def swept(tiny, runs, tmp_path_factory):
    """Runs of an experiment that the lab has no figure for, with an own measure."""
    folder = tmp_path_factory.mktemp("swept")
    teacher = runs / tiny.teacher_experiment().run_name() / "last.ckpt"
    experiment = tiny.replace(name="mine", teacher_weights=str(teacher), epochs=1)
    tried = [("kd", 0.0), ("e2kd", 1.0), ("e2kd", 5.0), ("at", 1.0)]
    lab.run_all(
        [experiment.replace(method=method, lam=lam) for method, lam in tried],
        folder=folder,
        progress=False,
        metrics={"images": lambda predictions: len(predictions.labels)},
    )
    return experiment, folder


def test_every_experiment_with_runs_has_figures(swept, tmp_path):
    _, folder = swept
    written = [file.name for file in write_figures(tmp_path, runs=folder, say=lambda line: None)]
    stem = "mine_standard_base"
    kinds = ("bars", "curves", "sweep_e2kd_accuracy", "sweep_e2kd_agreement", "sweep_e2kd_explanation_cosine",
             "sweep_e2kd_images")  # fmt: skip
    assert sorted(written) == sorted(
        f"{stem}_{kind}_smoke{end}" for kind in kinds for end in (".pdf", ".svg", ".png", ".csv", "_caption.tex")
    )
    curves = pd.read_csv(tmp_path / f"{stem}_curves_smoke.csv")
    assert set(curves["run"].str.split(",").str[0]) == {"KD", "e²KD", "AT"}
    assert "images" in set(curves["metric"])
    again = tmp_path / "again"
    write_figures(again, runs=folder, say=lambda line: None)
    assert all((again / name).read_bytes() == (tmp_path / name).read_bytes() for name in written)


def test_the_command_draws_and_prints_them(swept, tmp_path):
    _, folder = swept
    result = CliRunner().invoke(app, ["figures", "--runs", str(folder), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "mine_standard_base_curves_smoke.pdf").is_file()
    printed = CliRunner().invoke(app, ["results", "--runs", str(folder)], env={"COLUMNS": "200"})
    assert "images" in printed.output


def test_panels_show_own_measures(swept):
    experiment, folder = swept
    panel = TrainLab(experiment.replace(method="e2kd", lam=5.0), folder=folder)
    assert panel.last_error is None
    assert "images 4.00" in panel.message.value  # those out of distribution
    sweep = SweepMap(experiment.replace(lam=5.0), folder=folder)
    offered = [measure.title for _, measure in sweep.measure.options]
    assert "images, out-of-distribution" in offered
    sweep.measure.value = Measure("images")
    assert sweep.last_error is None
    assert "images 8.00" in sweep.message.value


def test_a_panel_trains_with_own_measures(swept):
    experiment, folder = swept
    panel = TrainLab(experiment.replace(method="e2kd", lam=7.0), folder=folder, metrics={"one": lambda predictions: 1})
    panel.train_button.click()
    run = panel.wait(120)
    assert "one" in set(run.metrics()["metric"])
    assert "one 1" in panel.message.value
    assert panel.last_error is None
