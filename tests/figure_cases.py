"""A figure of every kind, as full as it gets, and what in it cannot be read."""

import itertools

import numpy as np
import pandas as pd
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color as same_colour
from matplotlib.text import Text

from e2kd_lab.explanations import Comparison, Explanation
from e2kd_lab.explanations.faithfulness import Mosaics
from e2kd_lab.explanations.pixel_ranking import PixelRanking
from e2kd_lab.figures import (
    LossPicture,
    Measure,
    PixelShares,
    ShiftPicture,
    cheaper_explanations,
    epg_iou_plane,
    epoch_curves,
    explanation_comparison,
    grid_mosaics,
    measure_bars,
    measure_plane,
    method_bars,
    randomisation_strip,
    shift_periodicity,
    shifted_comparison,
    shot_curves,
    sweep_map,
    teaser,
    training_curves,
    waterbirds_bars,
)
from e2kd_lab.figures.style import METHOD_TITLES, styled
from e2kd_lab.metrics.groups import AVERAGES, GROUP_TITLES, WATERBIRDS
from e2kd_lab.paper import beside_paper
from e2kd_lab.paper.teaser_numbers import teaser_numbers
from e2kd_lab.runs import RESULT_COLUMNS
from e2kd_lab.training import LossTerms
from e2kd_lab.training.loss_terms import TermsAtTau

METHODS = ("at", "reviewkd", "catkd", "baseline", "kd", "e2kd")


def results(
    *,
    experiment="waterbirds",
    family="standard",
    scale="lab",
    settings=("base",),
    methods=METHODS,
    metrics=("accuracy", "agreement"),
    groups=("all",),
    seeds=3,
    cells=((5.0, 1.0),),
):
    """Finished runs of every method, setting, (lam, tau) and seed, and of their teacher."""
    random, rows = np.random.default_rng(0), []
    for setting, method, (lam, tau), seed in itertools.product(settings, methods, cells, range(seeds)):
        run = {
            **{"run": f"{experiment}-{setting}-{method}-{lam:g}-{tau:g}-s{seed}", "teacher": "t", "setting": setting},
            **{"method": method, "lam": lam, "tau": tau, "seed": seed, "epoch": 30},
        }
        rows += [(run, metric, group) for metric, group in itertools.product(metrics, groups)]
    teacher = {"run": "t", "method": "teacher", "setting": "base", "seed": 1000, "lam": 0.0, "tau": 1.0}
    rows += [(teacher, metric, group) for metric, group in itertools.product(metrics, groups) if metric != "agreement"]
    same = {"status": "done", "split": "test", "experiment": experiment, "family": family, "scale": scale}
    table = pd.DataFrame(
        [
            dict.fromkeys(RESULT_COLUMNS, "") | same | run | {"metric": metric, "group": group}
            for run, metric, group in rows
        ]
    )
    signed = table["metric"].eq("explanation_cosine")
    table["value"] = random.uniform(20, 100, len(table))
    table.loc[signed, "value"] = random.uniform(-0.2, 1, signed.sum())
    return table


def comparison(count=4, *, size=(16, 16), family="standard", networks=("teacher", "kd", "e2kd"), titles=None):
    """Random images and maps."""
    generator = torch.Generator().manual_seed(0)
    channels = 6 if family == "bcos" else 1
    maps = {name: torch.randn(count, channels, *size, generator=generator) for name in networks}
    maps = {name: one if channels == 6 else one.abs() for name, one in maps.items()}
    right = {name: torch.arange(count) % 2 == place % 2 for place, name in enumerate(networks)}
    titles = tuple(itertools.islice(itertools.cycle(GROUP_TITLES.values()), count)) if titles is None else titles
    explanation = "bcos" if family == "bcos" else "gradcam"
    images = torch.rand(count, 3, *size, generator=generator)
    return Comparison(images, maps, right, titles=titles, explanation=explanation, family=family)


def curves(runs):
    """Training curves of runs (method, lambda, seed), 12 epochs long."""
    found, random = {}, np.random.default_rng(0)
    shown = [("train", "all", "loss"), ("val", "all", "explanation_cosine"), ("val", "all", "dead_map_rate")]
    shown += [("val", "out_of_distribution", metric) for metric in ("accuracy", "agreement")]
    for place, (method, lam, seed) in enumerate(runs):
        parts = []
        for split, group, metric in shown:
            share = 1 - np.exp(-np.arange(1, 13) / 4) * (1 - 0.03 * place) + 0.01 * random.normal(size=12)
            value = share * (1 if metric == "explanation_cosine" else 0 if metric == "dead_map_rate" else 90)
            columns = {"epoch": range(1, 13), "split": split, "group": group, "metric": metric, "value": value}
            parts.append(pd.DataFrame(columns))
        found[f"{METHOD_TITLES[method]}, λ = {lam:g}, τ = 1, seed {seed}"] = method, pd.concat(parts)
    return found


