"""The contract with a stranger: five snippets, at most this long, and each does what it says."""

import copy
import re
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

import e2kd_lab as lab

SNIPPETS = {
    "networks": """
teacher = lab.adapt(my_teacher)                          # finds the last feature map by a dry run
student = lab.adapt(timm.create_model("mobilenetv3_small_100", num_classes=37), layer="blocks.5")
e2kd = lab.methods.E2KD(student, teacher, lam=5.0, tau=1.0)
for images, labels in my_loader:                         # RGB in [0, 1]
    e2kd(images, labels)["loss"].backward()
""",
    "pictures": """
pets = lab.experiments.own("pets", data="pets/", teacher="timm/resnet50", student="timm/mobilenetv3_small_100",
                           image_size=128, epochs=30)
run = lab.run(pets.replace(method="e2kd", lam=5.0))      # data: a folder of train/val/test/<class>, a CSV, or Datasets
lab.widgets.ExplanationBrowser(pets, [run])
""",
    "explanation": """
@lab.register_explanation("layercam_of_the_contract")
class LayerCAM(lab.explanations.FeatureMapExplanation):
    def weigh(self, features, gradients): return (gradients.relu() * features).sum(1, keepdim=True).relu()
""",
    "method": """
@lab.register_method("dkd_of_the_contract", title="DKD", colour="#7A5195", grid={"beta": [1.0, 2.0, 8.0]})
class DKD(lab.methods.Distiller):
    alpha: float = 1.0
    beta: float = 8.0
    def step(self, batch): return self.beta * (self.student_logits(batch) - self.teacher_logits(batch)).square().mean()
""",
    "network": """
@lab.register_model("my_net_of_the_contract")
def my_net(num_classes):
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes))
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), head)
""",
}  # fmt: skip


def run(name, **names):
    space = {"lab": lab, "nn": nn, "timm": timm, "__name__": "strangers_notebook", **names}
    exec(SNIPPETS[name], space)
    return space


@pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")
def test_own_networks_in_an_own_loop():
    torch.manual_seed(0)
    my_teacher = timm.create_model("resnet18d", num_classes=37)
    before = copy.deepcopy(my_teacher.state_dict())
    space = run("networks", my_teacher=my_teacher, my_loader=[(torch.rand(2, 3, 64, 64), torch.tensor([0, 36]))])
    student = space["student"]
    assert sum(parameter.grad.abs().sum() for parameter in student.parameters() if parameter.grad is not None) > 0
    assert before.keys() == my_teacher.state_dict().keys()
    assert all(torch.equal(value, before[key]) for key, value in my_teacher.state_dict().items())


def test_own_explanations_serve_everywhere():
    run("explanation")
    model = lab.build_model("resnet_mini", 3).eval()
    images = torch.rand(2, 3, 32, 32)
    explained = lab.explain(model, images, method="layercam_of_the_contract", create_graph=True)
    assert explained.maps.shape == (2, 1, 32, 32)
    explained.maps.sum().backward()
    assert model.conv1.weight.grad.abs().sum() > 0
    wanted = lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", explanation="layercam_of_the_contract")
    usual = wanted.replace(explanation=None)
    assert wanted.plugins().keys() == {"explanation layercam_of_the_contract"}
    assert "by LayerCAM" in wanted.title
    assert "by" not in usual.title.split()


def test_own_methods_serve_everywhere():
    run("method")
    base = lab.experiments.get("waterbirds", "smoke").replace(method="dkd_of_the_contract", beta=2.0)
    assert base.hyperparameters == {"alpha": 1.0, "beta": 2.0}
    assert "alpha = 1, beta = 2" in base.title
    assert [one.hyperparameters["beta"] for one in base.grid("dkd_of_the_contract")] == [1.0, 2.0, 8.0]
    assert base.replace(method="kd").hyperparameters == {"tau": 1.0}
    assert lab.figures.style.METHOD_TITLES["dkd_of_the_contract"] == "DKD"
    assert lab.figures.style.METHOD_COLOURS["dkd_of_the_contract"] == "#7A5195"
    with pytest.raises(lab.errors.ExperimentError, match=r"no field 'gamma'; expected .* \(alpha, beta\)"):
        base.replace(gamma=1.0)
    with pytest.raises(lab.errors.ExperimentError, match="'beta' is 'much'; expected a number"):
        base.replace(beta="much")


@pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")
def test_own_networks_by_name():
    run("network")
    model = lab.build_model("my_net_of_the_contract", 4)
    assert lab.explain(model.eval(), torch.rand(2, 3, 32, 32)).logits.shape == (2, 4)


@pytest.mark.slow
def test_own_pictures_from_a_folder_to_a_panel(pictures, workspace, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    snippet = SNIPPETS["pictures"]
    monkeypatch.setitem(SNIPPETS, "pictures", snippet.replace("epochs=30", "epochs=1").replace("128", "64"))
    space = run("pictures")
    assert space["run"].status == "done"
    assert space["run"].config["name"] == "pets"


def test_the_readme_brings_its_own(pictures, workspace, monkeypatch):
    """The README's section runs as it stands, but for sizes."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Bring your own")[2].partition("\n## ")[0]
    code = "\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL))
    for long, short in (("timm/resnet50", "resnet_mini_deep"), ("timm/mobilenetv3_small_100", "resnet_mini"),
                        ("image_size=128", "image_size=32"), ("epochs=30", "epochs=1")):  # fmt: skip
        assert long in code
        code = code.replace(long, short)
    monkeypatch.chdir(pictures.parent)
    my_loader = [(torch.rand(2, 3, 64, 64), torch.tensor([0, 1]))]
    space = {"my_teacher": timm.create_model("resnet18d", num_classes=37), "my_loader": my_loader}
    exec(code, {**space, "__name__": "readers_notebook"})
