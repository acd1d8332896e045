"""Every public name explains itself: what it is, and an example that runs."""

import doctest
import inspect

import pytest

import e2kd_lab as lab


@pytest.mark.parametrize("name", lab.__all__)
def test_a_public_name_has_an_example(name):
    text = inspect.getdoc(getattr(lab, name))
    assert text is not None
    assert len(text.splitlines()[0]) > 20
    assert ">>> " in text


@pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")
@pytest.mark.parametrize("name", lab.__all__)
def test_the_example_runs(name, workspace, monkeypatch):
    for registry in (lab.methods.METHODS, lab.explanations.EXPLANATIONS, lab.models.MODELS):
        for entries in ("_entries", "_origins"):  # what an example registers is gone afterwards
            monkeypatch.setattr(registry, entries, dict(getattr(registry, entries)))
    monkeypatch.setenv("E2KD_LAB_PLUGINS", "")
    thing = getattr(lab, name)
    space = dict(vars(inspect.getmodule(thing)))
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in doctest.DocTestFinder(recurse=False).find(thing, name, globs=space):
        runner.run(example)
    assert runner.failures == 0
