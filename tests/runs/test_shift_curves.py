"""Shift curves over many images: resumed to the same bytes, files that are refused, and what curves amount to."""

import pandas as pd
import pytest
import torch
from torch.utils.data import Dataset

from e2kd_lab import build_model
from e2kd_lab.explanations import shift_curve
from e2kd_lab.runs import shift_curves
from e2kd_lab.runs.shift_curves import COLUMNS, summarise_shifts
from e2kd_lab.system.errors import RunError

SIZES = {"size": 16, "largest": 4, "batch_size": 3}


class Noise(Dataset):
    """Images of noise, larger than the network's by the largest shift."""

    def __init__(self, count=10, side=20):
        self.images = torch.randint(256, (count, 3, side, side), generator=torch.Generator().manual_seed(0)).byte()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {"image": self.images[index], "index": index}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model("bcos_resnet_mini", 4, width=4).train()


def test_rows_are_the_curves_of_the_images(model, tmp_path):
    rows = shift_curves.shift_curves(model, Noise(), folder=tmp_path / "run", **SIZES)
    assert list(rows.columns) == COLUMNS
    assert rows["index"].tolist() == [index for index in range(10) for _ in range(5)]
    assert rows["shift"].tolist() == [0, 1, 2, 3, 4] * 10
    assert model.training  # as it was
    expected = shift_curve(model.eval(), Noise().images / 255, size=16, shifts=range(5))
    assert rows["similarity"].tolist() == pytest.approx(expected.flatten().tolist(), abs=2e-6)
    kept = shift_curves.shift_curves(model, Noise(), **SIZES)  # nowhere
    pd.testing.assert_frame_equal(kept, rows)
    assert [path.name for path in tmp_path.rglob("*.csv")] == ["shifts-test.csv"]


def test_an_interrupted_call_goes_on_to_the_same_bytes(model, tmp_path, monkeypatch):
    whole = shift_curves.shift_curves(model, Noise(), folder=tmp_path / "a", split="val", **SIZES)
    seen = []

    def interrupted(model, images, **options):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(len(images))
        return shift_curve(model, images, **options)

    monkeypatch.setattr(shift_curves, "shift_curve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shift_curves.shift_curves(model, Noise(), folder=tmp_path / "b", split="val", **SIZES)
    assert model.training
    assert len(pd.read_csv(tmp_path / "b" / "shifts-val.csv")) == 6 * 5
    seen.clear()
    monkeypatch.setattr(shift_curves, "shift_curve", lambda *a, **k: seen.append(len(a[1])) or shift_curve(*a, **k))
    resumed = shift_curves.shift_curves(model, Noise(), folder=tmp_path / "b", split="val", **SIZES)
    assert seen == [3, 1]  # the rest only
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
    assert (tmp_path / "b" / "shifts-val.csv").read_bytes() == (tmp_path / "a" / "shifts-val.csv").read_bytes()
    monkeypatch.setattr(shift_curves, "shift_curve", None)
    again = shift_curves.shift_curves(model, Noise(), folder=tmp_path / "b", split="val", **SIZES)
    pd.testing.assert_frame_equal(again, whole, check_exact=True)


def test_some_images_are_spread_and_more_of_them_are_added(model, tmp_path):
    few = shift_curves.shift_curves(model, Noise(), folder=tmp_path, count=4, **SIZES)
    assert few["index"].unique().tolist() == [0, 2, 5, 7]
    more = shift_curves.shift_curves(model, Noise(), folder=tmp_path, count=5, **SIZES)
    assert more["index"].unique().tolist() == [0, 2, 4, 6, 8]
    kept = pd.read_csv(tmp_path / "shifts-test.csv")
    assert kept["index"].unique().tolist() == [0, 2, 4, 5, 6, 7, 8]  # those of both calls
    again = shift_curves.shift_curves(model, Noise(), folder=tmp_path, count=4, **SIZES)
    pd.testing.assert_frame_equal(again, few, check_exact=True)
    everything = shift_curves.shift_curves(model, Noise(), folder=tmp_path, count=99, **SIZES)
    assert everything["index"].nunique() == 10


def test_a_network_that_says_nan_is_read_again(model, tmp_path, monkeypatch):
    nan = torch.full((3, 5), torch.nan)
    monkeypatch.setattr(shift_curves, "shift_curve", lambda *_, **__: nan)
    rows = shift_curves.shift_curves(model, Noise(3), folder=tmp_path, **SIZES)
    assert rows["similarity"].isna().all()
    pd.testing.assert_frame_equal(shift_curves.shift_curves(model, Noise(3), folder=tmp_path, **SIZES), rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace("similarity", "cosine"),
            "has the columns index, shift, cosine; expected the columns",
        ),
        (lambda text: "", "cannot be read"),
        (lambda text: text[:-30], "does not have each shift from 0 to 4 once for image 3"),
        (lambda text: text + text.split("\n", 1)[1], "does not have each shift from 0 to 4 once for image 0"),
        (lambda text: text.replace("\n1,0,1.0", "\n1,0,"), "cannot be read"),
        (lambda text: text.replace("\n1,0,1.0", "\n1,0,1.5"), r"line 7; .* similarity in \[-1, 1\]"),
        (lambda text: text.replace("\n1,0,1.0", "\n1.5,0,1.0"), "cannot be read"),
        (lambda text: text.replace("\n1,0,1.0", f"\n{'9' * 20},0,1.0"), "cannot be read"),
        (lambda text: text.replace("\n3,", "\n7,"), "line 17; expected an index from 0 to 3"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_kept(model, tmp_path, change, message):
    shift_curves.shift_curves(model, Noise(4), folder=tmp_path, **SIZES)
    file = tmp_path / "shifts-test.csv"
    file.write_text(changed := change(file.read_text()))
    with pytest.raises(RunError, match=message) as caught:
        shift_curves.shift_curves(model, Noise(4), folder=tmp_path, **SIZES)
    assert str(file) in str(caught.value)
    assert "delete it" in str(caught.value)
    assert file.read_text() == changed


def test_other_shifts_and_images_that_are_too_small_are_refused(model, tmp_path):
    shift_curves.shift_curves(model, Noise(4), folder=tmp_path, **SIZES)
    with pytest.raises(RunError, match="each shift from 0 to 2 once for image 0"):
        shift_curves.shift_curves(model, Noise(4), folder=tmp_path, size=16, largest=2)
    with pytest.raises(ValueError, match="20 x 20 can be shifted by 0 to 4 pixels, got 5"):
        shift_curves.shift_curves(model, Noise(4), size=16, largest=5)


def test_summary_of_curves():
    rows = pd.DataFrame(
        [
            {"index": index, "shift": shift, "similarity": (1.0 if shift % 4 == 0 else 0.2) - 0.1 * index * (shift > 0)}
            for index in range(3)
            for shift in range(17)
        ]
    )
    summary = shift_curves.summarise_shifts(rows, patch=4)
    assert list(summary.curve.columns) == ["shift", "mean", "std", "low", "high"]
    row = summary.curve.set_index("shift").loc[3]
    assert row.tolist() == pytest.approx([0.1, 0.1, 0.02, 0.18])
    assert summary.period.period == 4
    assert summary.between == pytest.approx(0.1)
    assert summary.at_multiples == pytest.approx(0.9)
    assert summarise_shifts(rows[rows["shift"] < 3], patch=4).period.period is None