def shift_table():
    rows = [
        {"method": method, "seed": seed, "shift": shift, "similarity": 1 - shift * (place + seed / 2 + 1) / 120}
        for place, method in enumerate(("teacher", "kd", "e2kd", "e2kd_frozen"))
        for seed in range(2)
        for shift in range(17)
    ]
    return pd.DataFrame(rows)


def loss_picture(classes=8, multilabel=False, kd=0.3, lam=1000.0):
    generator = torch.Generator().manual_seed(0)
    said = [
        Explanation(torch.randn(1, classes, generator=generator), torch.zeros(1).long(), torch.rand(1, 1, 16, 16))
        for _ in range(2)
    ]
    terms = LossTerms(
        *said, torch.full((1,), 0.5), multilabel, lambda tau: TermsAtTau(tau, kd, 0.5, 2 / tau, 1.0, 120.0)
    )
    names = ["dining table", "potted plant", *(f"a long class name {number}" for number in range(classes))]
    picture = LossPicture(
        torch.rand(3, 16, 16, generator=generator), terms, classes=names[:classes], title="waterbird on water", lam=100
    )
    picture.move(2.5, lam)
    return picture.figure


def shift_picture():
    maps = {name: torch.rand(9, 1, 8, 8) for name in ("teacher", "kd", "e2kd", "e2kd_frozen")}
    right = {name: torch.ones(9).bool() for name in maps}
    line = {name: torch.linspace(1, -0.2, 9) for name in maps}
    picture = ShiftPicture(Comparison(torch.rand(9, 3, 8, 8), maps, right), line, patch=4)
    picture.move(5)
    return picture.figure


def cheaper():
    points = [("kd", "", 0.0, 1.0), ("e2kd", "", 1.0, 2.4), ("every", "k = 2", 0.5, 1.7), ("every", "k = 4", 0.25, 1.3)]
    points += [("part", "1/2", 0.5, 1.75), ("part", "1/4", 0.25, 1.4)]
    rows = [
        {"family": family, "option": option, "label": label, "share": share, "cost": cost, "agreement": 60 + 20 * share,
         "explanation_cosine": 0.1 + 0.5 * share}
        for family in ("standard", "bcos") for option, label, share, cost in points
    ]  # fmt: skip
    return cheaper_explanations(pd.DataFrame(rows), title="Cheaper explanations")


def opening():
    few = results(experiment="imagenet_bcos", family="bcos", settings=("10-shots", "base"), methods=("kd", "e2kd"))
    birds = results(family="bcos", methods=("kd", "e2kd"), groups=("in_distribution", "out_of_distribution"))
    return teaser(teaser_numbers(beside_paper(few, "table2"), birds), comparison(family="bcos"), number=1)


def table(name, experiment, settings=("base",), methods=METHODS, **others):
    return beside_paper(results(experiment=experiment, settings=settings, methods=methods, **others), name)


_SHOTS = ("10-shots", "40-shots", "base")
_SIDES = ("out_of_distribution", "in_distribution")
_GRID = [(lam, tau) for lam in (1.0, 5.0, 10.0, 50.0, 100.0) for tau in (1.0, 2.0, 5.0)]


def students(labels, methods):
    """Two measures of three seeds of every label, of both families of networks."""
    random = np.random.default_rng(0)
    rows = [
        {"family": family, "label": label, "method": method, "x": random.random(), "y": 100 * random.random()}
        for family in ("standard", "bcos")
        for label, method in zip(labels, methods, strict=True)
        for _ in range(3)
    ]
    return pd.DataFrame(rows)


def plane_of_explanations():
    labels = (
        "KD",
        "GradCAM",
        "Grad-CAM++",
        "LayerCAM",
        "HiResCAM",
        "Input × gradient",
        "Integrated gradients, 4 steps",
    )
    axes = (("x", "time of a step / time of a KD step"), ("y", "agreement, out of distribution (%)"))
    note = "Measured here (lab), means and standard deviations of three seeds"
    return measure_plane(students(labels, ["kd"] + ["e2kd"] * 6), *axes, title="Fidelity against cost", note=note)


def mosaics():
    maps = {method: torch.rand(2, 16, 16) for method in ("teacher", "kd", "e2kd")}
    values = {method: torch.rand(2) for method in maps}
    grids = Mosaics(torch.rand(2, 3, 16, 16), torch.tensor([0, 1]), 2, maps, values)
    return grid_mosaics({"GradCAM": (grids, False), "W(x)": (grids, True)}, title="GridPG — 10 shots")


