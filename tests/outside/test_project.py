"""A stranger's file in use: trained, resumed in a new process, swept, shown, tabled, frozen, shifted, exported."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import e2kd_lab as lab

PROJECT = Path(__file__).parent / "my_project.py"
pytestmark = pytest.mark.filterwarnings("ignore::e2kd_lab.system.errors.LabNote")


@pytest.fixture(scope="module")
def project(workspace, pictures):
    """The stranger's module and experiment."""
    before = dict(os.environ)
    os.environ["MY_PICTURES"] = str(pictures)
    yield lab.use(PROJECT)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs of a stranger")


@pytest.fixture(scope="module")
def runs(project, folder):
    """Finished runs of KD, DKD, and e2KD by LayerCAM."""
    own = (
        project.birds.replace(method="kd"),
        project.birds.replace(method="strangers_dkd", beta=2.0),
        project.birds.replace(method="e2kd", explanation="strangers_layercam"),
    )
    return [lab.run(one, folder=folder, progress=False, metrics={"confidence": project.mean_confidence}) for one in own]


def test_runs_are_recorded_with_the_code_that_made_them(project, runs):
    kd, dkd, e2kd = (run.config for run in runs)
    content = kd["plugins"]["model strangers_net"]
    assert dkd["plugins"] == {"model strangers_net": content, "method strangers_dkd": content}
    assert (dkd["options"], dkd["tau"]) == ({"alpha": 1.0, "beta": 2.0}, 4.0)
    assert e2kd["plugins"] == {"model strangers_net": content, "explanation strangers_layercam": content}
    assert str(PROJECT) in (runs[0].folder / "environment.json").read_text()


def test_a_watcher_and_a_measure_reach_the_tables(project, folder):
    keeper = project.LossKeeper()
    run = lab.run(
        project.birds.replace(method="strangers_dkd", seed=1),
        folder=folder,
        progress=False,
        watchers=[keeper],
        metrics={"confidence": project.mean_confidence},
    )
    assert len(keeper.losses) >= 4  # the teacher's run is loaded, the student's is watched
    rows = run.results().query("metric == 'confidence' and group == 'all'")
    assert set(rows["split"]) == {"val", "test"}
    assert rows["value"].between(0.5, 1).all()
    table = lab.results_table(lab.load_runs(folder), rows="method", columns="metric", groups=["all"])
    assert "DKD" in table.to_markdown()
    assert "DKD" in table.to_latex()
    assert "confidence" in table.to_csv()


def test_results_have_a_column_for_each_hyper_parameter(runs, folder):
    results = lab.load_runs(folder)
    assert set(results.loc[results["method"] == "strangers_dkd", "beta"]) <= {2.0, 8.0}
    assert results.loc[results["method"] == "kd", "beta"].isna().all()
    assert set(results["experiment"]) == {"birds"}


def test_a_new_process_rebuilds_the_network_or_says_what_it_needs(runs):
    code = (
        "import sys, torch, e2kd_lab as lab; from e2kd_lab.runs import Run; from pathlib import Path;"
        "[lab.use(p) for p in sys.argv[2:]]; model = Run(Path(sys.argv[1])).load_model();"
        "torch.manual_seed(0); print(lab.explain(model, torch.rand(1, 3, 32, 32)).logits.sum().item())"
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("MY_PICTURES", "E2KD_LAB_PLUGINS")}
    command = [sys.executable, "-W", "ignore", "-c", code, str(runs[2].folder)]
    alone = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "which is not loaded; expected lab.use(FILE) of that file first" in alone.stderr
    assert str(PROJECT) in alone.stderr
    given = subprocess.run([*command, str(PROJECT)], capture_output=True, text=True, check=True, env=environment)
    model = runs[2].load_model()
    torch.manual_seed(0)
    here = lab.explain(model, torch.rand(1, 3, 32, 32)).logits.sum().item()
    assert float(given.stdout) == pytest.approx(here, rel=1e-5)


