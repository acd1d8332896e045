"""Figures of shifts: lines and bands where the numbers are, rows in the paper's order."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from e2kd_lab.explanations import Comparison
from e2kd_lab.figures import ShiftPicture, figure_bytes, shift_periodicity, shifted_comparison
from e2kd_lab.figures.style import METHOD_COLOURS

SHIFTS = np.arange(33)


def curves():
    """KD with period 8 and two seeds, the teacher with period 4, frozen e2KD with none."""
    levels = {
        ("teacher", 0): 0.8 + 0.2 * (SHIFTS % 4 == 0),
        ("kd", 0): 0.2 + 0.8 * (SHIFTS % 8 == 0),
        ("kd", 1): 0.4 + 0.6 * (SHIFTS % 8 == 0),
        ("e2kd_frozen", 0): np.where(SHIFTS, 0.9, 1.0),
    }
    return pd.DataFrame(
        {"method": method, "seed": seed, "shift": shift, "similarity": value}
        for (method, seed), values in levels.items()
        for shift, value in enumerate(values)
    )


def comparison(count, channels=6, side=16):
    torch.manual_seed(0)
    maps = {name: torch.randn(count, channels, side, side).abs() for name in ("teacher", "e2kd")}
    titles = tuple(f"{number // 2}{'↘' if number % 2 else ''}" for number in range(count))
    correct, explanation = dict.fromkeys(maps, torch.ones(count).bool()), "bcos" if channels == 6 else "gradcam"
    return Comparison(torch.rand(count, 3, side, side), maps, correct, titles=titles, explanation=explanation)


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_lines_are_means_and_the_legend_has_their_periods():
    figure = shift_periodicity(curves(), patch=8, title="Fig. 4")
    (axis,) = figure.axes
    lines = {line.get_label(): line for line in axis.get_lines()}
    assert list(lines) == ["Teacher\nperiod 4 px", "KD\nperiod 8 px", "e²KD, frozen\nno period"]
    kd = lines["KD\nperiod 8 px"]
    np.testing.assert_allclose(kd.get_ydata()[:9], [1, *[0.3] * 7, 1])
    assert kd.get_color() == METHOD_COLOURS["kd"]
    band = axis.collections[1].get_paths()[0].vertices
    assert {round(y, 6) for x, y in band if 1 < x < 7} == {0.2, 0.4}
    assert axis.get_xticks().tolist() == [0, 8, 16, 24, 32]
    assert figure_bytes(figure).startswith(b"\x89PNG")


def test_rows_of_single_images_are_averaged():
    images = pd.concat([curves().assign(similarity=curves()["similarity"] + change) for change in (-0.1, 0.1)])
    expected, drawn = (shift_periodicity(rows, patch=8).axes[0].get_lines() for rows in (curves(), images))
    for one, other in zip(expected, drawn, strict=True):
        np.testing.assert_allclose(one.get_ydata(), other.get_ydata())
    assert figure_bytes(shift_periodicity(curves()[:0], patch=8)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("images", "side_by_side", "order"),
    [
        (4, 2, ["0", "1", "0↘", "1↘", "2", "3", "2↘", "3↘"]),
        (4, 1, ["0", "0↘", "1", "1↘", "2", "2↘", "3", "3↘"]),
        (3, 2, ["0", "0↘", "1", "1↘", "2", "2↘"]),  # no pairs: one below the other
    ],
)
@pytest.mark.parametrize("channels", [1, 6])
def test_shifted_images_stand_below_the_unshifted_ones(images, side_by_side, order, channels):
    compared = comparison(2 * images, channels)
    figure = shifted_comparison(compared, side_by_side=side_by_side)
    axis = figure.axes[0]
    titles = [text for text in axis.texts if text.get_ha() == "left"]
    assert [text.get_text() for text in titles] == order
    per_image = 1 + len(compared.maps)
    pictures = axis.images[::per_image]
    for picture, text in zip(pictures, titles, strict=True):
        shown = compared.images[compared.titles.index(text.get_text())].permute(1, 2, 0)
        np.testing.assert_allclose(picture.get_array(), shown)
        left, _, _, top = picture.get_extent()
        assert text.get_position()[0] == pytest.approx(left)
        assert text.get_position()[1] > top
    for title in order:
        if not title.endswith("↘"):
            upper, lower = (pictures[order.index(t)].get_extent() for t in (title, title + "↘"))
            assert upper[0] == pytest.approx(lower[0])
            assert upper[2] > lower[3]


def test_an_image_without_its_copy_is_refused():
    with pytest.raises(ValueError, match="got 3 images"):
        shifted_comparison(comparison(3))


@pytest.mark.parametrize(("channels", "contributions"), [(6, False), (6, True), (1, False)])
def test_a_picture_moves_and_is_drawn_fast_as_it_is_exported(channels, contributions):
    compared = comparison(9, channels)
    values = {name: torch.linspace(1, 0, 9) for name in compared.maps}
    picture = ShiftPicture(compared, values, patch=4, contributions=contributions)
    still, quick = figure_bytes(picture.figure), picture.png()
    picture.move(6)
    assert figure_bytes(picture.figure) != still
    below = picture.figure.axes[3:6]
    assert [axis.get_title() for axis in below] == ["↘ 6 px", "cosine 0.25", "cosine 0.25"]
    np.testing.assert_allclose(below[0].images[0].get_array(), compared.images[6].permute(1, 2, 0))
    np.testing.assert_allclose(below[2].images[0].get_array(), picture.pictures["e2kd"][6])
    np.testing.assert_allclose(picture.figure.axes[2].images[0].get_array(), picture.pictures["e2kd"][0])
    fast, whole = (pixels(png) for png in (picture.png(), figure_bytes(picture.figure)))
    assert fast.shape == whole.shape
    assert np.abs(fast - whole).max() < 32  # hairlines alone, which are drawn twice
    assert np.mean(fast != whole) < 0.01
    picture.move(0)
    assert figure_bytes(picture.figure) == still
    assert picture.png() == quick
