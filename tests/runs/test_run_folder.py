"""What others see of a run: colleagues who may only read it, and those who wait for it."""

import os
import re
import socket
import subprocess
import sys

import pytest
from ordinary_rights import denied, open_folder

import e2kd_lab as lab
from e2kd_lab.runs import Run
from e2kd_lab.system.errors import RunError

# Root may read and write everything, so it becomes somebody else after the imports.
READER = """
import os
from pathlib import Path
from e2kd_lab.runs import Run
if os.geteuid() == 0:
    os.setuid(65534)
run = Run(Path("."))
print(run.status, run.whereabouts, sep="\\n")
"""


def seen_by_a_reader(folder):
    """Status and whereabouts, as a process without the right to write sees them."""
    folder.chmod(0o555)
    try:
        shown = subprocess.run([sys.executable, "-c", READER], cwd=folder, capture_output=True, text=True, check=True)
    finally:
        folder.chmod(0o755)
    return shown.stdout.splitlines()


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "waterbirds-lab-kd-0123abcd-s0")
    run.folder.mkdir()
    run.set_status("running")
    for file in run.folder.iterdir():
        file.chmod(0o444)
    return run


SIGN_OF_LIFE = rf"\(process {os.getpid()} on {re.escape(socket.gethostname())}, last sign of life \d+-\d+-\d+ [\d:]+\)"


def test_a_reader_sees_where_a_run_is_at_work(run):
    with run.locked():
        (run.folder / ".lock").chmod(0o444)
        status, whereabouts = seen_by_a_reader(run.folder)
        assert (run.status, status) == ("running", "running")
        assert re.fullmatch(f"running elsewhere {SIGN_OF_LIFE}", whereabouts)
        assert re.fullmatch(f"running here {SIGN_OF_LIFE}", run.whereabouts)
    assert seen_by_a_reader(run.folder) == ["stopped", "stopped"]
    assert run.status == "stopped"


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes on Windows: who may not ask is not tested")
def test_a_reader_who_may_not_ask_sees_unknown(run):
    with run.locked():
        (run.folder / ".lock").chmod(0)
        status, whereabouts = seen_by_a_reader(run.folder)
    assert status == "unknown"
    assert re.fullmatch(f"unknown {SIGN_OF_LIFE}", whereabouts)


def test_messages_say_where_a_teacher_is_at_work(tiny, tmp_path):
    teacher = Run(tmp_path / tiny.teacher_experiment().run_name())
    with teacher.locked():
        teacher.set_status("running")
        with pytest.raises(RunError, match=f"is running here {SIGN_OF_LIFE}; expected the finished run of the teacher"):
            lab.load_teacher(tiny.replace(method="kd"), folder=tmp_path)
        with pytest.raises(RunError, match=f"is running here {SIGN_OF_LIFE}; expected a finished run to export"):
            teacher.export(tmp_path / "teacher.safetensors")


def test_who_waits_for_a_teacher_can_be_stopped(tiny, tmp_path):
    class Stop(lab.Watcher):
        def should_stop(self):
            return True

    with Run(tmp_path / tiny.teacher_experiment().run_name()).locked():
        run = lab.run(tiny.replace(method="kd"), folder=tmp_path, progress=False, watchers=[Stop()])
    assert run.status == "new"


@pytest.mark.parametrize("what", ["folder", "status.json"])
def test_a_run_that_may_not_be_read_is_unknown(what):
    with open_folder() as folder:
        run = Run(folder / "waterbirds-lab-kd-0123abcd-s0")
        run.folder.mkdir()
        run.set_status("done")
        (run.folder / "config.json").write_text("{}")
        with denied(run.folder if what == "folder" else run.folder / what):
            assert (run.status, run.error) == ("unknown", None)
            assert re.fullmatch(r"unknown \(.*status\.json cannot be read\)", run.whereabouts)
            if what == "folder":
                with pytest.warns(lab.errors.LabNote, match="s0 cannot be read, and is left out: Permission denied"):
                    assert lab.runs.find_runs(folder) == []
            else:
                assert lab.runs.find_runs(folder) == [run]
        assert run.status == "done"


def test_a_folder_that_is_no_run_is_new(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "odd" / "status.json").mkdir(parents=True)
    for name in ("nothing", "file", "odd", "x" * 300):
        assert Run(tmp_path / name).status == "new"