def test_the_command_line_imports_the_file_first(project, folder, pictures):
    command = [
        "e2kd-lab",
        "sweep",
        "birds",
        "--plugin",
        str(PROJECT),
        "--method",
        "strangers_dkd",
        "--runs",
        str(folder),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "3 of 3 runs are done, 0 failed" in shown.stdout, shown.stdout + shown.stderr
    command = ["e2kd-lab", "train", "birds", "--plugin", str(PROJECT), "--method", "strangers_dkd", "--set", "beta=2.0"]
    shown = subprocess.run([*command, "--runs", str(folder)], capture_output=True, text=True, check=False)
    assert "done" in shown.stdout, shown.stdout + shown.stderr
    assert set(lab.load_runs(folder).query("method == 'strangers_dkd'")["beta"]) == {1.0, 2.0, 8.0}


def test_every_process_of_a_run_imports_the_file(project, folder, pictures):
    """Two processes, each with a worker, train to the row that one process finds done."""
    command = ["e2kd-lab", "train", "birds", "--plugin", str(PROJECT), "--explanation", "strangers_layercam"]
    command += ["--method", "e2kd", "--seed", "2", "--device", "cpu", "--workers", "1", "--runs", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("E2KD_LAB_PLUGINS", None)
    for devices in ("2", "1"):
        shown = subprocess.run(
            [*command, "--devices", devices], capture_output=True, text=True, check=False, env=environment
        )
        assert ": done" in shown.stdout, shown.stdout + shown.stderr
    rows = lab.load_runs(folder).query("method == 'e2kd' and seed == 2 and split == 'test' and group == 'all'")
    assert set(rows["metric"]) >= {"accuracy", "agreement", "explanation_cosine"}


def test_changed_code_is_another_run(project, tmp_path):
    copied = tmp_path / "changed_project.py"
    text = PROJECT.read_text()
    for name in ("strangers_net", "strangers_layercam", "strangers_dkd", "birds"):
        text = text.replace(f'"{name}"', f'"{name}_changing"')
    copied.write_text(text)
    one = lab.use(copied).birds.replace(method="strangers_dkd").config_hash()
    assert one == lab.use(copied).birds.replace(method="strangers_dkd").config_hash()
    copied.write_text(text.replace("1e-9", "1e-8"))
    os.utime(copied, (1, 1))
    assert lab.use(copied).birds.replace(method="strangers_dkd").config_hash() != one


def test_panels_show_them(project, runs, folder, tmp_path):
    browser = lab.widgets.ExplanationBrowser(project.birds, runs, folder=folder, export_folder=tmp_path)
    assert browser.last_error is None
    trainer = lab.widgets.TrainLab(project.birds, folder=folder, export_folder=tmp_path)
    trainer.method.value = "strangers_dkd"
    assert trainer.last_error is None
    assert [value for _, value in trainer.options["beta"].options] == [1.0, 2.0, 8.0]
    trainer.options["beta"].value = 2.0
    assert trainer.experiment.run_name() == runs[1].folder.name
    networks = {"teacher": lab.load_teacher(project.birds, folder=folder), "strangers_dkd": runs[1].load_model()}
    loss = lab.widgets.LossLab(networks, torch.rand(2, 3, 32, 32), export_folder=tmp_path)
    assert loss.last_error is None
    pictures = torch.randint(0, 256, (1, 3, 48, 48), dtype=torch.uint8)
    shifts = lab.widgets.ShiftBrowser(networks, pictures, ["one"], size=32, largest=16, export_folder=tmp_path)
    assert shifts.last_error is None


def test_an_explanation_is_told_by_its_name(project, runs, folder):
    from e2kd_lab.figures.map_pictures import pictures_of
    from e2kd_lab.runs.examples import explained_examples

    shown = explained_examples(
        project.birds.replace(explanation="strangers_layercam"), [runs[2]], count=2, folder=folder
    )
    assert pictures_of(shown, contributions=False).label.startswith("LayerCAM of")


def test_shift_curves_of_a_strangers_explanation(project, runs):
    curve = lab.explanations.shift_curve(runs[2].load_model(), torch.rand(2, 3, 40, 40), size=32, shifts=[0, 4, 8])
    assert curve.shape == (2, 3)
    assert torch.allclose(curve[:, 0], torch.ones(2), atol=1e-5)


def test_weights_go_home(project, runs, tmp_path):
    from safetensors import safe_open

    file = runs[0].export(tmp_path / "student.safetensors")
    again = lab.build_model("strangers_net", 2, weights=str(file)).eval()
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(lab.explain(again, images).logits, lab.explain(runs[0].load_model(), images).logits)
    plain = project.my_net(2)
    with safe_open(file, "pt") as opened:
        plain.load_state_dict({key: opened.get_tensor(key) for key in opened.keys()})  # noqa: SIM118
        assert opened.metadata()["network"] == "strangers_net"


def test_figures_and_results_command(project, runs, folder, tmp_path):
    command = ["e2kd-lab", "figures", "--runs", str(folder), "--out", str(tmp_path), "--plugin", str(PROJECT)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert any("birds" in path.name for path in tmp_path.glob("*.pdf"))
    out = tmp_path / "all.csv"
    subprocess.run(["e2kd-lab", "results", "--runs", str(folder), "--out", str(out)], check=True, capture_output=True)
    assert "strangers_dkd" in set(pd.read_csv(out)["method"])


def test_a_frozen_teacher_explains_by_it(project, folder, tmp_path):
    from e2kd_lab.data.frozen_verified import verified_once
    from e2kd_lab.runs.freeze import freeze

    frozen = lab.experiments.get("imagenet_frozen", "smoke").replace(
        method="e2kd", explanation="strangers_layercam", frozen_root=str(tmp_path / "cache")
    )
    lab.run(frozen.teacher_experiment(), folder=folder, progress=False)
    cache = verified_once(freeze(frozen, runs=folder))
    assert cache.spec.channels == 1  # a CAM of B-cos networks, whose own explanation has six
    assert cache.spec.teacher.endswith("explained by strangers_layercam")
    run = lab.run(frozen, folder=folder, progress=False)
    assert run.status == "done"
    assert run.load_model().explanation == "strangers_layercam"
