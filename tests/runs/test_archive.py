"""Archives: unpacked elsewhere, they give the same table and the same networks."""

import json
import shutil
import zipfile

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import e2kd_lab as lab
from e2kd_lab.cli.commands import app
from e2kd_lab.runs.archive import archive_runs
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.folder_lock import folder_lock


@pytest.fixture
def trained(workspace, tmp_path):
    """A student's run and its teacher's, in a folder of their own."""
    shared, folder = workspace / "runs-of-archives", tmp_path / "runs"
    run = lab.run(lab.experiments.get("waterbirds", "smoke").replace(method="kd"), folder=shared, progress=False)
    shutil.copytree(shared, folder)
    return lab.Run(folder / run.folder.name)


def test_what_is_unpacked_is_what_was_packed(trained, tmp_path):
    packed = archive_runs([trained], tmp_path / "a" / "runs.zip")
    assert len(packed) == 2
    (trained.folder.parent / "other").mkdir()
    with zipfile.ZipFile(tmp_path / "a" / "runs.zip") as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "there")
    assert not any(name.endswith((".lock", ".part", ".png", ".jpg")) for name in names)
    pd.testing.assert_frame_equal(lab.load_runs(tmp_path / "there"), lab.load_runs(trained.folder.parent))
    here, there = trained.load_model(), lab.Run(tmp_path / "there" / trained.folder.name).load_model()
    for (name, mine), other in zip(here.state_dict().items(), there.state_dict().values(), strict=True):
        assert torch.equal(mine, other), name


def test_the_command_packs_all_runs_or_some(trained, tmp_path):
    folder = trained.folder.parent
    for names, count in (([], 2), ([trained.folder.name], 2)):
        arguments = ["archive", *names, "--runs", str(folder), "--to", str(tmp_path / "runs.zip")]
        assert f"holds {count} runs" in CliRunner().invoke(app, arguments, catch_exceptions=False).output
    with pytest.raises(RunError, match=r"runs\.zip is a file; expected a folder of runs: unpack an archive first"):
        lab.load_runs(tmp_path / "runs.zip")


def test_what_cannot_be_packed_is_refused(trained, tmp_path):
    with pytest.raises(RunError, match="no runs to pack"):
        archive_runs([], tmp_path / "runs.zip")
    shutil.copytree(trained.folder, tmp_path / "copy" / trained.folder.name)
    twice = [trained, lab.Run(tmp_path / "copy" / trained.folder.name)]
    with pytest.raises(RunError, match="have the same name"):
        archive_runs(twice, tmp_path / "runs.zip")
    status = trained.folder / "status.json"
    status.write_text(json.dumps({**json.loads(status.read_text()), "status": "running", "host": "elsewhere"}))
    with folder_lock(trained.folder, trained.folder / ".lock", "training", RunError):
        assert trained.status == "running"
        with pytest.raises(RunError, match="expected a finished or stopped run"):
            archive_runs([trained], tmp_path / "runs.zip")
    assert not (tmp_path / "runs.zip").exists()
