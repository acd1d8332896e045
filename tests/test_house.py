"""The house: nothing stands loose, folders import those before them only, and what is heavy is imported when used."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import e2kd_lab

HOUSE = Path(e2kd_lab.__file__).parent
ORDER = (
    *("system", "losses", "metrics", "models", "explanations", "methods", "data", "minidata", "training"),
    *("experiments", "runs", "figures", "paper", "widgets", "bench", "cli"),
)
MODULES = sorted(path for path in HOUSE.rglob("*.py") if path.parent != HOUSE)


def imported_folders(path):
    """The folders of the package that a module imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module != "e2kd_lab" else [f"e2kd_lab.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("e2kd_lab."))


def test_each_folder_has_its_place():
    folders = {path.name for path in HOUSE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ORDER)
    assert {path.name for path in HOUSE.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("folder", ORDER)
def test_no_import_goes_against_the_order(folder):
    before = ORDER[: ORDER.index(folder) + 1]
    against = [
        f"{path.relative_to(HOUSE)} imports {other}"
        for path in MODULES
        if path.relative_to(HOUSE).parts[0] == folder
        for other in imported_folders(path)
        if other not in before
    ]
    assert against == []


def test_the_readme_says_the_same_order():
    readme = Path(__file__).parents[1] / "README.md"
    assert " → ".join(f"`{folder}`" for folder in ORDER) in " ".join(readme.read_text().split())


def modules_after(code):
    """The modules that a new process has imported after some code."""
    command = [sys.executable, "-c", f"{code}; import json, sys; print(json.dumps(sorted(sys.modules)))"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


COMMAND_LINE = sorted(path.stem for path in (HOUSE / "cli").glob("[a-z]*.py"))


@pytest.mark.parametrize(
    "code",
    [
        "import e2kd_lab",
        "import e2kd_lab.minidata.minibirds",
        "; ".join(f"import e2kd_lab.cli.{name}" for name in COMMAND_LINE),
    ],
)
def test_heavy_libraries_are_imported_when_they_are_used(code):
    assert not {"torch", "torchvision", "pandas", "matplotlib", "seaborn", "ipywidgets"} & set(modules_after(code))


def test_every_public_name_is_there():
    for name in e2kd_lab.__all__:
        assert getattr(e2kd_lab, name) is not None
    assert set(e2kd_lab.__all__) <= set(dir(e2kd_lab))
    with pytest.raises(AttributeError, match="module 'e2kd_lab' has no attribute 'lossses'"):
        e2kd_lab.lossses
