"""Every command works in a folder of any name, and without a home folder that can be written to."""

import json
import os
import subprocess
import sys

import pytest
from typer.main import get_command

from e2kd_lab.cli.commands import app

COMMANDS = (
    "data make minibirds --size 16 --train 4 2 --val 1 --test 1 --teacher-images 1",
    "data make mininet --size 16 --train 2 --val 1",
    "data make miniscenes --size 16 --train 2 --val 1",
    "data make minivoc --size 32 --train 4 --val 2 --test 2",
    "data check data/minibirds",
    "demo --scale smoke --device cpu",
    "train waterbirds --scale smoke --method kd --device cpu --workers 1 --runs few",
    "train waterbirds --scale smoke --method kd --device cpu --set student=timm/mobilenetv3_small_050",
    "plan waterbirds --scale smoke --method baseline --device cpu",
    "sweep waterbirds --scale smoke --method baseline --device cpu",
    "freeze --scale smoke --device cpu",
    "evaluate KD --device cpu",
    "results --out results.csv",
    "figures --scale smoke --runs few",
    "report KD --examples 4",
    "archive KD --to runs.zip",
    "export KD --to network",
    "list",
    "bench --quick --only loading --device cpu",
)
# An account that the system does not know has no home, as in containers that are started for any user's number.
PROGRAM = """
import json, os, pwd, sys, traceback
from pathlib import Path
home, commands, answer = json.loads(sys.argv[1])
if home is None:
    del os.environ["HOME"]
    def unknown(number):
        raise KeyError(f"uid not found: {number}")
    pwd.getpwuid = unknown
else:
    os.environ["HOME"] = home
from e2kd_lab.cli import main
ended = {}
for command in commands:
    words = command.split()
    if "KD" in words:  # a run whose name is not known before
        words[words.index("KD")] = next(Path("runs").glob("*-kd-*")).name
    sys.argv = ["e2kd-lab", *words]
    try:
        main()
        ended[command] = 0
    except SystemExit as end:
        ended[command] = end.code or 0
    except BaseException:
        ended[command] = traceback.format_exc()
Path(answer).write_text(json.dumps(ended))
"""


@pytest.fixture(scope="module", params=["without a home", "a home that is read only"])
def ended(request, tmp_path_factory):
    """How each command ended, all in one process, and what was said."""
    pytest.importorskip("pwd", reason="accounts have no numbers on Windows")
    root = tmp_path_factory.mktemp("places")
    workspace = root / "Übungs ordner" / ("ein sehr langer Name " * 10 + "é")
    workspace.mkdir(parents=True)
    home = None
    if request.param != "without a home":
        (root / "home").mkdir(mode=0o555)
        home = str(root / "home") if os.geteuid() else "/proc"  # root may write everywhere else
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "MPLCONFIGDIR", "TORCH_HOME", "HF_", "E2KD_LAB_"))
    }
    arguments = json.dumps([home, COMMANDS, str(root / "answer.json")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, arguments],
        cwd=workspace,
        env={**environment, "E2KD_LAB_HOME": str(workspace), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    assert (root / "answer.json").is_file(), done.stderr
    yield {**json.loads((root / "answer.json").read_text()), "output": done.stderr, "workspace": workspace}
    if home is not None and os.geteuid():
        (root / "home").chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_it_works(ended, command):
    assert ended[command] == 0, ended["output"]


@pytest.mark.slow
def test_what_is_made_lies_where_it_should(ended):
    made = {path.name for path in ended["workspace"].iterdir()}
    assert made == {
        "data",
        "runs",
        "few",
        "exports",
        "results.csv",
        "report.html",
        "runs.zip",
        "network",
    }  # and no folder that is called "~"
    assert any((ended["workspace"] / "exports").glob("*.pdf"))


def test_no_command_is_left_out():
    assert {command.split()[0] for command in COMMANDS} == set(get_command(app).commands)
