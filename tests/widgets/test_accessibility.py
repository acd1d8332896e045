"""Every panel without a mouse and for screen readers, in a real browser: names, Tab and arrow keys.

Skipped where there is no Chromium.
"""

import inspect
import re

import pytest
from jupyterlab_pages import CHROMIUM, opened_notebooks, write_notebook

from e2kd_lab import widgets

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: browsers are not tested")

PANELS = """import e2kd_lab as lab
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.runs.examples import examples_of
get = lab.experiments.get
families = [get("waterbirds", "smoke", family=family).replace(lam=5.0) for family in ("standard", "bcos")]
runs = [lab.run(one.replace(method=method), progress=False) for one in families for method in ("kd", "e2kd")]
birds, results = families[0], lab.results_of(runs)
networks = {"teacher": load_teacher(birds), "student": runs[0].load_model()}
few = examples_of(birds, 4)
display(
    lab.widgets.ExplanationBrowser(families, runs),
    lab.widgets.LossLab(networks, few.images, titles=few.titles, classes=birds.classes()),
    lab.widgets.PixelShares(families, runs),
    lab.widgets.ResultsPlot(results, "table1"),
    lab.widgets.ResultsTable(results, "figureB2"),
    lab.widgets.ShiftBrowser(networks, few.images, few.titles, size=24, largest=8),
    lab.widgets.Studio(birds, runs[:2]),
    lab.widgets.SweepMap(birds),
    lab.widgets.TrainLab(families),
    lab.widgets.WaterbirdsBars(results),
)"""

KINDS = [one for one in vars(widgets).values() if inspect.isclass(one) and one is not widgets.Panel]
OPERATED = {"button", "checkbox", "combobox", "image", "listbox", "radio", "slider", "spinbutton", "tab", "textbox"}
# What Tab must stop at.
STOPS = """panel => (window.stops = [...panel.querySelectorAll(
    'button, input, select, textarea, a[href], [tabindex], [contenteditable=true]'
)].filter(one => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.tabIndex >= 0)).length"""


@pytest.fixture(scope="module")
def page(tmp_path_factory, workspace):
    """A page with a panel of every kind."""
    folder, own = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyterlab")
    write_notebook(folder / "panels.ipynb", [PANELS])
    with opened_notebooks(folder, workspace, own) as run_all:
        page = run_all("panels")
        page.get_by_role("group", name="Waterbirds bars").get_by_role("img").wait_for(timeout=180_000)
        yield page


def panel_of(page, kind):
    """The panel of a kind, with all of its controls shown; its name."""
    name = re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", kind.__name__)
    panel = page.get_by_role("group", name=name, exact=True)
    fold = panel.get_by_role("button", name="Figure", exact=True, pressed=False)
    if fold.count():
        fold.click()
    return panel, name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_control_and_picture_has_a_name(page, kind):
    _, name = panel_of(page, kind)
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    known = {node["nodeId"]: node for node in nodes}
    told = {key: tuple(node.get(what, {}).get("value", "") for what in ("role", "name")) for key, node in known.items()}
    (panel,) = (key for key, said in told.items() if said == ("group", name))
    within, rest = [], [panel]
    while rest:
        within.append(rest.pop())
        rest += [child for child in known[within[-1]].get("childIds", []) if child in known]
    operated = [told[key] for key in within if told[key][0] in OPERATED and not known[key]["ignored"]]
    assert len(operated) > 5
    assert [role for role, said in operated if not re.search(r"\w\w|λ|τ|^0$", said)] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_tab_reaches_every_control_and_arrow_keys_move_every_slider(page, kind):
    panel, _ = panel_of(page, kind)
    count = panel.evaluate(STOPS)
    page.evaluate("window.stops[0].focus()")
    reached = set()
    for _ in range(count + 5):  # Tab stops at what scrolls, too
        reached.add(page.evaluate("window.stops.indexOf(document.activeElement)"))
        page.keyboard.press("Tab")
    assert reached >= set(range(count))
    for handle in panel.get_by_role("slider").all():
        told = [handle.get_attribute("aria-valuetext")]
        for key in ("ArrowRight", "ArrowLeft"):
            handle.press(key)
            page.wait_for_timeout(150)  # words follow the number
            told.append(handle.get_attribute("aria-valuetext"))
        assert len(set(told)) > 1, handle.get_attribute("aria-label")
        # A slider tells what is chosen, not its place among the values.
        readout = handle.locator("xpath=ancestor::*[contains(@class, 'widget-slider')]").locator(".widget-readout")
        assert told[-1] in readout.text_content()
    assert page.get_by_text("Error:").count() == 0