def strip():
    layers = ("trained", "fc", "layer3.0.conv2", "layer2.0.bn2", "layer1.0.conv2", "conv1")
    steps = {layer: torch.rand(1, 8, 8) for layer in layers}
    maps = dict.fromkeys(("teacher", "baseline", "kd", "e2kd", "at"), steps)
    return randomisation_strip(torch.rand(3, 8, 8), maps, signed=True, title="What is left of W(x)")


def shares():
    curve = torch.linspace(0, 1, 33)
    ranking = PixelRanking(torch.rand(16, 16), False, 0, curve, curve.flip(0))
    return PixelShares(
        torch.rand(3, 16, 16), dict.fromkeys(("teacher", "baseline", "kd", "e2kd", "at"), ranking), share=0.25
    ).figure


def curves_over_epochs():
    values = {"B-cosified": (69.0, 82.0, 95.7, 98.3, 98.8), "B-cos from scratch": (50.0, 49.3, 50.5, 80.7, 90.3)}
    pairs = [(kind, k, value) for kind, own in values.items() for k, value in zip((0, 1, 2, 4, 8), own, strict=True)]
    rows = pd.DataFrame(pairs, columns=["kind", "epochs", "value"])
    return epoch_curves(rows, line=99.5, line_name="ordinary network", title="Fine-tuning a converted network")


FIGURES = {
    "curves over epochs": curves_over_epochs,
    "plane of explanations": plane_of_explanations,
    "mosaics of GridPG": mosaics,
    "strip of the randomisation test": strip,
    "shares of pixels": shares,
    "bars of Waterbirds": lambda: waterbirds_bars(results(settings=("base", "mixup", "long"), groups=_SIDES)),
    "bars of Waterbirds, all right": lambda: waterbirds_bars(
        results(settings=("base", "mixup", "long"), groups=_SIDES, seeds=1).assign(value=100.0)
    ),
    "bars of Waterbirds, few": lambda: waterbirds_bars(results(methods=("kd", "e2kd"), groups=_SIDES, seeds=1)),
    "bars of measures": lambda: measure_bars(
        results(
            metrics=("accuracy", "agreement", "explanation_cosine"),
            groups=(*AVERAGES, *WATERBIRDS.unions, *GROUP_TITLES),
        ),
        title="Waterbirds — Standard networks",
    ),
    "bars of measures with other groups": lambda: measure_bars(
        pd.concat(
            [
                results(groups=("all", "worst", *WATERBIRDS.unions)),
                results(metrics=("dead_map_rate",), groups=("all", *WATERBIRDS.unions)),
            ]
        ),
    ),
    "bars of one group": lambda: measure_bars(results(), title="ImageNet"),
    "bars of two teachers": lambda: method_bars(table("table5", "data_free", ("base", "reversed"), ("kd", "e2kd"))),
    "bars of prior work": lambda: method_bars(
        table("tableB1", "prior_work", methods=("kd", "e2kd", "kd_labels", "at", "reviewkd", "catkd"))
    ),
    "bars of a ViT": lambda: method_bars(table("figure4", "cnn_to_vit", methods=("baseline", "kd", "e2kd"))),
    "curves over shots": lambda: shot_curves(table("table1", "imagenet_standard", _SHOTS)),
    "curves over shots, frozen": lambda: shot_curves(
        pd.concat(
            [
                table("table3", "imagenet_bcos_densenet", _SHOTS, ("baseline", "kd", "e2kd"), family="bcos"),
                table("table3", "imagenet_frozen", _SHOTS, ("kd", "e2kd"), family="bcos").query("source != 'paper'"),
            ]
        )
    ),
    "EPG and IoU": lambda: epg_iou_plane(
        table("table4", "voc", ("base", "iou"), ("baseline", "kd", "e2kd"), metrics=("epg", "iou", "f1"))
    ),
    "cheaper explanations": cheaper,
    "curves of one run": lambda: training_curves(curves([("e2kd", 5.0, 0)])),
    "curves of all methods": lambda: training_curves(curves([(method, 5.0, 0) for method in METHODS])),
    "curves of nine runs": lambda: training_curves(
        curves([("e2kd", lam, seed) for lam in (1.0, 5.0, 50.0) for seed in range(3)])
    ),
    "no curves": lambda: training_curves({}),
    "sweep": lambda: sweep_map(
        results(methods=("kd", "e2kd"), groups=("out_of_distribution",), cells=_GRID),
        Measure("agreement", "out_of_distribution"),
        grid=[*_GRID, (200.0, 1.0)],
    ),
    "sweep of many": lambda: sweep_map(
        results(methods=("e2kd",), metrics=("explanation_cosine",), cells=[(2.0**n, 1.0) for n in range(12)]),
        Measure("explanation_cosine"),
    ),
    "sweep of one": lambda: sweep_map(results(methods=("at",), seeds=1), Measure("accuracy"), method="at"),
    "shift curves": lambda: shift_periodicity(shift_table(), patch=8, title="Explanations of shifted images"),
    "shifted images": lambda: shifted_comparison(comparison(8)),
    "explanations": lambda: explanation_comparison(comparison(8)),
    "explanations of two families": lambda: explanation_comparison(
        [comparison(8), comparison(8, family="bcos")], side_by_side=1
    ),
    "explanations of many networks": lambda: explanation_comparison(
        comparison(4, size=(12, 20), networks=("teacher", "baseline", "at", "reviewkd", "catkd", "kd", "e2kd"))
    ),
    "opening figure": opening,
    "opening figure, bars": lambda: teaser(
        teaser_numbers(beside_paper(results()[:0], "table1"), results(methods=("kd", "e2kd"), groups=_SIDES)),
        parts=("data", "shift"),
    ),
    "loss of an image": loss_picture,
    "small loss of an image": lambda: loss_picture(kd=0.03, lam=0.0),
    "loss of an image of several classes": lambda: loss_picture(30, multilabel=True),
    "shifted image": shift_picture,
}  # fmt: skip


