"""Plug-ins: files and modules of one's own, imported in this process and in those that it starts."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from e2kd_lab.system.code_identity import files_of, own_imports
from e2kd_lab.system.errors import ExperimentError, LabError

# Child processes inherit it and import the same plug-ins.
VARIABLE = "E2KD_LAB_PLUGINS"
_contents: dict[str, str] = {}


def use(plugin: Path | str) -> ModuleType:
    """Import a file or module that registers networks, explanations, methods or experiments.

    Processes that are started later import it, too. If it or a file of one's own that it imports has changed, both are
    imported again.

    Parameters
    ----------
    plugin : Path or str
        A Python file, a folder that is a package, or the name of a module that can be imported.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ExperimentError
        If there is no such file or module, its name is that of another module, or importing it fails.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.use("my_project.py")  # doctest: +SKIP
    """
    module = _imported(plugin)
    anew = False
    for one in (*own_imports(module), module):  # each after those that it imports
        content, known = _content_of(one), _contents.get(one.__name__)
        _contents[one.__name__] = content
        if (anew := anew or known not in (None, content)) and one.__name__ != "__main__":
            importlib.reload(one)
    place = str(files_of(module)[0].resolve()) if Path(plugin).suffix == ".py" else str(plugin)
    inherited = [text for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys([*inherited, place]))
    return module


def use_inherited() -> None:
    """Import the plug-ins of the parent process."""
    for plugin in os.environ.get(VARIABLE, "").split(os.pathsep):
        if plugin:
            use(plugin)


def _imported(plugin: Path | str) -> ModuleType:
    path = Path(plugin).expanduser()
    is_path = path.suffix == ".py" or path.is_dir()
    if is_path and not path.exists():
        raise ExperimentError(f"{path} is not there; expected a Python file with plug-ins.")
    folder, name = (path.resolve().parent, path.stem) if is_path else (Path.cwd(), str(plugin))
    if str(folder) not in sys.path:  # child processes inherit the path, so that they can unpickle
        sys.path.append(str(folder))
    main = sys.modules["__main__"]
    if is_path and getattr(main, "__file__", None) and Path(str(main.__file__)).resolve() == path.resolve():
        return main  # the program itself
    try:
        module = importlib.import_module(name)
    except LabError:
        raise
    except Exception as error:
        raise ExperimentError(
            f"Plug-in {plugin} cannot be imported: {type(error).__name__}: {error}; expected a Python file or a module "
            "that can be imported from here."
        ) from error
    found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [""])), "")
    if is_path and path.resolve() not in (Path(str(found)).resolve(), Path(str(found)).resolve().parent):
        raise ExperimentError(
            f"Plug-in {path} has the name of another module, {found}; expected a file name of its own."
        )
    return module


def _content_of(module: ModuleType) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files_of(module))).hexdigest()
