"""The studio: one picture, changed at will, asked of any networks."""

import io

import pandas as pd
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from PIL import Image

import e2kd_lab as lab
from e2kd_lab.data.images import read_image
from e2kd_lab.runs import Run
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.widgets import Studio

PNG = b"\x89PNG"


@pytest.fixture
def students(tiny, runs):
    return [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("kd", "e2kd")]


@pytest.fixture
def of_runs(tiny, students, runs):
    """Of photographs, by the teacher and finished runs."""
    return Studio(tiny, students, folder=runs)


@pytest.fixture
def smoke(workspace):
    return lab.experiments.get("waterbirds", "smoke")


@pytest.fixture
def studio(smoke, tmp_path):
    """Of pictures that are drawn, by networks that are not trained."""
    torch.manual_seed(0)
    networks = {name: lab.build_model("resnet_mini", num_classes=2).eval() for name in ("mine", "yours", "theirs")}
    with pytest.warns(match="without the teacher"):
        return Studio(smoke, networks=networks, folder=tmp_path, export_folder=tmp_path / "exports")


def uploaded(name, content):
    return ({"name": name, "type": "", "size": len(content), "content": memoryview(content), "last_modified": None},)


def encoded(size, colour, kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def test_bars_are_the_networks_own_probabilities(tiny, of_runs, students, runs):
    studio = of_runs
    studio.number.value = 3
    image = lab.data.transforms.as_unit_range(tiny.dataset("test")[2]["image"])[None]
    models = {"Teacher": lab.load_teacher(tiny, folder=runs), "kd": students[0].load_model()}
    assert studio.last_error is None
    rows = studio.data.set_index("network")
    for model, row in zip(models.values(), (rows.iloc[0], rows.iloc[1]), strict=True):
        expected = model(model.preprocess(image)).softmax(1)[0]
        found = row[[f"probability of {name}" for name in tiny.classes()]].astype(float)
        assert found.tolist() == pytest.approx(expected.tolist(), abs=2e-6)
        assert row["prediction"] == tiny.classes()[int(expected.argmax())]
    assert len(rows) == 3


def test_every_control_redraws_and_reset_brings_the_picture_back(studio):
    first = bytes(studio.image.value)
    assert first.startswith(PNG)
    for name, value in (("water", 1.0), ("hue", 90.0), ("species", "Swan"), ("cover", 40.0)):
        before = bytes(studio.image.value)
        control = studio.scene_controls.controls[name]
        control.value = value if control.value != value else 0.0
        assert studio.last_error is None
        assert bytes(studio.image.value) != before, name
    studio.edit_controls.controls["box"].value = "grey"
    studio.edit_controls.controls["box_across"].value = (0.0, 50.0)
    studio.reset_button.click()
    assert bytes(studio.image.value) == first


def test_a_strip_has_each_step_of_the_way(studio):
    studio.strip.button.value, studio.strip.steps.value = True, 5
    assert studio.last_error is None
    assert bytes(studio.strip.image.value).startswith(PNG)
    data = studio.strip.data
    assert sorted(data["water"].unique()) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert len(data) == 15
    # The step at which the picture stands is the picture.
    here = data[data["water"] == studio.scene_controls.values["water"]]
    pd.testing.assert_frame_equal(
        here.drop(columns="water").reset_index(drop=True), studio.data.reset_index(drop=True), atol=2e-6
    )
    studio.strip.along.value = "moved_right"
    assert studio.last_error is None
    assert "moved_right" in studio.strip.data
    studio.strip.button.value = False
    assert bytes(studio.strip.image.value) == b""


def test_own_pictures_are_seen_as_in_evaluation(smoke, studio, tmp_path):
    path = tmp_path / "my picture.png"
    path.write_bytes(encoded((90, 60), (200, 30, 30)))
    studio.path_field.value = f"'{path}'"
    assert studio.last_error is None
    expected = smoke.evaluation_transform()(read_image(path))
    assert torch.equal(studio._scene.draw({}).image, expected)
    assert studio.scene_controls.controls == {}
    assert "background" not in studio.edit_controls.controls
    own = studio.data
    studio.number.value = 2
    assert not studio.data.equals(own)
    studio._uploaded({"new": uploaded("holiday.png", path.read_bytes())})
    pd.testing.assert_frame_equal(studio.data, own)


@pytest.mark.parametrize(
    ("text", "message"),
    [("https://example.org/bird.png", "is an address"), ("/nowhere/bird.png", "is not there")],
)
def test_paths_that_are_no_pictures_are_refused(studio, text, message):
    before = bytes(studio.image.value)
    studio.path_field.value = text
    assert message in str(studio.last_error)
    assert bytes(studio.image.value) == before


def test_a_damaged_upload_is_refused_by_its_name(studio):
    studio._uploaded({"new": uploaded("bird.png", b"no picture")})
    assert str(studio.last_error).startswith("Image bird.png is not an image")


def test_another_picture_lends_its_background(studio, smoke):
    last = len(smoke.dataset("test"))
    studio.other.value = last
    assert studio.last_error is None
    before = bytes(studio.image.value)
    studio.edit_controls.controls["background"].value = 100.0
    assert bytes(studio.image.value) != before
    studio.edit_controls.controls["mix"].value = 100.0
    studio.other.value = 0
    assert studio.last_error is None
    assert bytes(studio.image.value) == before


def test_runs_and_explained_class_are_chosen_in_the_panel(of_runs, students):
    studio = of_runs
    studio.compare.value = (students[0].folder.name,)
    assert len(studio.data) == 2
    for value in (0, 1):
        studio.explained.value = value
        assert studio.last_error is None
        assert ["landbird", "waterbird"][value] in studio.message.value
    studio.mark.value, studio.across.value = True, 10
    assert studio.last_error is None


def test_networks_of_both_families_stand_side_by_side(tiny, tiny_bcos, runs):
    students = [Run(runs / one.replace(method="e2kd", lam=5.0).run_name()) for one in (tiny, tiny_bcos)]
    adapted = lab.build_model("resnet_mini", num_classes=2).eval()
    studio = Studio(tiny, students, networks={"mine": adapted}, folder=runs)
    assert studio.last_error is None
    assert len(studio.data) == 4
    assert len(studio.figure.axes) == 3  # pictures, and a colour bar for each explanation
    before = bytes(studio.image.value)
    studio.view.value = True
    assert studio.last_error is None
    assert bytes(studio.image.value) != before


def test_several_labels(taught, workspace):
    experiment, runs = next(iter(taught.values()))
    studio = Studio(experiment, runs, folder=workspace / "voc-runs")
    assert studio.last_error is None
    studio.scene_controls.controls["ground"].value = "tiles"
    name = next(name for name in studio.scene_controls.controls if name.endswith("_size"))
    studio.scene_controls.controls[name].value = 0.0
    studio.strip.button.value = True
    assert studio.last_error is None


def test_export_writes_picture_and_strip(studio, tmp_path):
    studio.strip.button.value = True
    studio.export_button.click()
    assert studio.last_error is None
    written = {path.name for path in (tmp_path / "exports").iterdir()}
    assert {"studio_picture_1.pdf", "studio_picture_1.csv", "studio_picture_1_water_strip.svg"} <= written


def test_the_caption_names_the_runs(of_runs):
    assert "e$^2$KD" in of_runs.caption()


def test_without_any_network_there_is_nothing_to_ask(tiny, tmp_path):
    with pytest.raises(ExperimentError, match="no network to ask"):
        Studio(tiny, folder=tmp_path)
    network = lab.build_model("resnet_mini", num_classes=2).eval()
    with pytest.warns(match="without the teacher"):
        studio = Studio(tiny, networks={"mine": network}, folder=tmp_path)
    assert len(studio.data) == 1


def test_a_small_studio_has_the_controls_that_were_named(smoke, tmp_path):
    network = lab.build_model("resnet_mini", num_classes=2).eval()
    with pytest.warns(match="without the teacher"):
        studio = Studio(smoke, networks={"mine": network}, folder=tmp_path, changes=["water", "mix", "scale"])
    named = [control.description for control in studio._controls.children]
    assert named == ["Picture", "Water", "Scale"]  # there is no other picture to mix with
    before = bytes(studio.image.value)
    studio.scene_controls.controls["water"].value = 0.5
    assert bytes(studio.image.value) != before


def test_controls_of_pictures_before_are_forgotten(studio):
    before = studio.scene_controls.controls["water"]
    studio.number.value = 2
    assert before.comm is None
    assert studio.scene_controls.controls["water"].comm is not None
    kept = studio.scene_controls.controls["water"]
    studio.other.value = 3
    assert studio.last_error is None
    assert kept.comm is not None
    kept.value = 1.0
    assert studio.last_error is None
    living = len(_instances)
    for number in (3, 4):
        studio.number.value = number
    assert len(_instances) == living  # neither layouts nor styles pile up


def test_a_strip_follows_all_but_its_own_change(of_runs):
    studio = of_runs
    studio.strip.button.value = True
    seen = [bytes(studio.strip.image.value)]
    own = studio.edit_controls.controls[studio.strip.along.value]
    own.value = own.max
    assert bytes(studio.strip.image.value) == seen[0]
    for change in (lambda: setattr(studio.number, "value", 2), lambda: setattr(studio.explained, "value", 1)):
        change()
        assert studio.last_error is None
        seen.append(bytes(studio.strip.image.value))
    studio.number.value = 1
    studio.explained.value = -1
    assert studio.last_error is None
    assert bytes(studio.strip.image.value) == seen[0]
    assert len(set(seen)) == 3
