"""The command line as a user calls it."""

import os
import re
import subprocess
import sys
from typing import get_args

import pandas as pd
import pytest
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

import e2kd_lab as lab
from e2kd_lab.cli.commands import app, main
from e2kd_lab.cli.demo import COLUMNS
from e2kd_lab.cli.tables import print_measures
from e2kd_lab.data.splits import SPLITS
from e2kd_lab.figures.labels import title_of
from e2kd_lab.metrics.titles import LAB_MEASURES
from e2kd_lab.runs import load_runs
from e2kd_lab.system.errors import LabError


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_demo_writes_results_and_figures_and_is_quick_the_second_time(workspace, tmp_path):
    result = call("demo", "--scale", "smoke", "--out", tmp_path / "demo")
    assert result.exit_code == 0
    assert "jupyter lab" in result.output
    table = pd.read_csv(tmp_path / "demo" / "results.csv")
    assert list(table.columns) == COLUMNS
    assert set(table["method"]) == {"teacher", "baseline", "kd", "e2kd"}
    assert set(table["group"]) == {
        "all", "in_distribution", "out_of_distribution", "worst", "LL", "LW", "WL", "WW",
    }  # fmt: skip
    for stem in ("waterbirds_bars", "waterbirds_explanations"):
        for kind in ("pdf", "svg", "png"):
            assert (tmp_path / "demo" / f"{stem}.{kind}").stat().st_size > 1000
    again = call("demo", "--scale", "smoke", "--out", tmp_path / "again")
    assert "loaded" in again.output
    assert "trained" not in again.output
    assert (tmp_path / "again" / "results.csv").read_bytes() == (tmp_path / "demo" / "results.csv").read_bytes()


def test_data_make_and_check(tmp_path):
    folder = tmp_path / "birds"
    made = call("data", "make", "minibirds", "--out", folder, "--size", 16, "--train", 4, 2, "--val", 1, "--test", 1,
                "--teacher-images", 1)  # fmt: skip
    assert made.exit_code == 0
    checked = call("data", "check", folder)
    assert "14 images, all of them readable" in checked.output


@pytest.mark.parametrize(("name", "classes"), [("mininet", 20), ("miniscenes", 10)])
def test_embedded_image_folders_are_made_and_checked(tmp_path, name, classes):
    made = call("data", "make", name, "--out", tmp_path / name, "--size", 16, "--train", 2, "--val", 1)
    assert made.exit_code == 0
    checked = call("data", "check", tmp_path / name)
    assert f"{3 * classes} images, all of them readable" in checked.output
    assert f"{classes} classes" in checked.output
    next((tmp_path / name / "train").glob("*/*")).write_bytes(b"")
    with pytest.raises(LabError, match="not an image that can be decoded"):
        call("data", "check", tmp_path / name)


def test_freeze_reports_and_writes(workspace, tmp_path):
    arguments = [
        "freeze",
        "--scale",
        "smoke",
        "--runs",
        tmp_path / "runs",
        "--set",
        f"frozen_root={tmp_path / 'cache'}",
    ]
    report = call(*arguments, "--report")
    assert "float16" in report.output
    assert not (tmp_path / "cache").exists()
    assert "80 of 80 images frozen" in call(*arguments).output
    assert "holds the frozen teacher" in call(*arguments).output


def test_train_evaluate_results_figures(workspace, tmp_path):
    trained = call("train", "waterbirds", "--scale", "smoke", "--method", "kd", "--runs", tmp_path, "--set", "lr=0.005")
    assert ": done" in trained.output
    checkpoint = next(tmp_path.glob("*-kd-*")) / "last.ckpt"
    evaluated = call("evaluate", "waterbirds", checkpoint, "--scale", "smoke", "--set", "lr=0.005", "--runs", tmp_path)
    assert {"Agreement", "Accuracy", "cosine"} <= set(evaluated.output.split())
    assert call("results", "--runs", tmp_path, "--out", tmp_path / "all.csv").exit_code == 0
    assert len(pd.read_csv(tmp_path / "all.csv")) > 50
    drawn = call("figures", "--runs", tmp_path, "--out", tmp_path / "figures")
    assert "waterbirds_standard_base_bars_smoke: written" in drawn.output
    assert (tmp_path / "figures" / "waterbirds_standard_base_bars_smoke.pdf").is_file()


def numbers_in(output):
    """The cells of a printed table, by its rows' first cell."""
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if "│" in line]
    return {cells[0]: cells[1:] for cells in lines}


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("method", ["e2kd", "teacher"])
def test_a_run_is_evaluated_as_it_was_trained(runs, tiny, method, by_name):
    experiment = tiny.teacher_experiment() if method == "teacher" else tiny.replace(method="e2kd", lam=5.0)
    folder = runs / experiment.run_name()
    run = (folder.name, "--runs", runs) if by_name else (folder,)
    shown = numbers_in(call("evaluate", *run, "--data-root", tiny.data_root).output)
    test = lab.Run(folder).results().query("split == 'test' and metric == 'accuracy'").set_index("group")["value"]
    for group in ("all", "worst"):
        assert f"{test[group]:.1f}" in shown[title_of("group", group)]


