"""Code is identified by all that it is made of: its file and those it imports, or what a notebook's names mean."""

import os
import sys

import pytest

import e2kd_lab as lab
from e2kd_lab.models import MODELS
from e2kd_lab.system.code_identity import content_of, own_imports
from e2kd_lab.system.plugins import VARIABLE

CELL = """
import math
import e2kd_lab as lab
from torch import nn
{before}
class Block(nn.Module):
    scale = {scale}
    def forward(self, x):
        return x * {factor}
    @staticmethod
    def depth():
        return {depth}
class Net(Block):
    pass
def head(width=8):
    return lambda number: width + {width} + OPTIONS["k"]
OPTIONS = {{"k": {option}, "names": ["a"]}}
later = head({captured})
def net(num_classes):
    return [Net() for _ in range(1)], later(num_classes), math.pi
"""
VALUES = {"before": "", "scale": 1.0, "factor": 2, "depth": 3, "width": 4, "option": 5, "captured": 6}


def of_a_cell(**changes):
    """Identity of a function of a notebook."""
    space = {"__name__": "a_notebook_cell"}
    exec(CELL.format(**(VALUES | changes)), space)
    return content_of(space["net"])


@pytest.mark.parametrize("name", [name for name in VALUES if name != "before"])
def test_whatever_a_notebooks_network_is_made_of_counts(name):
    assert of_a_cell() == of_a_cell() != of_a_cell(**{name: 7})


def test_what_it_is_not_made_of_does_not_count():
    assert of_a_cell() == of_a_cell(before="unrelated = 3\ndef other(): return unrelated\n")


def test_a_run_with_a_changed_network_of_an_unchanged_name_is_another_run(monkeypatch):
    def name_of_run(width):
        space = {"__name__": "a_notebook_cell"}
        exec(CELL.format(**VALUES | {"width": width}), space)
        space["net"].__qualname__ = "net_of_a_cell"
        lab.register_model("net_of_a_cell")(space["net"])
        return lab.experiments.get("waterbirds", "smoke").replace(student="net_of_a_cell").run_name()

    for field in ("_entries", "_origins"):
        monkeypatch.setattr(MODELS, field, dict(getattr(MODELS, field)))
    assert name_of_run(4) == name_of_run(4) != name_of_run(5)


PLUGIN = """
import {sibling}
import e2kd_lab as lab
@lab.register_model("{name}")
def net(num_classes):
    return {sibling}.WIDTH
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A file, one that it imports, and one that this imports in turn."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for field in ("_entries", "_origins"):
        monkeypatch.setattr(MODELS, field, dict(getattr(MODELS, field)))
    (tmp_path / "own_widths.py").write_text("WIDTH = 4\n")
    (tmp_path / "own_layers.py").write_text(
        "import json\nfrom torch import nn\nimport own_widths\nWIDTH = own_widths.WIDTH\n"
    )
    path = tmp_path / "own_net.py"
    path.write_text(PLUGIN.format(name="net_with_layers", sibling="own_layers"))
    yield path
    for name in ("own_net", "own_layers", "own_widths"):
        sys.modules.pop(name, None)


def test_files_that_a_plugin_imports_count_and_are_read_anew_with_it(plugin):
    module = lab.use(plugin)
    assert [one.__name__ for one in own_imports(module)] == ["own_widths", "own_layers"]
    before = MODELS.identity("net_with_layers")
    (plugin.parent / "own_widths.py").write_text("WIDTH = 400\n")
    os.utime(plugin.parent / "own_widths.py", (1, 1))
    assert MODELS.identity("net_with_layers") == before  # what was imported is what would be trained
    assert lab.use(plugin).net(2) == 400
    assert MODELS.identity("net_with_layers") != before
    (plugin.parent / "own_widths.py").write_text("WIDTH = 4\n")
    assert lab.use(plugin).net(2) == 4
    assert MODELS.identity("net_with_layers") == before
