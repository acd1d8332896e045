"""The lab in a real browser: run a notebook in JupyterLab, move sliders by keyboard, train, stop, export.

Skipped where there is no Chromium.
"""

import csv
import re
import shutil
from pathlib import Path

import pytest
from jupyterlab_pages import CHROMIUM, opened_notebooks, write_notebook

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: browsers are not tested")


# A panel with pictures beside and below each other.
PANEL = """import e2kd_lab as lab
from e2kd_lab.widgets import SweepMap
lab.run(lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", lam=5.0), progress=False)
SweepMap(lab.experiments.get("waterbirds", "smoke").replace(lam=5.0))"""

# One panel in two cells.
STUDIO = """import e2kd_lab as lab
from e2kd_lab.widgets import Studio
birds = lab.experiments.get("waterbirds", "smoke")
studio = Studio(birds, [lab.run(birds.replace(method="kd"), progress=False)])
studio"""


@pytest.fixture
def opened(tmp_path, workspace):
    """Open a notebook in a browser and run all of its cells; the page, and the notebook's folder."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(NOTEBOOKS / "00_quickstart.ipynb", folder)
    write_notebook(folder / "panel.ipynb", [PANEL])
    write_notebook(folder / "studio.ipynb", [STUDIO, "studio"])
    with opened_notebooks(folder, workspace, tmp_path) as run_all:
        yield lambda notebook: (run_all(notebook), folder)


def test_pictures_keep_their_shape_at_every_width_can_be_saved_and_copied_and_follow_a_drag(opened):
    page, _ = opened("panel")
    pictures = page.locator(".jp-OutputArea-output img")
    pictures.nth(2).wait_for(timeout=120_000)
    sizes = "images => images.map(i => [i.naturalWidth, i.naturalHeight, i.clientWidth, i.clientHeight])"
    for width in (1100, 1400, 1920, 2560):
        page.set_viewport_size({"width": width, "height": 1080})
        page.wait_for_timeout(500)
        drawn = [size for size in pictures.evaluate_all(sizes) if size[3]]
        assert len(drawn) == 3
        for natural_width, natural_height, shown_width, shown_height in drawn:
            assert shown_width / shown_height == pytest.approx(natural_width / natural_height, rel=0.01), width
    panel = page.locator(".jp-OutputArea-output", has=page.locator("button", has_text="Download"))
    panel.locator("button", has_text="Download").click()
    saved = {}
    for suffix in ("zip", "pdf", "svg", "png", "csv"):
        with page.expect_download(timeout=60_000) as download:
            panel.locator(f"a[download$='.{suffix}']").first.click()  # of the map; curves and maps follow
        saved[suffix] = Path(download.value.path()).read_bytes()
    assert {suffix: content[:4] for suffix, content in saved.items() if suffix in ("zip", "pdf", "png")} == {
        "zip": b"PK\x03\x04",
        "pdf": b"%PDF",
        "png": b"\x89PNG",
    }
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.locator("button", has_text="Copy table").first.click()
    page.wait_for_selector("text=copied")
    rows = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [row.split("\t") for row in rows] == list(csv.reader(saved["csv"].decode().splitlines()))
    panel.locator("button", has_text="Copy figure").first.click()
    copied = "[...document.querySelectorAll('[role=status]')].filter(s => s.textContent == ' copied').length == 2"
    page.wait_for_function(copied)
    copied = page.evaluate("navigator.clipboard.read().then(items => items[0].types)")
    assert copied == ["image/png"]
    # The panel follows a drag before it ends; however fast it was, the last value is shown.
    slider = panel.locator(".noUi-target:visible").first
    slider.scroll_into_view_if_needed()
    rail, handle = slider.bounding_box(), slider.locator(".noUi-handle").bounding_box()
    height = handle["y"] + handle["height"] / 2
    page.mouse.move(handle["x"] + handle["width"] / 2, height)
    page.mouse.down()
    for share in (0.0, 1.0, 0.0, 1.0):
        page.mouse.move(rail["x"] + share * rail["width"], height, steps=20)
    page.wait_for_selector("text=/e²KD, λ = 15, τ = 1, seed 0 has no finished run yet/", timeout=30_000)
    page.mouse.up()


def test_run_all_move_sliders_by_keyboard_train_stop_and_export(opened):
    page, folder = opened("00_quickstart")
    panel = page.locator(".jp-OutputArea-output", has=page.locator("button", has_text="Train"))
    panel.first.wait_for(timeout=180_000)
    picture = panel.locator("img").last
    picture.wait_for(timeout=60_000)
    before = picture.get_attribute("src")
    # The last cell's assertions ran without complaint.
    page.wait_for_function(
        "[...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].at(-1)"
        ".querySelector('.jp-InputPrompt').innerText.match(/\\[\\d+\\]/)",
        timeout=120_000,
    )
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    slider = panel.locator(".noUi-handle").first
    slider.scroll_into_view_if_needed()
    slider.focus()
    page.keyboard.press("ArrowRight")
    expected = "document.evaluate(\"//*[contains(text(), 'no result yet: press Train')]\", document).iterateNext()"
    page.wait_for_function(expected, timeout=30_000)
    page.wait_for_function(
        "before => [...document.querySelectorAll('.jp-OutputArea-output img')].every(i => i.src !== before)",
        arg=before,
        timeout=30_000,
    )
    panel.locator("button", has_text="Train").click()
    page.wait_for_selector("text=/λ = 10.*test accuracy/", timeout=120_000)
    panel.locator("button", has_text="Export").click()
    page.wait_for_selector("text=/Wrote curves_standard_e2kd_lam10/", timeout=60_000)
    panel.locator(".noUi-handle").nth(1).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=/λ = 10, τ = 2.*no result yet: press Train/", timeout=30_000)
    epochs = panel.get_by_label("Epochs")
    epochs.fill("2000")
    epochs.press("Tab")
    # The kernel knows: a click may otherwise overtake the change.
    page.wait_for_selector("text=/τ = 2, seed 0, 2000 epochs.*press Train/", timeout=30_000)
    panel.locator("button", has_text="Train").click()
    page.wait_for_selector("text=/τ = 2.*step [1-9][0-9]* of/", timeout=60_000)
    panel.locator("button", has_text="Stop").click()
    page.wait_for_selector("text=/λ = 10, τ = 2, seed 0, 2000 epochs.*press Resume to go on/", timeout=60_000)
    written = {file.suffix for file in (folder / "exports").glob("curves_standard_e2kd_lam10*")}
    assert written == {".pdf", ".svg", ".png", ".csv"}


def pixel(picture):
    """Colour of a picture's first pixel."""
    return picture.evaluate(
        """image => { const canvas = document.createElement('canvas'); const context = canvas.getContext('2d');
        context.drawImage(image, 0, 0); return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3); }"""
    )


