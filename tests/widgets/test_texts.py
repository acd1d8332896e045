"""What people read in panels: titles of the field, no identifiers of the program."""

import html
import re

import ipywidgets
import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.figures.glossary import GLOSSARY
from e2kd_lab.runs import Run
from e2kd_lab.widgets import (
    ExplanationBrowser,
    LossLab,
    PixelShares,
    ResultsPlot,
    ResultsTable,
    ShiftBrowser,
    Studio,
    WaterbirdsBars,
)

# A name with underscores, a method's name, a group's code, a value that is missing, a wrong plural.
IDENTIFIERS = re.compile(r"\w+_\w+|\be2kd\b|\bkd\b|\b(LL|WL|WW)\b|\bnan\b|\bNone\b|\b1 (epochs|images|runs)\b")


def texts(widget):
    """Everything that a widget and those within show: labels, options, tooltips, HTML without names of runs."""
    written = isinstance(widget, ipywidgets.HTML | ipywidgets.Label | ipywidgets.Text)
    for name in ("description", "tooltip", *(["value"] if written else [])):
        if isinstance(value := getattr(widget, name, None), str):
            yield re.sub(r"<code>.*?</code>|<style>.*?</style>|<[^>]*>", " ", value, flags=re.DOTALL)
    for option in getattr(widget, "options", ()) or ():
        yield str(option[0] if isinstance(option, tuple) else option)
    yield from getattr(widget, "tooltips", ()) or ()
    for child in getattr(widget, "children", ()):
        yield from texts(child)


def controls(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from controls(child)


def bars(runs, tiny, shots):
    return WaterbirdsBars(lab.load_runs(runs))


def table(runs, tiny, shots):
    return ResultsTable(lab.load_runs(runs), "figureB2")


def plot(runs, tiny, shots):
    return ResultsPlot(lab.results_of(shots), "table1")


def browser(runs, tiny, shots):
    students = [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("baseline", "kd", "e2kd")]
    return ExplanationBrowser(tiny, students, folder=runs, page_size=2)


def pixels(runs, tiny, shots):
    students = [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("kd", "e2kd")]
    return PixelShares(tiny, students, folder=runs, count=2)


def networks():
    torch.manual_seed(0)
    return {name: lab.build_model("bcos_resnet_mini", 3).eval() for name in ("teacher", "kd", "e2kd")}


def loss(runs, tiny, shots):
    return LossLab(networks(), torch.rand(2, 3, 32, 32), classes=["x", "y", "z"])


def shift(runs, tiny, shots):
    return ShiftBrowser(networks(), torch.rand(1, 3, 40, 40), ["noise"], size=32, largest=8)


def studio(runs, tiny, shots):
    students = [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("kd", "e2kd")]
    return Studio(tiny, students, folder=runs)


PANELS = (bars, table, plot, browser, loss, shift, pixels, studio)


@pytest.mark.parametrize("made", PANELS)
def test_no_identifier_is_shown(made, runs, tiny, few_shots):
    panel = made(runs, tiny, few_shots)
    assert panel.last_error is None
    shown = list(texts(panel.widget))
    assert len(shown) > 10
    assert [text for text in shown if IDENTIFIERS.search(text)] == []


@pytest.mark.parametrize("made", PANELS)
def test_captions_say_what_is_shown_and_of_which_runs(made, runs, tiny, few_shots):
    panel = made(runs, tiny, few_shots)
    text = panel.caption()
    assert text[0].isupper()
    assert not IDENTIFIERS.search(text)
    assert r"e$^2$KD" in text
    if made not in (loss, shift):  # these are given networks, not runs
        assert "(seed 0)" in text
        assert "Measured here (smoke test, meaningless)" in text
    panel.download_button.click()
    assert "Copy caption" in panel.notice.value
    assert html.escape(text) in panel.notice.value
    assert panel.last_error is None


@pytest.mark.parametrize("made", PANELS)
def test_names_of_controls_have_one_width(made, runs, tiny, few_shots):
    panel = made(runs, tiny, few_shots)
    named = [one for one in controls(panel.widget) if getattr(one, "description", "") and hasattr(one, "style")]
    kinds = (ipywidgets.Button, ipywidgets.ToggleButton, ipywidgets.Checkbox, ipywidgets.FileUpload)
    widths = {one.style.description_width for one in named if not isinstance(one, kinds)}
    assert widths <= {"", None, "80px"}


def test_sentences_explain_the_terms_of_the_controls():
    for term in ("agreement", "out-of-distribution", "GradCAM", "W(x)", "λ", "τ", "L2 norm", "1/K", "EPG", "shots"):
        assert GLOSSARY[term].endswith(".")
        assert not IDENTIFIERS.search(GLOSSARY[term])
