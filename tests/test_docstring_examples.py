"""The examples in the docstrings run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest
import torch

from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import METHODS
from e2kd_lab.models import MODELS, ZOOS

PUBLIC = ("losses", "metrics", "models", "explanations", "methods")
# The benchmark, the command line and the catalogue have no examples; those of panels belong to notebooks.
FOLDERS = ("system", *PUBLIC, "data", "minidata", "training", "experiments", "runs", "figures")
MODULES = [
    module.name
    for folder in FOLDERS
    for module in pkgutil.iter_modules(
        importlib.import_module(f"e2kd_lab.{folder}").__path__, prefix=f"e2kd_lab.{folder}."
    )
]


def examples(name):
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]


@pytest.fixture(autouse=True)
def _registries_as_before(monkeypatch):
    for registry in (EXPLANATIONS, METHODS, MODELS, ZOOS):
        for field in ("_entries", "_origins"):
            monkeypatch.setattr(registry, field, dict(getattr(registry, field)))


@pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")
@pytest.mark.parametrize("name", [name for name in MODULES if examples(name)])
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for test in examples(name):
        torch.manual_seed(0)
        report = []
        failed = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append).failed
        assert not failed, "".join(report)


@pytest.mark.parametrize("folder", PUBLIC)
def test_every_public_function_has_an_example(folder):
    package = importlib.import_module(f"e2kd_lab.{folder}")
    public = [getattr(package, name) for name in package.__all__]
    functions = [one for one in public if callable(one) and not isinstance(one, type)]
    assert len(functions) > 4
    assert [one.__name__ for one in functions if ">>>" not in (one.__doc__ or "")] == []
