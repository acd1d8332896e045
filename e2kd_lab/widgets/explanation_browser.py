"""Explanations of teacher and students side by side, page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import torch

from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import Comparison, compare, compare_class, explanation_of
from e2kd_lab.figures import explanation_comparison
from e2kd_lab.figures.style import FAMILY_TITLES, METHOD_TITLES
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import outcomes_of
from e2kd_lab.runs.examples import networks_of
from e2kd_lab.runs.image_selection import ORDERS, RELATIONS, select_views, views_of
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.widgets.panel import Panel, shows_errors, switch, unheard

Sets = Mapping[str, tuple[Experiment, Sequence[Run]]]


class ExplanationBrowser(Panel):
    """Image, teacher and students side by side, with filters (Fig. 1, 2, A1 to A4).

    Every map explains the teacher's prediction. Where images may show several classes, each class that an image shows
    is looked at by itself: it is what the maps explain and what the filters are about.

    Parameters
    ----------
    experiments : Experiment, sequence of Experiment, or mapping
        What gives the images and the teacher: one experiment, or one for each family of networks; or for each of
        several titles, such as the names of teachers, an experiment and finished runs of its students.
    runs : sequence of Run
        Finished runs of students, one a family and method, in the order of the columns; none beside a mapping.
    split : str
        Whose images to show.
    folder : Path or str, optional
        Where runs lie.
    page_size : int
        Images on one page.
    export_folder : Path or str
        Where the export button writes.

    Raises
    ------
    ExperimentError
        If an experiment has no runs or two of one method, two experiments have the same family, or they do not have
        the same classes.

    Attributes
    ----------
    networks, view, outlines, group, student, relation, order, page : ipywidgets controls
        Whose networks, by title or family; W(x) or contributions of B-cos networks; outlines or boxes of the objects,
        where they are known; group or class of images; the student that ``relation`` and ``order`` are about; its
        agreement with the teacher or correctness; order of the images; page.
    selected : DataFrame
        What passes the filters, in order, see `e2kd_lab.runs.image_selection.views_of`.
    """

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment] | Sets,
        runs: Sequence[Run] = (),
        *,
        split: Split = "test",
        folder: Path | str | None = None,
        page_size: int = 8,
        export_folder: Path | str = "exports",
    ) -> None:
        self.sets = _sets_of(experiments, runs)
        experiment, _ = next(iter(self.sets.values()))
        super().__init__(f"{experiment.name}_explanations", export_folder)
        self.page_size, self.split, self.folder = page_size, split, folder
        self._looks: dict[str, _Look] = {}
        self._classes, self._several = experiment.classes(), experiment.multilabel
        # What images are filtered by: their groups, such as those of Waterbirds, else the classes.
        self._grouping = grouping = experiment.grouping()
        self._parts = list(self._classes) if grouping is None else [*map(grouping.title, range(len(grouping.names)))]
        self.networks = switch("Networks", list(self.sets), width=120, shown=len(self.sets) > 1)
        self.view = switch(
            "Maps",
            [("Maps", False), ("Contributions", True)],
            width=110,
            value=self._several,  # EPG and IoU, by which these networks are measured, are of contributions
            tooltips=["the weights that are distilled", "what each pixel adds to the logit"],
        )
        located = experiment.located(split) is not None
        self.outlines = widgets.ToggleButton(
            description="Boxes" if self._several else "Outlines",
            value=self._several,
            icon="pencil",
            tooltip="where the objects are",
            layout=widgets.Layout(width="110px", display=None if located else "none"),
        )
        self.group = widgets.Dropdown(
            description="Class" if grouping is None else "Group",
            options=[("all", -1), *((title, number) for number, title in enumerate(self._parts))],
            layout=widgets.Layout(width="260px"),
        )
        self.student = widgets.Dropdown(description="Student", layout=widgets.Layout(width="200px"))
        self.relation = widgets.Dropdown(
            description="Show", options=list(RELATIONS), layout=widgets.Layout(width="260px")
        )
        self.order = widgets.Dropdown(description="Order", options=list(ORDERS))
        self.page = widgets.IntSlider(description="Page", min=1, max=1, value=1, continuous_update=False)
        self.networks.observe(self._switch, "value")
        for control in (self.group, self.student, self.relation, self.order):
            control.observe(self._filter, "value")
        for control in (self.view, self.outlines, self.page):
            control.observe(self._draw, "value")
        self.arrange(
            [self.networks, self.view, self.outlines],
            [self.group, self.student, self.relation],
            [self.order, self.page, self.export_button],
        )
        self.selected = pd.DataFrame()
        self._switch(None)

    @property
    def shown(self) -> _Look:
        """The networks that are chosen, and what they say about each image; loaded when first needed."""
        title = self.networks.value
        if title not in self._looks:
            self.say("Looking at all images with these networks ...")
            experiment, runs = self.sets[title]
            located = experiment.located(self.split)
            said = {
                run.config["method"]: outcomes_of(run, experiment, split=self.split, folder=self.folder) for run in runs
            }
            self._looks[title] = _Look(
                experiment.dataset(self.split) if located is None else located,
                networks_of(experiment, runs, self.folder),
                said,
                {method: views_of(table) for method, table in said.items()},
            )
        return self._looks[title]

    @shows_errors
    def _switch(self, _: Any) -> None:
        _, runs = self.sets[self.networks.value]
        explanation = explanation_of(self.shown.models["teacher"])
        self.view.layout.visibility = "visible" if explanation.has_contributions else "hidden"
        with unheard(self._draw, self.view):
            shown = self.view.value
            self.view.options = [(explanation.title, False), ("Contributions", True)]
            self.view.value = shown
        methods = [run.config["method"] for run in runs]
        before = self.student.value
        with unheard(self._filter, self.student):
            self.student.options = [(METHOD_TITLES.get(name, name), name) for name in methods]
            self.student.value = before if before in methods else methods[-1]
        self._filter(None)

    @shows_errors
    def _filter(self, _: Any) -> None:
        self.selected = select_views(
            self.shown.views[self.student.value],
            part=None if self.group.value < 0 else self.group.value,
            relation=self.relation.value,
            order=self.order.value,
        )
        with unheard(self._draw, self.page):
            self.page.value = 1
            self.page.max = max(1, -(-len(self.selected) // self.page_size))
        self._draw(None)

    @shows_errors
    def _draw(self, _: Any) -> None:
        first = (self.page.value - 1) * self.page_size
        views = self.selected.iloc[first : first + self.page_size]
        if views.empty:
            self.image.value, self.figure, self.data = b"", None, None
            self.say("No image passes the filters.")
            return
        side_by_side = 2 if len(self.shown.models) < 6 else 1  # so that titles do not touch
        figure = explanation_comparison(
            self._explained(views), side_by_side=side_by_side, contributions=self.view.value
        )
        chosen = (self.networks.value, self.group.label, str(self.page.value))
        self.export_name = "_".join(["explanations", *(re.sub(r"\W+", "_", part.lower()) for part in chosen)])
        self.show(figure, self._page_data(views))
        shown = f"{'Views' if self._several else 'Images'} {first + 1} to {first + len(views)} of {len(self.selected)}"
        if self._several:
            self.say(f"{shown}. Every map explains the class named; ✓ and ✗ tell whether the network finds it.")
        else:
            self.say(
                f"{shown}. Every map explains the teacher's prediction; ✓ and ✗ mark each network's own prediction."
            )

    def _explained(self, views: pd.DataFrame) -> Comparison:
        samples = [self.shown.dataset[index] for index in views["index"]]
        images = as_unit_range(torch.stack([sample["image"] for sample in samples]))
        parts = [int(part) for part in views["part"]]
        titles = tuple(self._parts[part] for part in parts)
        if self._several:
            boxes = [s["boxes"][s["box_labels"] == part] for s, part in zip(samples, parts, strict=True)]
            outlined = tuple(boxes) if self.outlines.value else ()
            return compare_class(self.shown.models, images, torch.tensor(parts), titles, outlined)
        labels = torch.tensor([sample["label"] for sample in samples])
        masks = torch.stack([sample["mask"][0] > 127 for sample in samples]) if self.outlines.value else None
        return compare(self.shown.models, images, labels, titles, masks)

    def _page_data(self, views: pd.DataFrame) -> pd.DataFrame:
        """What the students of the page say about its images, with names in place of numbers."""
        keys = ["index", "class"] if self._several else ["index"]
        rows = views.rename(columns={"part": "class"})[keys]
        page = pd.concat(
            [
                rows.merge(table, how="left", on=keys).assign(networks=self.networks.value, student=method)
                for method, table in self.shown.outcomes.items()
            ],
            ignore_index=True,
        )
        for column in ("class",) if self._several else ("label", "prediction", "teacher_prediction"):
            page[column] = [self._classes[number] for number in page[column]]
        if self._grouping is not None:
            return page.assign(group=[self._grouping.names[group] for group in page["group"]])
        return page.drop(columns="group", errors="ignore")


@dataclass(frozen=True)
class _Look:
    """Images, the networks of a set, the teacher first, and what each student says about each image."""

    dataset: Any
    models: dict[str, ExplainableModel]
    outcomes: dict[str, pd.DataFrame]
    views: dict[str, pd.DataFrame]


def _sets_of(experiments: Experiment | Sequence[Experiment] | Sets, runs: Sequence[Run]) -> Sets:
    if isinstance(experiments, Mapping):
        if runs:
            raise ExperimentError("Runs were given beside a mapping of experiments; expected them in its pairs.")
        sets: Sets = dict(experiments)
    else:
        listed = [experiments] if isinstance(experiments, Experiment) else list(experiments)
        families = [experiment.family for experiment in listed]
        if len(set(families)) < len(families):
            raise ExperimentError(
                f"The experiments' families of networks are {', '.join(families)}; expected one experiment of each, "
                "or a mapping of titles to experiments and runs."
            )
        sets = {
            FAMILY_TITLES[one.family].removesuffix(" networks"): (
                one,
                [run for run in runs if run.config["family"] == one.family],
            )
            for one in listed
        }
    if not sets:
        raise ExperimentError("No experiment was given to look at; expected at least one.")
    for title, (experiment, own) in sets.items():
        if not own:
            raise ExperimentError(f"'{title}' has no runs of students of '{experiment.name}'; expected at least one.")
        methods = [run.config["method"] for run in own]
        # A column is named after its method, so that of two runs the first would go missing.
        if len(set(methods)) < len(methods):
            raise ExperimentError(
                f"The runs of '{title}' are of the methods {', '.join(methods)}; expected one run of each, or a "
                "mapping with a title for each choice."
            )
    kinds = {title: (one.multilabel, one.classes()) for title, (one, _) in sets.items()}
    if len(set(kinds.values())) > 1:
        raise ExperimentError(
            f"The experiments of {', '.join(sets)} have different classes; expected the same ones in each."
        )
    return sets