def test_a_run_with_a_setting_of_its_own_is_evaluated(workspace, tmp_path):
    experiment = lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", explain_every=2, setting="every 2")
    run = lab.run(experiment, folder=tmp_path, progress=False)
    assert "Agreement" in call("evaluate", run.folder, "--split", "val").output


def test_a_run_that_needs_other_data_says_so(runs, tiny, workspace):
    with pytest.raises(LabError, match="was trained on other data; expected those, by --data-root"):
        call("evaluate", runs / tiny.replace(method="kd").run_name())
    with pytest.raises(LabError, match="has its own scale, family and setting; expected none beside it"):
        call("evaluate", runs / tiny.replace(method="kd").run_name(), "--scale", "smoke")


def test_results_mix_seeds_but_no_recipes(workspace, tmp_path):
    arguments = ["train", "waterbirds", "--scale", "smoke", "--method", "baseline", "--runs", tmp_path]
    for more in (["--seed", 0], ["--seed", 1], ["--set", "lr=0.005"]):
        assert call(*arguments, *more).exit_code == 0
    lines = call("results", "--runs", tmp_path).output.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert "OOD: Out-of-distribution" in " ".join(" ".join(lines).split())
    wide = CliRunner().invoke(app, ["results", "--runs", str(tmp_path)], env={"COLUMNS": "160"}).output
    rows = [[cell.strip() for cell in line.split("│")] for line in wide.splitlines() if "baseline" in line]
    runs = load_runs(tmp_path).query("split == 'test' and metric == 'accuracy' and group == 'in_distribution'")
    means = runs[runs["method"] == "baseline"].groupby(runs["run"].str.split("-").str[3])["value"]
    assert {(row[4], row[5]) for row in rows} == {
        (digest[:6], f"{v.mean():.1f}" + (f" ± {v.std():.1f} (2)" if len(v) == 2 else "")) for digest, v in means
    }


