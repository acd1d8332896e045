"""The manual's pages run as they stand, but for sizes."""

import re
from pathlib import Path

import pytest
import timm
import torch

import e2kd_lab as lab

MANUAL = Path(__file__).parents[2] / ".docs" / "pages"
PAGES = sorted((MANUAL / "how-to").glob("*.md"))
SMALLER = {
    "timm/resnet50": "resnet_mini_deep",
    "timm/mobilenetv3_small_100": "resnet_mini",
    "image_size=128": "image_size=32",
    "epochs=30": "epochs=1",
}


def test_there_is_a_page_for_each_thing_that_one_may_add():
    names = {path.stem for path in PAGES}
    things = {"network", "pictures", "explanation", "method", "measure", "watcher", "tracker", "plug-in"}
    assert names == things | {"bcosify", "cluster", "large-data"}  # these are about use


@pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")
@pytest.mark.parametrize("page", [MANUAL / "index.md", *PAGES], ids=lambda path: path.stem)
def test_a_page_runs(page, pictures, workspace, monkeypatch):
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    if page.stem == "pictures":
        assert all(long in code for long in SMALLER)
    for long, short in SMALLER.items():
        code = code.replace(long, short)
    monkeypatch.chdir(pictures.parent)
    monkeypatch.setenv("E2KD_LAB_PLUGINS", "")
    code = code.replace("my_project.py", "readers_project.py")  # a name that no other test imports
    (pictures.parent / "readers_project.py").write_text("answer = 42\n")
    my_loader = [(torch.rand(2, 3, 64, 64), torch.tensor([0, 1]))]
    space = {"my_teacher": timm.create_model("resnet18d", num_classes=37), "my_loader": my_loader}
    space["__name__"] = "readers_notebook"  # the README's reader, who registers the same names
    exec(code, space)
    if "run" in space:
        assert space["run"].status in ("done", "stopped")
    if page.stem == "measure":
        assert "confidence" in set(lab.results_of([space["run"]])["metric"])
