"""Benchmarks: the reference computes what the lab computes, and what is timed is written down."""

import json

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from e2kd_lab.bench import run_benchmarks
from e2kd_lab.bench.frozen import frozen_operations
from e2kd_lab.bench.localisation import maps_and_boxes, masks_of, measures_of
from e2kd_lab.bench.pairs import METHODS, Pair, in_double, our_steps, plain_pair
from e2kd_lab.bench.reference import PlainStep, epg_and_iou
from e2kd_lab.bench.steps import check_steps
from e2kd_lab.bench.timing import BenchError, Spread, ratio_of, take_turns
from e2kd_lab.cli import app
from e2kd_lab.explain import explain
from e2kd_lab.models import build_model

CPU = torch.device("cpu")


@pytest.mark.parametrize("family", ["", "bcos_"])
def test_the_reference_explains_and_trains_as_the_lab_does(family):
    pair = Pair(f"{family}resnet_mini_deep", f"{family}resnet_mini", 5, 32, 4)
    teacher, student = pair.build(CPU)
    check_steps(pair, teacher, student)  # compares losses and gradients
    own_teacher, own_student = in_double(teacher, student)
    plain, _ = plain_pair(own_teacher, own_student)
    images = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    expected = explain(own_teacher, images)
    logits, classes, maps = plain.explained(images, train=False)
    torch.testing.assert_close(logits, expected.logits)
    torch.testing.assert_close(maps, expected.maps)
    assert classes.tolist() == expected.classes.tolist()


@pytest.mark.parametrize("family", ["", "bcos_"])
def test_steps_in_half_precision_stay_near_the_others(family):
    pair = Pair(f"{family}resnet_mini_deep", f"{family}resnet_mini", 5, 32, 4)
    moved = []
    for half in (False, True):
        teacher, student = pair.build(CPU)
        our_steps(teacher, student, *pair.images_and_labels(CPU), half=half)["e2kd"]()
        moved.append(torch.cat([buffer.flatten().double() for buffer in student.buffers()]))
    torch.testing.assert_close(moved[1], moved[0], rtol=0.02, atol=0.02)
    assert not torch.equal(moved[1], moved[0])  # and are in half precision


def test_a_reference_that_computes_something_else_is_not_timed(monkeypatch):
    monkeypatch.setattr(
        "e2kd_lab.bench.steps.PlainStep",
        lambda name, student, teacher, *, lam, tau: PlainStep(name, student, teacher, lam=1.01 * lam, tau=tau),
    )
    pair = Pair("resnet_mini_deep", "resnet_mini", 5, 32, 4)
    with pytest.raises(BenchError, match="The e2kd step of resnet_mini"):
        check_steps(pair, *pair.build(CPU))


def test_the_loop_over_images_gives_the_same_epg_and_iou():
    maps, boxes = maps_and_boxes(7, 40, CPU)
    for ours, reference in zip(measures_of(maps, masks_of(boxes, 40)), epg_and_iou(maps, boxes), strict=True):
        torch.testing.assert_close(ours, torch.as_tensor(reference, dtype=ours.dtype), rtol=1e-5, atol=1e-6)


def test_contestants_take_turns_and_ratios_are_taken_round_by_round():
    order = []
    seconds = take_turns({name: lambda name=name: order.append(name) for name in "ab"}, 4, CPU)
    assert {name: len(values) for name, values in seconds.items()} == {"a": 4, "b": 4}
    assert order.count("a") == order.count("b") == 5  # once more to warm up
    ratio = ratio_of({"a": [2.0, 4.0, 60.0], "b": [1.0, 2.0, 30.0]}, "a", "b")
    assert (ratio.lower, ratio.median, ratio.upper, ratio.repeats) == (2, 2, 2, 3)
    assert Spread.of([1.0, 2.0, 3.0]).median == 2


def test_frozen_steps_cost_what_published_operation_counts_give():
    teacher, student = build_model("densenet169", 1000), build_model("resnet18", 1000)
    asked, own = 3.36, 1.81  # billions of multiplications and additions at 224 px, from torchvision's table of models
    found = frozen_operations(Pair("densenet169", "resnet18", 1000, 224, 1), teacher, student)
    assert found == pytest.approx(dict.fromkeys(("kd", "e2kd"), 3 * own / (asked + 3 * own)), rel=0.01)
    found = frozen_operations(Pair("bcos_densenet169", "bcos_resnet18", 1000, 224, 1), teacher, student)
    expected = {"kd": 6 * own / (asked + 3 * own), "e2kd": 6 * own / (2 * asked + 6 * own)}
    assert found == pytest.approx(expected, rel=0.01)


def test_the_command_writes_numbers_and_a_figure(workspace, tmp_path):
    result = CliRunner().invoke(
        app, ["bench", "--quick", "--only", "steps", "--only", "epg_iou", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "bench.json").read_text())
    assert {"machine", "timings", "ratios", "peak_bytes"} <= set(found)
    assert {timing["benchmark"] for timing in found["timings"]} == {"steps", "epg_iou"}
    assert found["machine"]["threads"] == torch.get_num_threads()
    table = pd.read_csv(tmp_path / "bench.csv")
    assert (table[["lower", "median", "upper"]] > 0).all(axis=None)
    assert sum(table["title"] == "e²KD / KD") == 2
    assert len(found["timings"]) == 2 * 2 * len(METHODS) + 3
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".csv", ".pdf", ".svg", ".png"}


def test_what_is_not_known_is_refused(tmp_path):
    with pytest.raises(BenchError, match="no benchmark 'speed'; expected one of steps"):
        run_benchmarks(["speed"], quick=True, out=tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(BenchError, match="no CUDA device"):
            run_benchmarks(["epg_iou"], device="cuda", quick=True, out=tmp_path)
