"""How each figure and table of the paper is drawn from finished runs: load networks, select results, draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from matplotlib.figure import Figure

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations import Comparison, compare_shifted
from e2kd_lab.figures import (
    comparison_table,
    epg_iou_plane,
    explanation_comparison,
    method_bars,
    shift_periodicity,
    shifted_comparison,
    shot_curves,
    teaser,
    waterbirds_bars,
)
from e2kd_lab.figures.style import data_of
from e2kd_lab.metrics.groups import GROUP_TITLES, GROUPS
from e2kd_lab.paper.beside_paper import beside_paper
from e2kd_lab.paper.finished_runs import FinishedRuns, RequiredRuns
from e2kd_lab.paper.table_cells import results_cells
from e2kd_lab.paper.table_formats import table_csv
from e2kd_lab.paper.teaser_numbers import example_image, teaser_numbers
from e2kd_lab.runs import select_by_validation
from e2kd_lab.runs.examples import Examples, examples_of, examples_of_classes
from e2kd_lab.runs.shift_curves import shift_curves

_BIRDS_OF_A_GROUP = 4
_TRIED_OF_A_CLASS = 12
_SHIFTED_IMAGES = 100  # in the mean of the shift curves


@dataclass(frozen=True)
class Drawing:
    """A figure and the data it shows.

    Attributes
    ----------
    figure : Figure
        The figure.
    data : DataFrame
        Its data.
    kind : str
        How it is drawn, see `e2kd_lab.figures.caption`.
    tables : mapping
        Further tables as CSV text, by the suffix of their file names.
    runs : sequence of str
        Names of its runs, if neither its data nor the required runs tell them.
    """

    figure: Figure
    data: pd.DataFrame
    kind: str
    tables: Mapping[str, str] = field(default_factory=dict)
    runs: Sequence[str] = ()

    def among(self, results: pd.DataFrame) -> pd.DataFrame:
        """Rows of the runs in the figure."""
        own = data_of(self.figure)
        shown = self.data if own is None else own
        named = {*self.runs}
        for column in {"run", "runs"} & set(shown.columns):
            named |= {name for names in shown[column].dropna() for name in str(names).split(" ")}
        return results[results["run"].isin(named)]


@dataclass(frozen=True)
class CatalogueFigure:
    """An entry of the catalogue: a figure or table, the runs it needs, and how it is drawn.

    Attributes
    ----------
    name : str
        File name without the scale.
    title : str
        What it shows.
    draw : callable
        Draws it from the finished runs and those of ``required`` that are there.
    required : tuple of RequiredRuns
        The runs it needs; empty if it was made from the runs that are there.
    any_of : bool
        One of ``required`` suffices; otherwise all are needed.
    """

    name: str
    title: str
    draw: Callable[[FinishedRuns, Sequence[RequiredRuns]], Drawing]
    required: tuple[RequiredRuns, ...] = ()
    any_of: bool = False


def birds_explained(
    runs: FinishedRuns, required: Sequence[RequiredRuns], *, groups: Sequence[str], each: int, side_by_side: int
) -> Drawing:
    """Fig. 1, A1, A2: the same number of birds of each group, families of networks side by side."""
    parts = [_bird_examples(runs, one, groups, each).explained_by(runs.networks(one)) for one in required]
    rows = [_rows_of(runs, one, part) for one, part in zip(required, parts, strict=True)]
    figure = explanation_comparison(parts, side_by_side=side_by_side)
    return Drawing(figure, pd.concat(rows, ignore_index=True), "explanations")


def _bird_examples(runs: FinishedRuns, required: RequiredRuns, groups: Sequence[str], each: int) -> Examples:
    examples = examples_of(runs.experiment(required), _BIRDS_OF_A_GROUP * len(GROUPS))
    titles = [GROUP_TITLES[group] for group in groups]
    members = {title: [n for n, own in enumerate(examples.titles) if own == title][:each] for title in titles}
    return _picked(examples, [number for title in titles for number in members[title]])


def birds_bars(runs: FinishedRuns, required: Sequence[RequiredRuns], *, group: str) -> Drawing:
    """Fig. 3, B1, B2."""
    selected = select_by_validation(runs.results(*required))
    return Drawing(waterbirds_bars(selected, group=group), selected, "bars")


def objects_explained(
    runs: FinishedRuns,
    required: Sequence[RequiredRuns],
    *,
    half: int | None = None,
    each: int = 2,
    most: int | None = None,
) -> Drawing:
    """Fig. 2, A3, A4: images of all classes or of one half; images that all networks get right come first."""
    (one,) = required
    experiment, networks = runs.experiment(one), runs.networks(one)
    count = len(experiment.classes())
    middle = (count + 1) // 2
    classes = [range(count), range(middle), range(middle, count)][0 if half is None else 1 + half]
    chosen = []
    for number in classes:
        tried = examples_of_classes(experiment, classes=[number], count=_TRIED_OF_A_CLASS)
        if not len(tried):
            continue
        right = torch.stack(list(tried.explained_by(networks).correct.values())).all(0).tolist()
        places = sorted(range(len(tried)), key=lambda place: not right[place])[:each]
        chosen.append((all(right[place] for place in places), _picked(tried, places)))
    if most is not None:
        chosen = sorted(chosen, key=lambda pair: not pair[0])[:most]
    comparison = _joined([examples for _, examples in chosen]).explained_by(networks)
    figure = explanation_comparison(comparison, contributions=True)
    return Drawing(figure, _rows_of(runs, one, comparison), "explanations")


def beside_paper_table(runs: FinishedRuns, required: Sequence[RequiredRuns], *, table: str) -> Drawing:
    """Tables 1 to 5, B1, and Fig. 4, left: curves over the shots, bars of one or two columns, or the EPG-IoU plane."""
    results = runs.results(*required)
    selected = select_by_validation(results)
    rows = beside_paper(selected, table)
    kind = "plane" if table == "table4" else "shots" if rows["place"].max() > 1 else "bars"
    figure = {"plane": epg_iou_plane, "shots": shot_curves, "bars": method_bars}[kind](rows)
    tables = {"beside_paper": table_csv(results_cells(results, table), table)}
    return Drawing(figure, rows, kind, tables, tuple(selected["run"].unique()))


def shift_similarities(runs: FinishedRuns, required: Sequence[RequiredRuns]) -> Drawing:
    """Fig. 4, centre."""
    experiment, parts = runs.experiment(required[0]), []
    wide = experiment.wide_images()
    for name, (one, method) in _shifted_networks(required).items():
        run = runs.teacher(one) if method == "teacher" else runs.students(one)[method]
        curves = shift_curves(
            runs.networks(one)[method],
            wide,
            size=experiment.image_size,
            largest=experiment.largest_shift,
            count=_SHIFTED_IMAGES,
            folder=None if run is None else run.folder,
        )
        seed = 0 if run is None or method == "teacher" else run.config["seed"]
        parts.append(curves.assign(method=name, seed=seed, run="" if run is None else run.folder.name))
    curves = pd.concat(parts, ignore_index=True)
    return Drawing(shift_periodicity(curves, patch=experiment.patch), curves, "shifts")


def shifted_explained(runs: FinishedRuns, required: Sequence[RequiredRuns], *, count: int) -> Drawing:
    """Fig. 4, right, and A5: images and their copies that are shifted by half a patch."""
    (one,) = required
    experiment = runs.experiment(one)
    wide = experiment.wide_images()
    samples = [wide[(2 * number + 1) * len(wide) // (2 * count)] for number in range(count)]
    comparison = compare_shifted(
        runs.networks(one),
        as_unit_range(torch.stack([sample["image"] for sample in samples])),
        torch.tensor([sample["label"] for sample in samples]),
        size=experiment.image_size,
        shifts=(0, experiment.patch // 2),
        titles=[experiment.classes()[sample["label"]].replace("_", " ") for sample in samples],
    )
    figure = shifted_comparison(comparison, contributions=True)
    return Drawing(figure, _rows_of(runs, one, comparison), "explanations")


def _shifted_networks(required: Sequence[RequiredRuns]) -> dict[str, tuple[RequiredRuns, str]]:
    """Networks of Fig. 4, centre: title, runs and method of each; the teacher once."""
    networks = {"teacher": (required[0], "teacher")}
    for one in required:
        ending = "_frozen" if "frozen" in one.settings else ""
        networks |= {f"{method}{ending}": (one, method) for method in one.methods}
    return networks


def opening(runs: FinishedRuns, required: Sequence[RequiredRuns], *, table: str) -> Drawing:
    """The opening figure, with the first image that KD gets wrong and teacher and e2KD get right."""
    few_shots, birds = required
    shots, shift = (select_by_validation(runs.results(one)) for one in (few_shots, birds))
    numbers = teaser_numbers(beside_paper(shots, table), shift)
    comparison = _bird_examples(runs, birds, GROUPS, _BIRDS_OF_A_GROUP).explained_by(runs.networks(birds))
    number = example_image(comparison)
    explained = _rows_of(runs, birds, comparison)
    shown = explained[explained["image"] == number + 1].to_csv(index=False, lineterminator="\n")
    rows = pd.concat([shots, shift])
    drawn = rows["method"].isin(["teacher", *few_shots.methods])
    drawn &= rows["setting"].isin([runs.experiment(few_shots).setting, "base"])
    used = tuple(rows.loc[drawn, "run"].unique())
    return Drawing(teaser(numbers, comparison, number=number), numbers, "opening", {"explanations": shown}, used)


def _rows_of(runs: FinishedRuns, required: RequiredRuns, comparison: Comparison) -> pd.DataFrame:
    """Data of a figure of explanations: a row per image and network."""
    folders = {"teacher": runs.teacher(required), **runs.students(required)}
    table = comparison_table(comparison, classes=runs.experiment(required).classes())
    names = {name: "" if run is None else run.folder.name for name, run in folders.items()}
    return table.assign(family=required.family, run=table["network"].map(names))


def _picked(examples: Examples, places: Sequence[int]) -> Examples:
    """Some of the examples, in this order."""
    return _joined([examples[place : place + 1] for place in places])


def _joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        torch.cat([part.images for part in parts]),
        torch.cat([part.classes for part in parts]),
        tuple(title for part in parts for title in part.titles),
        tuple(boxes for part in parts for boxes in part.boxes),
        any(part.multilabel for part in parts),
    )
