"""A stranger's file: imported once, refused in a sentence, inherited by other processes."""

import os
import subprocess
import sys

import pytest

import e2kd_lab as lab
from e2kd_lab.models import MODELS
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.system.plugins import VARIABLE

NET = """
import e2kd_lab as lab
from torch import nn

@lab.register_model("{name}")
def net(num_classes):
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear({width}, num_classes))
    return nn.Sequential(nn.Conv2d(3, {width}, 3, 2), nn.ReLU(), head)
"""


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(sys, "path", [*sys.path])


def plugin(folder, stem, name, width=4):
    path = folder / f"{stem}.py"
    path.write_text(NET.format(name=name, width=width))
    return path


def test_a_file_registers_and_a_changed_one_is_read_anew(tmp_path):
    path = plugin(tmp_path, "plugin_a", "net_of_plugin_a")
    assert lab.use(path) is lab.use(path)
    before = MODELS.identity("net_of_plugin_a")
    assert before.startswith("sha256:")
    plugin(tmp_path, "plugin_a", "net_of_plugin_a", width=6)
    os.utime(path, (1, 1))  # so that no cached bytecode is taken for the new file
    lab.use(path)
    assert MODELS.identity("net_of_plugin_a") != before
    assert str(tmp_path) in MODELS.place("net_of_plugin_a")


def test_a_process_that_is_started_afterwards_has_it(tmp_path):
    lab.use(plugin(tmp_path, "plugin_b", "net_of_plugin_b"))
    code = "import e2kd_lab as lab; print('net_of_plugin_b' in lab.models.MODELS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("stem", "content", "says"),
    [
        ("plugin_c", "1 / 0", "cannot be imported: ZeroDivisionError"),
        ("plugin_d", "import no_such_module_anywhere", "cannot be imported: ModuleNotFoundError"),
        ("plugin_e", "def broken(:", "cannot be imported: SyntaxError"),
        ("json", "pass", "has the name of another module"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence(tmp_path, stem, content, says):
    path = tmp_path / f"{stem}.py"
    path.write_text(content)
    with pytest.raises(ExperimentError, match=says):
        lab.use(path)


def test_what_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(ExperimentError, match="is not there; expected a Python file"):
        lab.use(tmp_path / "missing.py")
    with pytest.raises(ExperimentError, match="cannot be imported: ModuleNotFoundError"):
        lab.use("no_such_module_anywhere")
