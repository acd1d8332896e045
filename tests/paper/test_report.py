"""The report: one web page of finished runs."""

import json
import re
import shutil

import pytest
from typer.testing import CliRunner

import e2kd_lab as lab
from e2kd_lab.cli.commands import app
from e2kd_lab.paper import write_report
from e2kd_lab.runs import Run
from e2kd_lab.system.errors import RunError

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Colour of a page's ground, and of the first pixel of a picture.
GROUND = "getComputedStyle(document.body).backgroundColor"
PIXEL = """image => { const context = document.createElement('canvas').getContext('2d'); context.drawImage(image, 0, 0);
return `rgb(${[...context.getImageData(0, 0, 1, 1).data].slice(0, 3).join(', ')})`; }"""


@pytest.fixture(scope="module")
def students(tiny, runs):
    return [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("baseline", "kd", "e2kd")]


@pytest.fixture(scope="module")
def report(tiny, students, runs, tmp_path_factory):
    return write_report(
        {"Birds & <others>": (tiny, students)}, tmp_path_factory.mktemp("report") / "r.html", images=8, folder=runs
    )


def data_of(report):
    text = report.read_text(encoding="utf-8")
    return json.loads(re.search(r"const DATA = (.*);\n", text)[1].replace("<\\/", "</"))


def test_it_needs_nothing_from_elsewhere(report):
    text = re.sub(r"data:image/\w+;base64,[\w+/=]+", "", report.read_text(encoding="utf-8"))
    assert not re.search(r"https?:|src=.?/|<link|@import|url\(", text)
    assert "Birds &amp; &lt;others&gt;" in text


def test_it_says_what_the_runs_say(report, tiny, students, runs):
    (own,) = data_of(report)["sets"]
    assert [run["method"] for run in own["runs"]] == ["baseline", "kd", "e2kd"]
    assert own["runs"][2]["lam"] == 5.0
    # Predictions are the networks' own, on the same images.
    examples = lab.runs.examples.examples_of(tiny, 8)
    for run, told in zip(students, own["runs"], strict=True):
        model = run.load_model()
        predicted = model(model.preprocess(examples.images)).argmax(1).tolist()
        assert [one["prediction"] for one in told["said"]] == [tiny.classes()[k] for k in predicted]
        assert [one["correct"] for one in told["said"]] == [
            k == label for k, label in zip(predicted, examples.classes.tolist(), strict=True)
        ]
        assert all(-1 <= one["cosine"] <= 1 for one in told["said"])
    accuracy = lab.results_of(students).query(
        "method == 'kd' and split == 'test' and metric == 'accuracy' and group == 'out_of_distribution'"
    )["value"]
    assert f"data-value='{float(accuracy.iloc[0])}'" in report.read_text(encoding="utf-8")


def test_classes_and_several_labels(taught, few_shots, workspace, tmp_path):
    path = write_report(taught, tmp_path / "voc.html", images=6, folder=workspace / "voc-runs")
    sets = data_of(path)["sets"]
    assert len(sets) == len(taught)
    assert {one["prediction"] for one in sets[0]["runs"][0]["said"]} <= {"found", "not found"}


def test_the_command_reports_all_runs_by_experiment_and_family(runs, minibirds, tmp_path):
    path = tmp_path / "all.html"
    command = ["report", "--runs", str(runs), "--to", str(path), "--examples", "4"]
    with pytest.warns(match="trained on other data"):
        result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, RunError)
    assert "no finished runs of students" in str(result.exception)
    result = CliRunner().invoke(app, [*command, "--data-root", str(minibirds)])
    assert result.exit_code == 0, result.output
    assert [len(own["runs"]) for own in data_of(path)["sets"]] == [3, 3]


def test_the_command_reports_runs_of_the_lab(workspace, tmp_path):
    smoke = lab.experiments.get("waterbirds", "smoke")
    folder = tmp_path / "runs"
    names = [lab.run(smoke.replace(method=m), folder=folder, progress=False).folder.name for m in ("baseline", "kd")]
    path = tmp_path / "two.html"
    result = CliRunner().invoke(app, ["report", names[1], "--runs", str(folder), "--to", str(path), "--examples", "4"])
    assert result.exit_code == 0, result.output
    assert [run["method"] for run in data_of(path)["sets"][0]["runs"]] == ["kd"]


def test_no_runs_are_refused(tiny, tmp_path):
    with pytest.raises(RunError, match="no finished runs of students"):
        write_report({"Birds": (tiny, [])}, tmp_path / "r.html")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: browsers are not tested")
def test_it_works_in_a_browser_without_network(report):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(offline=True).new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(report.as_uri())
        page.wait_for_selector(".example")
        assert page.locator(".example").count() == 8
        page.select_option("[data-is=method]", "e2kd")
        assert "λ = 5" in page.locator("[data-is=run]").inner_text()
        curves = page.locator("picture img")
        for scheme, ground in (("light", 255), ("dark", 17)):  # curves stand on the page's own ground
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("image => image.complete", arg=curves.element_handle())
            assert {curves.evaluate(PIXEL), page.evaluate(GROUND)} == {f"rgb({ground}, {ground}, {ground})"}
        page.select_option("[data-is=order]", "lowest cosine first")
        cosines = [float(re.search(r"cosine (\S+)", text)[1]) for text in page.locator(".example").all_inner_texts()]
        assert cosines == sorted(cosines)
        page.select_option("[data-is=relation]", "incorrect")
        shown = page.locator(".example").count()
        page.select_option("[data-is=relation]", "correct")
        assert shown + page.locator(".example").count() == 8
        page.select_option("[data-is=relation]", "all")
        page.select_option("[data-is=beside]", "1")
        assert page.locator(".example").first.locator("img").count() == 4
        assert page.locator(".example img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
        heading = page.locator("th button").nth(3)
        heading.click()
        column = page.locator("tbody tr td:nth-child(4)")
        values = [float(text) for text in column.all_inner_texts()]
        assert values == sorted(values, reverse=True)
        heading.focus()
        page.keyboard.press("Enter")
        assert [float(text) for text in column.all_inner_texts()] == sorted(values)
        browser.close()
        assert errors == []
