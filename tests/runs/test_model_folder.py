"""Exported folders: the lab, timm and torchvision load the same network from them."""

import json
import shutil

import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

import e2kd_lab as lab
from e2kd_lab.cli.commands import app
from e2kd_lab.runs.model_folder import export_folder
from e2kd_lab.system.errors import CheckpointError, ExperimentError, LabNote, RunError


def trained(workspace, network):
    experiment = lab.experiments.get("waterbirds", "smoke").replace(method="baseline", student=network)
    return lab.run(experiment, folder=workspace / "runs-of-exports", progress=False)


@pytest.mark.parametrize("network", ["resnet_mini", "timm/resnet10t", "torchvision/resnet18"])
def test_whoever_loads_it_gets_the_same_logits(workspace, tmp_path, network):
    run = trained(workspace, network)
    folder = export_folder(run, tmp_path / "student")
    images = torch.rand(3, 3, *run.load_model().preprocess(torch.rand(1, 3, 32, 32)).shape[-2:])
    mine, theirs = run.load_model(), lab.build_model(str(folder)).eval()
    expected = mine(mine.preprocess(images))
    torch.testing.assert_close(theirs(theirs.preprocess(images)), expected)
    assert theirs.explanation == mine.explanation
    if network.startswith("timm/"):
        other = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        torch.testing.assert_close(other(mine.preprocess(images)), expected)
        assert tuple(other.pretrained_cfg["mean"]) == pytest.approx(mine.preprocess.mean.flatten().tolist(), abs=1e-5)
    if network.startswith("torchvision/"):
        other = torchvision.models.get_model("resnet18", num_classes=2)
        other.load_state_dict(load_file(folder / "model.safetensors"))
        torch.testing.assert_close(other.eval()(mine.preprocess(images)), expected)


def test_the_command_writes_a_card_that_states_the_run_and_keeps_ones_own(workspace, tmp_path):
    run, folder = trained(workspace, "resnet_mini"), tmp_path / "student"
    arguments = ["export", str(run.folder), "--to", str(folder), "--runs", str(run.folder.parent)]
    lab.run(lab.experiments.get("waterbirds", "smoke").teacher_experiment(), folder=run.folder.parent, progress=False)
    assert "Fill in the licence" in CliRunner().invoke(app, arguments, catch_exceptions=False).output
    card = (folder / "README.md").read_text()
    accuracy = run.results().query("split == 'test' and metric == 'accuracy'")
    assert len(accuracy)
    for row in accuracy.itertuples():
        assert f"| {row.group} | accuracy | {row.value:.4g} |" in card
    assert run.config["data"] in card
    assert card.startswith("---\nlicense: other")
    assert "![Explanations of test images](explanations.png)" in card
    assert Image.open(folder / "explanations.png").width > 300
    (folder / "README.md").write_text("my own")
    export_folder(run, folder)
    assert (folder / "README.md").read_text() == "my own"


def test_without_the_teacher_the_card_has_no_picture_and_says_so(workspace, tmp_path):
    run = trained(workspace, "resnet_mini")
    shutil.copytree(run.folder, tmp_path / "alone" / run.folder.name)
    arguments = ["export", run.folder.name, "--to", str(tmp_path / "student"), "--runs", str(tmp_path / "alone")]
    with pytest.warns(LabNote, match="has no picture of explanations: "):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "explanations.png" not in (tmp_path / "student" / "README.md").read_text()
    assert lab.build_model(str(tmp_path / "student")).explanation == "gradcam"


def test_a_folder_that_is_called_like_a_network_does_not_hide_it(workspace, tmp_path, monkeypatch):
    run = trained(workspace, "resnet_mini")
    export_folder(run, tmp_path / "resnet_mini")
    monkeypatch.chdir(tmp_path)
    assert lab.build_model("resnet_mini", 5)(torch.zeros(1, 3, 32, 32)).shape == (1, 5)
    mine, loaded = run.load_model().state_dict(), lab.build_model("./resnet_mini").state_dict()
    assert all(loaded[name].equal(value) for name, value in mine.items())


def test_what_is_wrong_with_a_folder_is_said(workspace, tmp_path):
    run, folder = trained(workspace, "resnet_mini"), tmp_path / "student"
    export_folder(run, folder)
    with pytest.raises(ExperimentError, match="holds a network of 2 classes"):
        lab.build_model(str(folder), 3)
    about = json.loads((folder / "config.json").read_text())
    for field, value in (("network", 3), ("num_classes", None), ("num_classes", True), ("explanation", [])):
        changed = {"e2kd_lab": {**about["e2kd_lab"], field: value}}
        (folder / "config.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=rf"config\.json: '{field}' is .*; expected it as"):
            lab.build_model(str(folder))
    with pytest.raises(RunError, match="expected a finished run to export"):
        export_folder(lab.Run(tmp_path / "nothing"), tmp_path / "other")
