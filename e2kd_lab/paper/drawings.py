"""The paper's figures and tables from finished runs: networks and images are loaded, results chosen, then drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from matplotlib.figure import Figure

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations import Comparison, compare_shifted
from e2kd_lab.figures import explanation_comparison, shift_periodicity, shifted_comparison
from e2kd_lab.metrics import explanation_cosine
from e2kd_lab.metrics.groups import GROUP_TITLES, GROUPS
from e2kd_lab.paper import beside_paper, results_cells, table_csv, waterbirds_bars
from e2kd_lab.paper.all_figures import table_figure
from e2kd_lab.paper.finished_runs import FinishedRuns, Needs
from e2kd_lab.paper.teaser import teaser, teaser_numbers, telling_image
from e2kd_lab.runs import select_by_validation
from e2kd_lab.runs.examples import Examples, examples_of, examples_of_classes
from e2kd_lab.runs.shift_curves import shift_curves

_BIRDS_OF_A_GROUP = 4
_TRIED_OF_A_CLASS = 12
_SHIFTED_IMAGES = 100  # whose shift curves are averaged


@dataclass(frozen=True)
class Drawing:
    """A figure, what it shows, and further tables as CSV by the ends of their files' names."""

    figure: Figure
    data: pd.DataFrame
    tables: Mapping[str, str] = field(default_factory=dict)


def birds_explained(
    runs: FinishedRuns, needs: Sequence[Needs], *, groups: Sequence[str], each: int, side_by_side: int
) -> Drawing:
    """Fig. 1, A1, A2: as many birds of each group, the families of networks beside each other."""
    parts = [_bird_examples(runs, one, groups, each).explained_by(runs.networks(one)) for one in needs]
    rows = [_explained(runs, one, part) for one, part in zip(needs, parts, strict=True)]
    return Drawing(explanation_comparison(parts, side_by_side=side_by_side), pd.concat(rows, ignore_index=True))


def _bird_examples(runs: FinishedRuns, needs: Needs, groups: Sequence[str], each: int) -> Examples:
    examples = examples_of(runs.experiment(needs), _BIRDS_OF_A_GROUP * len(GROUPS))
    titles = [GROUP_TITLES[group] for group in groups]
    members = {title: [n for n, own in enumerate(examples.titles) if own == title][:each] for title in titles}
    return _picked(examples, [number for title in titles for number in members[title]])


def birds_bars(runs: FinishedRuns, needs: Sequence[Needs], *, group: str) -> Drawing:
    """Fig. 3, B1, B2."""
    selected = select_by_validation(runs.results(*needs))
    return Drawing(
        waterbirds_bars(selected, group=group), selected[(selected["split"] == "test") & (selected["group"] == group)]
    )


def objects_explained(
    runs: FinishedRuns, needs: Sequence[Needs], *, half: int | None = None, each: int = 2, most: int | None = None
) -> Drawing:
    """Fig. 2, A3, A4: images of all classes or of one half of them, those first that all networks are right about."""
    (one,) = needs
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
    return Drawing(explanation_comparison(comparison, contributions=True), _explained(runs, one, comparison))


def beside_paper_table(runs: FinishedRuns, needs: Sequence[Needs], *, table: str) -> Drawing:
    """Tables 1 to 5, B1, and the left of Fig. 4."""
    results = runs.results(*needs)
    rows = beside_paper(select_by_validation(results), table)
    return Drawing(table_figure(table, rows), rows, {"beside_paper": table_csv(results_cells(results, table), table)})


def shift_similarities(runs: FinishedRuns, needs: Sequence[Needs]) -> Drawing:
    """Fig. 4, centre."""
    experiment, parts = runs.experiment(needs[0]), []
    wide = experiment.wide_images()
    for name, (one, method) in _shifted_networks(needs).items():
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
        parts.append(curves.assign(method=name, seed=seed))
    curves = pd.concat(parts, ignore_index=True)
    return Drawing(shift_periodicity(curves, patch=experiment.patch), curves)


def shifted_explained(runs: FinishedRuns, needs: Sequence[Needs], *, count: int) -> Drawing:
    """Fig. 4, right, and A5: images and their copies that are shifted by half a patch."""
    (one,) = needs
    experiment = runs.experiment(one)
    wide = experiment.wide_images()
    samples = [wide[(2 * number + 1) * len(wide) // (2 * count)] for number in range(count)]
    comparison = compare_shifted(
        runs.networks(one),
        as_unit_range(torch.stack([sample["image"] for sample in samples])),
        torch.tensor([sample["label"] for sample in samples]),
        size=experiment.image_size,
        shifts=(0, experiment.patch // 2),
        titles=[experiment.classes()[sample["label"]] for sample in samples],
    )
    return Drawing(shifted_comparison(comparison, contributions=True), _explained(runs, one, comparison))


def _shifted_networks(needs: Sequence[Needs]) -> dict[str, tuple[Needs, str]]:
    """What is drawn in Fig. 4, centre: by its name where it comes from, the teacher once."""
    networks = {"teacher": (needs[0], "teacher")}
    for one in needs:
        ending = "_frozen" if "frozen" in one.settings else ""
        networks |= {f"{method}{ending}": (one, method) for method in one.methods}
    return networks


def opening(runs: FinishedRuns, needs: Sequence[Needs], *, table: str) -> Drawing:
    """The opening figure; its image is the first one that KD is wrong about, and teacher and e2KD are not."""
    few_shots, birds = needs
    rows = beside_paper(select_by_validation(runs.results(few_shots)), table)
    numbers = teaser_numbers(rows, select_by_validation(runs.results(birds)))
    comparison = _bird_examples(runs, birds, GROUPS, _BIRDS_OF_A_GROUP).explained_by(runs.networks(birds))
    number = telling_image(comparison)
    explained = _explained(runs, birds, comparison)
    shown = explained[explained["image"] == number + 1].to_csv(index=False, lineterminator="\n")
    return Drawing(teaser(numbers, comparison, number=number), numbers, {"explanations": shown})


def _explained(runs: FinishedRuns, needs: Needs, comparison: Comparison) -> pd.DataFrame:
    """What a figure of explanations shows: a row an image and network."""
    folders = {"teacher": runs.teacher(needs), **runs.students(needs)}
    reference = comparison.maps["teacher"]
    parts = []
    for name, maps in comparison.maps.items():
        run = folders[name]
        columns = {
            "image": range(1, len(comparison) + 1),
            "title": comparison.titles,
            "family": needs.family,
            "network": name,
            "run": "" if run is None else run.folder.name,
            "correct": comparison.correct[name].tolist(),
            "cosine_to_teacher": explanation_cosine(maps, reference).double().clamp(-1, 1).numpy().round(6),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _picked(examples: Examples, places: Sequence[int]) -> Examples:
    """These of the examples, in this order."""
    return _joined([examples[place : place + 1] for place in places])


def _joined(parts: Sequence[Examples]) -> Examples:
    return Examples(
        torch.cat([part.images for part in parts]),
        torch.cat([part.classes for part in parts]),
        tuple(title for part in parts for title in part.titles),
        tuple(boxes for part in parts for boxes in part.boxes),
        any(part.multilabel for part in parts),
    )
