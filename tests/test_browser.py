"""The lab in a real browser: run a notebook in JupyterLab, move sliders by keyboard, train, stop, export.

Skipped where there is no Chromium.
"""

import csv
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import sync_playwright

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: browsers are not tested")


# A panel with pictures beside and below each other.
PANEL = """import e2kd_lab as lab
from e2kd_lab.widgets import SweepMap
lab.run(lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", lam=5.0), progress=False)
SweepMap(lab.experiments.get("waterbirds", "smoke").replace(lam=5.0))"""


@pytest.fixture
def jupyterlab(tmp_path, workspace):
    """Address of a JupyterLab of its own at smoke scale, with the quickstart notebook and one of a single panel."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(NOTEBOOKS / "00_quickstart.ipynb", folder)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PANEL)], metadata=kernel)
    nbformat.write(notebook, folder / "panel.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    settings = tmp_path / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    environment = {
        **os.environ,
        "E2KD_LAB_SCALE": "smoke",
        "E2KD_LAB_HOME": str(workspace),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        **{f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
    ]  # fmt: skip
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "server.log").read_text()
                time.sleep(0.5)
        yield f"{address}/lab/tree/{{}}.ipynb?token={token}", folder
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def opened(jupyterlab):
    """Open a notebook in a browser and run all of its cells; the page, and the notebook's folder."""
    address, folder = jupyterlab
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)

        def run_all(notebook):
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(address.format(notebook))
            page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
            page.wait_for_function("window.jupyterapp !== undefined")
            page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)
            page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
            return page, folder

        yield run_all
        browser.close()


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
