"""Notebooks in a JupyterLab of their own, opened in Chromium."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import nbformat
from playwright.sync_api import sync_playwright

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


def write_notebook(path, cells):
    """Write a notebook of code cells."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    nbformat.write(notebook, path)


@contextmanager
def opened_notebooks(folder, home, own):
    """What opens a notebook of ``folder`` in a browser and runs all of its cells: its name in, the page out.

    Runs are at smoke scale and lie in ``home``; JupyterLab keeps its settings in the folder ``own``.
    """
    with _jupyterlab(folder, home, own) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)

        def run_all(notebook):
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(address.format(notebook))
            page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
            page.wait_for_function("window.jupyterapp !== undefined")
            page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)
            page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
            return page

        yield run_all
        browser.close()


@contextmanager
def _jupyterlab(folder, home, own):
    """Address of a notebook in a JupyterLab of its own; the name of the notebook is missing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    settings = own / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    environment = {
        **os.environ,
        "E2KD_LAB_SCALE": "smoke",
        "E2KD_LAB_HOME": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        **{f"JUPYTER_{name}_DIR": str(own / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "IPYTHONDIR": str(own / "ipython"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
    ]  # fmt: skip
    with (own / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (own / "server.log").read_text()
                time.sleep(0.5)
        yield f"{address}/lab/tree/{{}}.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(timeout=120)
