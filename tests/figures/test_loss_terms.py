import math

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.quiver import Quiver
from matplotlib.text import Text

from e2kd_lab.explanations import Explanation
from e2kd_lab.figures import LossPicture, figure_bytes
from e2kd_lab.figures.style import METHOD_COLOURS, TEXT_WIDTH, styled
from e2kd_lab.training import LossTerms
from e2kd_lab.training.loss_terms import TermsAtTau


def made_up(channels=1, *, classes=5, count=1, multilabel=False, angle=120.0, size=16):
    """Loss terms without networks; the KD gradient has length 2 / tau, the explanation gradient length 1."""
    generator = torch.Generator().manual_seed(0)
    explained = torch.zeros(count).long()
    said = [
        Explanation(
            torch.randn(count, classes, generator=generator),
            explained,
            torch.rand(count, channels, size, size, generator=generator),
        )
        for _ in range(2)
    ]
    return LossTerms(
        *said, torch.full((count,), 0.5), multilabel, lambda tau: TermsAtTau(tau, 0.3, 0.5, 2 / tau, 1.0, angle)
    )


def numbers(picture, part):
    return picture.data[picture.data["part"] == part].set_index("name")["value"]


def texts(picture):
    return [text.get_text() for holder in (picture.figure, *picture.figure.axes) for text in holder.texts]


def arrows(picture):
    (quiver,) = [item for axes in picture.figure.axes for item in axes.collections if isinstance(item, Quiver)]
    return dict(zip(("total", "kd", "explanation"), np.stack([quiver.U, quiver.V], axis=1), strict=True))


def bars(picture, colour):
    """Widths of all bars of a colour, from above."""
    patches = [patch for axes in picture.figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]
    return [bar.get_width() for bar in patches if bar.get_facecolor() == to_rgba(colour)]


def test_bars_arrows_and_table_show_one_loss():
    picture = LossPicture(torch.rand(3, 16, 16), made_up(), tau=2.0, lam=3.0, student="untrained")
    tips = arrows(picture)
    lengths = {name: np.hypot(*tip) for name, tip in tips.items()}
    gradients = numbers(picture, "gradient norm")
    assert lengths["explanation"] / lengths["kd"] == pytest.approx(3 * gradients["explanation"] / gradients["kd"])
    assert lengths["total"] / lengths["kd"] == pytest.approx(gradients["total"] / gradients["kd"])
    assert gradients["total"] == pytest.approx(math.sqrt(1 + 9 - 3))
    assert math.degrees(math.atan2(*tips["explanation"][::-1])) == pytest.approx(120)
    np.testing.assert_allclose(tips["total"], tips["kd"] + tips["explanation"])
    assert 0.5 < max(lengths.values()) <= 1
    assert numbers(picture, "loss").to_dict() == pytest.approx({"kd": 0.3, "explanation": 0.5, "total": 1.8})
    assert bars(picture, METHOD_COLOURS["kd"]) == pytest.approx([0.3, 0.3])
    assert bars(picture, METHOD_COLOURS["e2kd"]) == pytest.approx([1.5, 1.5])
    assert bars(picture, METHOD_COLOURS["teacher"]) == pytest.approx(list(numbers(picture, "teacher probability")))
    assert bars(picture, METHOD_COLOURS["baseline"]) == pytest.approx(list(numbers(picture, "student probability")))


def test_a_move_changes_what_it_should_and_back_again():
    picture = LossPicture(torch.rand(3, 16, 16), made_up(), tau=1.0, lam=1.0)
    first, data = figure_bytes(picture.figure), picture.data
    picture.move(1.0, 10.0)
    assert numbers(picture, "teacher probability").equals(
        data.query("part == 'teacher probability'").set_index("name")["value"]
    )
    assert "10 × explanation: 5.00" in texts(picture)
    weighted = figure_bytes(picture.figure)
    picture.move(5.0, 1.0)
    assert numbers(picture, "teacher probability").max() < data.query("part == 'teacher probability'")["value"].max()
    assert len({first, weighted, figure_bytes(picture.figure)}) == 3
    picture.move(1.0, 1.0)
    assert figure_bytes(picture.figure) == first
    assert picture.data.equals(data)


def test_without_weight_only_kd_pulls():
    picture = LossPicture(torch.rand(3, 16, 16), made_up(), tau=1.0, lam=0.0)
    tips = arrows(picture)
    assert not tips["explanation"].any()
    np.testing.assert_array_equal(tips["kd"], tips["total"])
    assert "0 × explanation: 0.00" in texts(picture)


def test_the_likeliest_classes_are_shown_and_the_students_first_one():
    terms = made_up(classes=20)
    terms.target.logits[0] = torch.linspace(2, 0, 20)
    terms.student.logits[0, 15] = 9.0
    picture = LossPicture(torch.rand(3, 16, 16), terms, classes=[f"name {number}" for number in range(20)])
    shown = numbers(picture, "student probability")
    assert list(shown.index) == [*(f"name {number}" for number in range(8)), "name 15"]
    assert shown["name 15"] == pytest.approx(terms.student.logits.softmax(1)[0, 15].item())
    multilabel = LossPicture(torch.rand(3, 16, 16), made_up(multilabel=True), tau=2.0)
    expected = (made_up().target.logits[0] / 2).sigmoid().sort(descending=True).values
    assert list(numbers(multilabel, "teacher probability")) == pytest.approx(expected.tolist())


def test_loss_of_a_batch_beside_one_image():
    batch = made_up(count=6, angle=30.0)
    picture = LossPicture(torch.rand(3, 16, 16), made_up(), batch=batch)
    assert numbers(picture, "angle").item() == 30
    assert "Loss at λ = 1, 6 images" in texts(picture)
    with pytest.raises(ValueError, match="terms of one image, got those of 6"):
        LossPicture(torch.rand(3, 16, 16), batch)


def test_where_a_gradient_is_zero_there_is_no_angle():
    picture = LossPicture(torch.rand(3, 16, 16), made_up(angle=math.nan))
    assert "Gradients, one is zero" in texts(picture)
    assert figure_bytes(picture.figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(("channels", "contributions"), [(1, False), (6, False), (6, True)])
def test_nothing_is_clipped_or_too_small(channels, contributions):
    long = [f"a class with the long name {number}" for number in range(20)]
    picture = LossPicture(
        torch.rand(3, 32, 32), made_up(channels, classes=20, size=32), tau=12.5, lam=0.15, batch=made_up(count=16),
        student="e2kd_frozen", classes=long, title="an image with a long title", contributions=contributions,
    )  # fmt: skip
    assert picture.figure.get_figwidth() == TEXT_WIDTH
    with styled():
        FigureCanvasAgg(picture.figure).draw()
        drawn = picture.figure.get_tightbbox().extents  # inches
    assert drawn.min() >= 0
    assert (drawn[2:] <= picture.figure.get_size_inches()).all()
    sizes = [text.get_fontsize() for text in picture.figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= 5
