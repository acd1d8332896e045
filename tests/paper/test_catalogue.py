"""The catalogue: what is written, what is missing, and that the same runs give the same bytes."""

import json
import shutil

import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.paper import catalogue, write_figures
from e2kd_lab.paper.catalogue import PAPER_FIGURES
from e2kd_lab.runs.freeze import freeze
from e2kd_lab.system.errors import ExperimentError

STUDENTS = (("kd", {}), ("e2kd", {"lam": 5.0}))
# Without finished runs below.
MISSING = {"teaser_standard", "table1", "table3", "table5", "tableB1"}


@pytest.fixture(scope="module")
def folder(runs, tmp_path_factory):
    """Finished runs of Waterbirds, of few shots, of VOC and of the vision transformer."""
    folder = shutil.copytree(runs, tmp_path_factory.mktemp("all") / "runs")
    get = lab.experiments.get
    few, voc, vit = (get(name, "smoke") for name in ("imagenet_bcos", "voc", "cnn_to_vit"))
    lab.run(vit.teacher_experiment(), folder=folder, progress=False)
    freeze(vit.with_setting("frozen"), runs=folder)
    wanted = [e.replace(method=m, **v) for e in (few, few.with_setting("2-shots"), voc, vit) for m, v in STUDENTS]
    wanted.append(vit.replace(method="kd", seed=1))
    for experiment in [*wanted, vit.with_setting("frozen").replace(method="e2kd", lam=5.0)]:
        lab.run(experiment, folder=folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def written(folder, tiny, tiny_bcos, tmp_path_factory):
    """Folder, files and lines of a call that draws everything, but saves no pictures, which takes most of the time."""
    out, lines = tmp_path_factory.mktemp("figures"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2kd_lab.figures.export.figure_bytes", lambda figure, kind, **options: kind.encode())
        files = write_figures(out, runs=folder, own=(tiny, tiny_bcos), say=lines.append)
    return out, files, dict(line.split(": ", 1) for line in lines)


def only(monkeypatch, *names):
    monkeypatch.setattr("e2kd_lab.figures.export.EXPORT_DPI", 40)
    monkeypatch.setattr(catalogue, "PAPER_FIGURES", [figure for figure in PAPER_FIGURES if figure.name in names])
    monkeypatch.setattr(catalogue, "experiment_figures", lambda runs: ())


def test_the_catalogue_has_every_figure_and_table_of_the_paper_once():
    names = [figure.name for figure in PAPER_FIGURES]
    assert len(names) == len(set(names))
    expected = {f"figure{n}" for n in ("1", "2", "3", "4_left", "4_centre", "4_right", "A1", "A2", "A3", "A4", "A5")}
    expected |= {"figureB1a", "figureB1b", "figureB2a", "figureB2b", "teaser_standard", "teaser_bcos"}
    assert set(names) == expected | {f"table{n}" for n in (1, 2, 3, 4, 5, "B1")}


def test_each_figure_has_a_line_and_its_files_or_a_line_and_none(written):
    out, files, lines = written
    names = [name.removesuffix("_smoke") for name in lines]
    assert names[: len(PAPER_FIGURES)] == [figure.name for figure in PAPER_FIGURES]
    assert {"waterbirds_bcos_base_bars", "cnn_to_vit_bcos_frozen_curves"} <= set(names[len(PAPER_FIGURES) :])
    assert {file.name for file in files} == {file.name for file in out.iterdir()}
    for name, line in lines.items():
        kinds = {file.suffix for file in files if file.stem == name}
        if name.removesuffix("_smoke") in MISSING:
            assert line.startswith("missing ")
            assert not kinds
        else:
            assert line.startswith("written, ")
            assert kinds == {".pdf", ".svg", ".png", ".csv"}
            assert (out / f"{name}_caption.tex").is_file()
    assert lines["table1_smoke"] == (
        "missing imagenet_standard (standard, 2-shots/base): baseline, kd, e2kd, at, reviewkd, catkd"
    )
    assert lines["teaser_standard_smoke"] == "missing imagenet_standard (standard, 2-shots/base): kd, e2kd"
    assert lines["table2_smoke"].endswith("; without imagenet_bcos (bcos, 2-shots/base): baseline, at, reviewkd, catkd")
    assert lines["figureA1_smoke"] == "written, explanations in distribution"


def test_tables_beside_the_explanations_tell_images_networks_and_runs(written, tiny, tiny_bcos):
    out, _, _ = written
    table = pd.read_csv(out / "figureA2_smoke.csv")
    assert set(table["group"]) == {"landbird on water", "waterbird on land"}
    assert set(table["network"]) == {"teacher", "kd", "e2kd"}
    runs = {e.replace(method="e2kd", lam=5.0).run_name() for e in (tiny, tiny_bcos)}
    assert set(table.loc[table["network"] == "e2kd", "run"]) == runs
    assert (table.loc[table["network"] == "teacher", "cosine_to_teacher"] == 1).all()
    shifted = pd.read_csv(out / "figureA5_smoke.csv")
    assert shifted.groupby("network").size().eq(16).all()
    curves = pd.read_csv(out / "figure4_centre_smoke.csv")
    assert list(curves["method"].unique()) == ["teacher", "kd", "e2kd", "e2kd_frozen"]
    classes = pd.read_csv(out / "figureA3_smoke.csv")["group"].unique()
    others = pd.read_csv(out / "figureA4_smoke.csv")["group"].unique()
    names = lab.experiments.get("voc", "smoke").classes()
    assert set(classes) <= set(names[:5])
    assert set(others) <= set(names[5:])


def test_tables_have_the_papers_numbers_and_the_differences(written):
    out, _, _ = written
    table = pd.read_csv(out / "table2_smoke_beside_paper.csv")
    cell = table.query("place == 0 and method == 'kd' and metric == 'agreement'").set_index("source")["mean"]
    assert cell["paper"] == 38.4
    here = table.query("source != 'paper' and place == 0 and method == 'kd' and metric == 'agreement'").iloc[0]
    assert here["difference"] == pytest.approx(here["mean"] - 38.4)
    teaser = pd.read_csv(out / "teaser_bcos_smoke.csv")
    assert set(teaser["part"]) == {"data", "shift"}
    assert len(pd.read_csv(out / "teaser_bcos_smoke_explanations.csv")) == 3  # networks


def test_a_second_call_writes_the_same_bytes(folder, tiny, tiny_bcos, tmp_path, monkeypatch):
    only(monkeypatch, "teaser_bcos", "figure2", "figure4_left", "figure4_centre", "table2")
    first, second = (
        write_figures(tmp_path / out, runs=folder, own=(tiny, tiny_bcos), say=lambda line: None)
        for out in ("first", "second")
    )
    assert len(first) == len(second) == 5 * 5 + 3
    for one, other in zip(first, second, strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size > 100


def test_what_is_not_finished_is_not_drawn(folder, tiny, tiny_bcos, tmp_path, monkeypatch):
    runs = shutil.copytree(folder, tmp_path / "runs")
    unfinished = runs / tiny_bcos.replace(method="e2kd", lam=5.0).run_name() / "status.json"
    unfinished.write_text(json.dumps({"status": "stopped"}))
    checkpoint = runs / lab.experiments.get("voc", "smoke").replace(method="kd").run_name() / "best.ckpt"
    checkpoint.unlink()
    only(monkeypatch, "figure1", "figure2", "figureA1", "table4")
    lines = []
    files = write_figures(tmp_path / "out", runs=runs, own=(tiny, tiny_bcos), say=lines.append)
    first, second, third, fourth = lines
    assert first == "figure1_smoke: missing waterbirds (bcos, base): e2kd"
    assert second.startswith("figure2_smoke: not drawn: ")
    assert "best.ckpt" in second
    assert third.endswith("; without waterbirds (bcos, base): e2kd")
    assert set(pd.read_csv(tmp_path / "out" / "figureA1_smoke.csv")["family"]) == {"standard"}
    assert fourth.startswith("table4_smoke: written")  # results are still there
    assert {file.name.split(".")[0] for file in files} == {
        "figureA1_smoke",
        "figureA1_smoke_caption",
        "table4_smoke",
        "table4_smoke_beside_paper",
        "table4_smoke_caption",
    }


def test_runs_of_other_data_are_skipped_with_a_line_that_says_so(runs, tmp_path, monkeypatch):
    only(monkeypatch, "figure1", "figure3")
    lines = []
    assert write_figures(tmp_path, runs=runs, scale="smoke", say=lines.append) == []
    assert lines[0].endswith("kd, e2kd (finished ones have other data or another recipe)")
    assert "baseline, kd, e2kd, at, reviewkd, catkd (finished ones have other data or another recipe)" in lines[1]


def test_scales_without_runs_have_no_lines_and_unknown_ones_are_refused(runs, tmp_path):
    lines = []
    assert write_figures(tmp_path, runs=runs, scale="lab", say=lines.append) == []
    assert lines == []
    with pytest.raises(ExperimentError, match="no scale 'acme'; expected one of smoke, lab, paper, own"):
        write_figures(tmp_path, runs=runs, scale="acme")


def test_captions_tell_methods_seeds_scale_and_name_the_runs_in_a_comment(written, tiny_bcos):
    out, _, _ = written
    text = (out / "figure1_smoke_caption.tex").read_text()
    run = tiny_bcos.replace(method="e2kd", lam=5.0).run_name()
    assert f"% {run}\n" in text
    (line,) = [line for line in text.splitlines() if not line.startswith("%")]
    assert line.startswith(r"\caption{Explanations in and out of distribution, B-cos networks.")
    assert r"e$^2$KD, $\lambda$ = 5, $\tau$ = 1 (seed 0)" in line
    assert "Measured here (smoke test, meaningless)." in line
    assert "Baseline" not in (out / "teaser_bcos_smoke_caption.tex").read_text()  # it is not in that figure
    for file in out.glob("*_caption.tex"):
        caption = file.read_text().split("\\caption", 1)[1]
        assert "(seed" in caption, file.name
        assert "_" not in caption
        assert caption.count("{") == caption.count("}")
        assert caption.count("$") % 2 == 0
