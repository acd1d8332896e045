"""Names for what a researcher adds: those of others are refused, code counts by content, a cell may run twice."""

import sys
from pathlib import Path

import pytest

import e2kd_lab as lab
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS
from e2kd_lab.models import MODELS
from e2kd_lab.system.code_identity import content_of
from e2kd_lab.system.errors import ExperimentError, LabNote
from e2kd_lab.system.registry import Registry


@pytest.fixture
def shapes():
    return Registry("shape", "register_shape")


def first():
    return 1


def second():
    return 2


def test_an_unknown_name_is_a_sentence_that_says_how_to_add_it(shapes):
    shapes.add("square", 4, origin=first)
    with pytest.raises(ExperimentError, match="no shape 'circle'; expected one of square, or a plug-in that"):
        shapes["circle"]
    assert "circle" not in shapes
    assert ["circle"] not in shapes  # whatever was given for a name


def test_the_same_code_may_register_again_but_no_other(shapes):
    shapes.add("square", 4, origin=first)
    shapes.add("square", 5, origin=first)
    assert shapes["square"] == 5
    with pytest.raises(ExperimentError, match=r"a shape 'square' already, from .*first; expected another name"):
        shapes.add("square", 6, origin=second)


def test_a_plugin_may_replace_what_is_built_in_and_it_is_noted(shapes):
    shapes.add("square", 4, origin=Registry)  # the lab's own
    with pytest.warns(LabNote, match=r"The shape 'square' is now that of .*first, in place of the lab's own"):
        shapes.add("square", 5, origin=first)
    assert shapes["square"] == 5
    assert shapes.identity("square") is not None
    with pytest.raises(ExperimentError, match="a shape 'square' already"):
        shapes.add("square", 6, origin=second)


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b"])
def test_names_can_be_names_of_folders(shapes, name):
    with pytest.raises(ExperimentError, match="is no name for a shape"):
        shapes.add(name, 4, origin=first)


@pytest.mark.parametrize("registry", [MODELS, METHODS, EXPLANATIONS], ids=lambda one: one.kind)
def test_the_labs_own_code_has_no_identity_of_its_own(registry):
    assert len(registry) > 1
    own = [name for name in registry if str(Path(lab.__file__).parent) in registry.place(name)]
    assert {registry.identity(name) for name in own} == {None}  # results_version says when it changes


def write(path, value):
    path.write_text(f"def net(num_classes):\n    return {value}\n")
    sys.modules.pop("strange_code", None)
    __import__("strange_code")
    return content_of(sys.modules["strange_code"].net)


def test_code_is_identified_by_the_content_of_its_file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "strange_code.py"
    one, other, again = write(path, 10), write(path, 200), write(path, 10)
    assert one == again != other
    sys.modules.pop("strange_code")


def test_code_of_a_notebook_is_identified_by_its_functions_and_defaults():
    def defined(body, field):
        space = {"__name__": "a_notebook_cell"}
        exec(f"class Cell:\n    beta: float = {field}\n    def step(self):\n        return {body}\n", space)
        return content_of(space["Cell"])

    assert defined(1, 2.0) == defined(1, 2.0)
    assert len({defined(1, 2.0), defined(3, 2.0), defined(1, 4.0)}) == 3


def test_registering_something_else_is_refused():
    with pytest.raises(ExperimentError, match=r"expected a class derived from lab\.methods\.Distiller"):
        lab.register_method("no_method")(first)
    with pytest.raises(ExperimentError, match=r"expected a class derived from lab\.explanations\.ExplanationMethod"):
        lab.register_explanation("no_explanation")(dict)
    with pytest.raises(ExperimentError, match="names 'gamma'; expected one of its hyper-parameters: alpha"):

        @lab.register_method("odd_grid", grid={"gamma": [1.0]})
        class Odd(lab.methods.Distiller):
            alpha: float = 1.0