def test_the_studio_by_keyboard_for_screen_readers_in_both_themes_and_without_a_kernel(opened):
    page, _ = opened("studio")
    panels = page.get_by_role("group", name="Studio")
    panels.nth(1).get_by_role("img", name="Picture 1").wait_for(timeout=180_000)
    panel, again = panels.all()
    # Tab and arrow keys reach every control, each of which has a name.
    panel.get_by_role("tab", name="Picture").focus()
    page.keyboard.press("Tab")
    number = panel.get_by_role("slider", name="Picture")
    assert number.evaluate("handle => handle === document.activeElement")
    page.keyboard.press("ArrowRight")
    for one in (panel, again):  # in step, and told in words
        one.get_by_role("img", name=re.compile("Picture 2.*Teacher: (land|water)bird, .* %")).wait_for(timeout=30_000)
    number.focus()
    page.keyboard.press("Shift+Tab")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    seen = panel.get_by_role("img", name="Picture 2")
    before = seen.get_attribute("src")
    panel.get_by_label("Mark a point in all pictures").press("Space")
    page.wait_for_function("([image, src]) => image.src !== src", arg=[seen.element_handle(), before])
    before = seen.get_attribute("src")
    panel.get_by_role("slider", name="Across").press("ArrowLeft")  # the point
    page.wait_for_function("([image, src]) => image.src !== src", arg=[seen.element_handle(), before])
    strip = panel.get_by_role("button", name="Strip", exact=True)
    assert strip.get_attribute("aria-pressed") == "false"
    strip.press("Enter")
    panel.get_by_role("img", name=re.compile("Way of the change Land to water, in 9 steps")).wait_for(timeout=30_000)
    assert strip.get_attribute("aria-pressed") == "true"
    nameless = panel.locator("[role=slider]:not([aria-label]), img:visible:not([alt])")
    assert nameless.count() == 0
    # A panel stands on the page's ground.
    assert pixel(seen) == [255, 255, 255]
    for theme, ground in (("Dark", 0x11), ("Light", 0xFF)):
        before = seen.get_attribute("src")
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", f"JupyterLab {theme}"
        )
        page.wait_for_function("([image, src]) => image.src !== src", arg=[seen.element_handle(), before])
        page.wait_for_function("image => image.complete", arg=seen.element_handle())
        assert pixel(seen) == [ground] * 3
    # Without its kernel, the page says what to do, and shows the picture.
    note = page.get_by_text("Run this cell again")
    assert [one.is_visible() for one in note.all()] == [False, False]
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate(
        """async () => { const token = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
        for (const one of await (await fetch('/api/sessions')).json())
            await fetch(`/api/sessions/${one.id}`, { method: 'DELETE', headers: { 'X-XSRFToken': token } }); }"""
    )
    page.reload()
    note.first.wait_for(timeout=60_000)
    assert page.get_by_role("group", name="Studio").count() == 0
    assert page.get_by_alt_text("The panel's picture").first.is_visible()
