"""Takes the README's picture, notebooks/lab.png: the loss panel of notebook 09 in JupyterLab.

``python .docs/lab_picture.py`` needs Chromium, and the notebook's lab-scale runs; it trains those that are missing.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NOTEBOOK, LAST_CELL = "09_lambda_tau_lab.ipynb", "loss = LossLab("
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MINUTES = 60_000  # in ms


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Run JupyterLab with settings of its own; gives the notebook's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder / 'notebooks'}", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
    ]  # fmt: skip
    server = subprocess.Popen(command, env={**os.environ, **own})
    try:
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK}?token={token}"
    finally:
        server.terminate()
        server.wait(timeout=60)


def take(picture: Path) -> None:
    """Run the notebook up to the panel and save the window."""
    notebook = nbformat.read(NOTEBOOKS / NOTEBOOK, as_version=4)
    last = next(number for number, cell in enumerate(notebook.cells) if LAST_CELL in cell.source)
    notebook.cells = notebook.cells[: last + 1]
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "notebooks").mkdir()
        nbformat.write(notebook, folder / "notebooks" / NOTEBOOK)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        with jupyterlab(folder) as address:
            page = browser.new_page(viewport={"width": 1400, "height": 740})
            for _ in range(60):  # until the server answers
                try:
                    page.goto(address)
                    break
                except Exception:
                    page.wait_for_timeout(1000)
            page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=2 * MINUTES)
            page.evaluate("void window.jupyterapp.commands.execute('application:toggle-left-area')")
            page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
            panel = page.locator(".jp-OutputArea-output", has=page.locator(".noUi-handle"))
            panel.locator("img").last.wait_for(timeout=30 * MINUTES)
            page.locator(".jp-Cell", has=panel).last.evaluate("cell => cell.scrollIntoView({block: 'start'})")
            page.wait_for_timeout(3000)  # for the widgets to be laid out
            page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    take(NOTEBOOKS / "lab.png")