def test_sweep_runs_a_grid_once_and_goes_on_past_failures(workspace, tmp_path):
    arguments = ["sweep", "waterbirds", "--scale", "smoke", "--method", "kd", "--seeds", "0,1", "--runs", tmp_path]
    first = call(*arguments)
    assert first.exit_code == 0
    assert "4 of 4 runs are done, 0 failed." in first.output  # two temperatures, two seeds
    second = call(*arguments, "--method", "baseline")
    assert second.output.count("done before") == 4
    assert "6 of 6 runs are done" in second.output
    drawn = call("figures", "--scale", "smoke", "--runs", tmp_path, "--out", tmp_path / "figures")
    assert "figure3_smoke: written" in drawn.output
    assert "table1_smoke: missing imagenet_standard" in drawn.output
    assert (tmp_path / "figures" / "figureB2a_smoke.svg").is_file()
    diverging = [f"--set={value}" for value in ("lr=1e30", "clip_norm=None", "warmup_epochs=0", "epochs=4")]
    broken = call(*arguments[:-4], "--method", "baseline", "--runs", tmp_path, *diverging)
    assert broken.exit_code == 1
    assert "expected a finite number" in broken.output
    assert "3 failed" in broken.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sweep", "waterbirds", "--method", "kd", "--seeds", "a"], "--seeds a is no list of whole numbers"),
        (["sweep", "waterbirds", "--method", "magic"], "There is no method 'magic'"),
        (["train", "waterbirds", "--family", "acme"], "no family 'acme'; expected one of standard, bcos"),
        (["data", "check", "/nowhere"], "error: /nowhere is not a folder"),
        (["freeze", "waterbirds"], "Experiment 'waterbirds' cannot be frozen"),
        (["train", "moonbirds"], "error: There is no experiment 'moonbirds'"),
        (["train", "waterbirds", "--scale", "paper"], "give data_root"),
        (["data", "make", "minibirds", "--size", "3"], "size"),
        (["results", "--runs", "/nowhere"], "holds no runs"),
        (["figures", "--runs", "/nowhere"], "holds no finished runs yet"),
        (["data", "check", "x" * 300], "xxx is not a folder"),
        (["data", "check", "~nobody-has-this-name"], "~nobody-has-this-name is not a folder"),
        (["data", "make", "minibirds", "--out", "x" * 300], "File name too long"),
        (["train", "waterbirds", "--scale", "smoke", "--data-root", "~nobody-has-this-name"], "is not a folder"),
        (["train", "waterbirds", "--scale", "smoke", "--runs", "x" * 300], "cannot be written to: File name too long"),
        (["train", "waterbirds", "--scale", "smoke", "--teacher", "x" * 300], "xxx is neither a checkpoint file nor"),
        (["results", "--runs", "x" * 300], "cannot be read: File name too long"),
        (["figures", "--all", "--runs", "x" * 300], "cannot be read: File name too long"),
        (["evaluate", "waterbirds", "/", "--scale", "smoke"], "/ is a folder; expected a checkpoint file"),
        (["evaluate", "waterbirds", "nowhere.pt"], "nowhere.pt is not there; expected a checkpoint file"),
        (["evaluate", "nowhere"], "'nowhere' is no run, neither as a folder nor in"),
        (["evaluate", "x" * 300], "xxx' is no run, neither as a folder nor in"),
        (["list", "birds"], "no list of 'birds'; expected one of experiments, methods, explanations, networks"),
        (["evaluate", "waterbirds", "x" * 300, "--scale", "smoke"], "xxx is not there; expected a checkpoint file"),
        (["freeze", "--device", "acme"], "There is no device 'acme'; expected auto, cpu or cuda"),
        (["train", "waterbirds", "--scale", "smoke", "--devices", "0"], "'devices' is 0"),
        (
            ["train", "waterbirds", "--scale", "smoke", "--seed", "77", "--device", "acme"],
            "There is no device 'acme'; expected auto, cpu or cuda",
        ),
        (["train", "waterbirds", "--lam", "inf"], "'lam' is 'inf'; expected a number up to 1e300"),
        (["train", "waterbirds", "--set", "epochs={[]: 1}"], "'epochs' is '{[]: 1}'; expected a whole number"),
        (["train", "waterbirds", "--set", "name=../elsewhere"], "'name' is '../elsewhere'; expected letters, digits"),
        (["figures", "--all", "--scale", "acme"], "no scale 'acme'; expected one of smoke, lab, paper, own"),
    ],
)
def test_mistakes_end_in_one_sentence(monkeypatch, capsys, workspace, arguments, says):
    monkeypatch.setattr(sys, "argv", ["e2kd-lab", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


def test_a_workspace_that_cannot_be_made_is_a_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("E2KD_LAB_HOME", str(tmp_path / ("x" * 300)))
    monkeypatch.setattr(sys, "argv", ["e2kd-lab", "train", "waterbirds", "--scale", "smoke"])
    with pytest.raises(SystemExit):
        main()
    error = capsys.readouterr().err
    assert error.startswith("error: MiniBirds could not be written to")
    assert error.endswith(": File name too long.\n")


def test_a_terminal_without_greek_letters_shows_question_marks(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "E2KD_LAB_HOME": str(tmp_path)}
    command = ["e2kd-lab", "train", "waterbirds", "--set", "τ=1"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert shown.returncode == 1
    assert shown.stderr.startswith("error: An experiment has no field '?'; expected one of")


@pytest.mark.parametrize("command", [["e2kd-lab"], [sys.executable, "-m", "e2kd_lab"]])
def test_the_command_is_installed(command):
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "demo" in shown.stdout


def test_the_shell_completes_names():
    environment = {**os.environ, "COMP_WORDS": "e2kd-lab train water", "COMP_CWORD": "2",
                   "_E2KD_LAB_COMPLETE": "complete_bash"}  # fmt: skip
    shown = subprocess.run(["e2kd-lab"], capture_output=True, text=True, check=True, env=environment)
    assert shown.stdout.split() == ["waterbirds"]


@pytest.mark.parametrize(
    ("command", "option", "names"),
    [
        ("train", "scale", lab.experiments.SCALES),
        ("train", "family", lab.experiments.FAMILIES),
        ("evaluate", "scale", lab.experiments.SCALES),
        ("evaluate", "split", SPLITS),
        ("figures", "scale", get_args(lab.experiments.Scale)),
        ("bench", "only", lab.bench.BENCHMARKS),
    ],
)
def test_the_shell_completes_all_values_and_the_help_names_them(command, option, names):
    described = {one.name: one for one in get_command(app).commands[command].params}[option]
    completed = described.shell_complete(None, "")
    assert [item.value for item in completed] == list(names)
    assert set(names) <= set(re.findall(r"\w+", described.help))


def test_tables_take_their_titles_from_the_measures(capsys):
    """Every measure of the lab, and one of a plug-in."""
    metrics = [*LAB_MEASURES, "brier_score"]
    rows = pd.DataFrame({"group": "worst", "metric": metrics, "value": range(len(metrics))})
    wide = Console(width=1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("e2kd_lab.cli.tables.console", wide)
        print_measures(rows, "Test")
    headings = capsys.readouterr().out.splitlines()[2]
    assert [cell.strip() for cell in headings.strip("┃").split("┃")[1:]] == [title_of("metric", m) for m in metrics]


def test_names_are_listed(workspace):
    assert "settings: base, mixup, long" in call("list", "experiments").output
    assert [name in call("list").output for name in ("e²KD", "gradcam", "bcos_resnet18")] == [True, True, True]


def test_options_mean_the_same_in_all_commands():
    """One help text an option, but where a command takes several values or none."""
    several = {"experiment", "method", "setting", "scale", "out", "to", "run"}
    texts = {}
    for command in get_command(app).commands.values():
        for option in command.params:
            texts.setdefault(option.name, set()).add(option.help)
    assert {name for name, found in texts.items() if len(found) > 1} == several
    for name in ("train", "sweep", "freeze", "evaluate"):
        options = {option.name for option in get_command(app).commands[name].params}
        assert options >= {"setting", "family", "set_", "plugin", "data_root", "teacher", "device", "runs"}