def shown_texts(figure):
    """Texts that are drawn, with their corners in points (4, 2), as they are turned."""
    with styled(getattr(figure, "options", None)):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        found, ticks = [], _drawn_ticks(figure)
        for text in figure.findobj(Text):
            if text.get_text().strip() and _is_drawn(text, ticks):
                found.append((text, _corners(text, renderer) * 72 / figure.dpi))
    return found


def _drawn_ticks(figure):
    """Whether each tick label is drawn."""
    found = {}
    for axes in figure.axes:
        for side in (axes.xaxis, axes.yaxis):
            drawn = side._update_ticks() if axes.axison else []
            found |= {label: False for tick in (*side.majorTicks, *side.minorTicks) for label in _labels(tick)}
            found |= {label: True for tick in drawn for label in _labels(tick)}
    return found


def _labels(tick):
    return tick.label1, tick.label2


def _is_drawn(text, ticks):
    if not text.get_visible():
        return False
    return ticks.get(text, text.axes is None or text.axes.axison or text in text.axes.texts)


def _corners(text, renderer):
    """Corners of a text's rectangle, as it is turned, in pixels."""
    turn, box = text.get_rotation(), Text.get_window_extent(text, renderer)  # an annotation without its arrow
    text.set_rotation(0)
    flat = Text.get_window_extent(text, renderer)
    text.set_rotation(turn)
    middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
    along = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
    across = np.array([-along[1], along[0]])
    a, b = flat.width / 2, flat.height / 2
    return np.array([middle + x * a * along + y * b * across for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


def faults(figure, *, least=6.0, touch=0.6):
    """What cannot be read: small texts, texts outside the figure, and pairs of texts on top of one another."""
    found, drawn = [], shown_texts(figure)
    width, height = 72 * figure.get_size_inches()
    for text, corners in drawn:
        if text.get_fontsize() < least - 1e-9:
            found.append(f"{text.get_text()!r} has {text.get_fontsize():.2f} pt")
        if text.get_bbox_patch() is not None and same_colour(text.get_bbox_patch().get_facecolor(), text.get_color()):
            found.append(f"{text.get_text()!r} has the colour of its ground")
        (left, bottom), (right, top) = corners.min(0), corners.max(0)
        if min(left, bottom) < -0.1 or right > width + 0.1 or top > height + 0.1:
            found.append(f"{text.get_text()!r} is cut off")
    for (one, its), (other, others) in itertools.combinations(drawn, 2):
        if _overlap(its, others) > touch:
            found.append(f"{one.get_text()!r} on {other.get_text()!r}")
    return found


def _overlap(one, other):
    """How far two rectangles are in one another, in points; 0 if they are apart."""
    least = np.inf
    for corners in (one, other):
        for place in range(2):
            edge = corners[place + 1] - corners[place]
            normal = np.array([-edge[1], edge[0]]) / (np.hypot(*edge) or 1)
            mine, theirs = one @ normal, other @ normal
            least = min(least, min(mine.max(), theirs.max()) - max(mine.min(), theirs.min()))
    return max(0.0, least)
