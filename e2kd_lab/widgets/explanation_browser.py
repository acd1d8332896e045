"""Explanations of teacher and students side by side, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
import torch

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.data.waterbirds import Split
from e2kd_lab.errors import ExperimentError
from e2kd_lab.execute import load_teacher, outcomes_of
from e2kd_lab.experiments import Experiment
from e2kd_lab.explain import compare
from e2kd_lab.figures import explanation_comparison
from e2kd_lab.figures.style import METHOD_TITLES
from e2kd_lab.metrics.groups import GROUP_TITLES, GROUPS
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.widgets.panel import Panel, by_family, family_switch, shows_errors


class ExplanationBrowser(Panel):
    """Image, teacher and students side by side, with filters (Fig. 1, A1, A2).

    Parameters
    ----------
    experiments : Experiment, or sequence of Experiment
        Give the images and the teacher; one experiment for each family of networks.
    runs : sequence of Run
        Finished runs of students of these experiments, one a family and method, in the order of the columns.
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
        If images may show several classes, which is `FocusBrowser`'s.

    Attributes
    ----------
    family, view, outlines, group, student, relation, order, page : ipywidgets controls
        Standard or B-cos networks; W(x) or contributions of the latter; outlines of the objects, where they are known;
        group or class of images; the student that ``relation`` and ``order`` are about; its agreement with the teacher
        or correctness; order of the images; page.
    selected : ndarray
        Indices of the images that pass the filters, in order.
    """

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment],
        runs: Sequence[Run],
        *,
        split: Split = "test",
        folder: Path | str | None = None,
        page_size: int = 8,
        export_folder: Path | str = "exports",
    ) -> None:
        experiment, self.experiments = by_family(experiments)
        super().__init__(f"{experiment.name}_explanations", export_folder)
        self.page_size, self.split, self.folder = page_size, split, folder
        if experiment.multilabel:
            raise ExperimentError(
                f"The images of '{experiment.name}' may show several classes; expected FocusBrowser, "
                "which explains each of them."
            )
        located = experiment.located(split)
        self.dataset = experiment.dataset(split) if located is None else located
        self.runs = {
            family: {run.config["method"]: run for run in runs if run.config["family"] == family}
            for family in self.experiments
        }
        self._loaded: dict[str, _Family] = {}
        self._classes = experiment.classes()
        # What images are filtered by: the groups of Waterbirds, else the classes.
        grouped = hasattr(self.dataset, "groups")
        self._part = "group" if grouped else "label"
        self._part_titles = [GROUP_TITLES[group] for group in GROUPS] if grouped else list(self._classes)
        self.family = family_switch(list(self.experiments))
        self.view = widgets.ToggleButtons(
            description="Maps",
            options=[("W(x)", False), ("Contributions", True)],
            tooltips=["the weights that are distilled", "what each pixel adds to the logit"],
            style={"button_width": "110px"},
            layout=widgets.Layout(width="max-content"),
        )
        self.outlines = widgets.ToggleButton(
            description="Outlines",
            icon="pencil",
            tooltip="where the object is",
            layout=widgets.Layout(width="110px", display="none" if located is None else None),
        )
        self.group = widgets.Dropdown(
            description="Group" if self._part == "group" else "Class",
            options=[("all", -1), *((title, number) for number, title in enumerate(self._part_titles))],
            layout=widgets.Layout(width="260px"),
        )
        students = list(self.runs[experiment.family])
        self.student = widgets.Dropdown(
            description="Student",
            options=[(METHOD_TITLES.get(name, name), name) for name in students],
            value=students[-1],
            layout=widgets.Layout(width="200px"),
        )
        self.relation = widgets.Dropdown(
            description="Show",
            options=["all", "agrees with teacher", "disagrees with teacher", "correct", "incorrect"],
            layout=widgets.Layout(width="260px"),
        )
        self.order = widgets.Dropdown(
            description="Order", options=["data set", "lowest cosine first", "highest cosine first"]
        )
        self.page = widgets.IntSlider(description="Page", min=1, max=1, value=1, continuous_update=False)
        for control in (self.family, self.group, self.student, self.relation, self.order):
            control.observe(self._filter, "value")
        for control in (self.view, self.outlines, self.page):
            control.observe(self._draw, "value")
        self.arrange(
            [self.family, self.view, self.outlines],
            [self.group, self.student, self.relation],
            [self.order, self.page, self.export_button],
        )
        self.selected = np.arange(len(self.dataset))  # type: ignore[arg-type]
        self._filter(None)

    @property
    def shown(self) -> _Family:
        """Networks of the family that is chosen, and what they say about each image; loaded when first needed."""
        family = self.family.value
        if family not in self._loaded:
            self.say("Looking at all images with these networks ...")
            teacher = load_teacher(self.experiments[family], folder=self.folder)
            students = {method: run.load_model() for method, run in self.runs[family].items()}
            said = {
                method: outcomes_of(run, self.experiments[family], split=self.split, folder=self.folder)
                for method, run in self.runs[family].items()
            }
            self._loaded[family] = _Family({"teacher": teacher, **students}, said)
        return self._loaded[family]

    @shows_errors
    def _filter(self, _: Any) -> None:
        self.view.layout.visibility = "visible" if self.family.value == "bcos" else "hidden"
        table = self.shown.outcomes[self.student.value]
        keep = pd.Series(True, index=table.index)
        if self.group.value >= 0:
            keep &= table[self._part] == self.group.value
        agrees, correct = table["prediction"] == table["teacher_prediction"], table["prediction"] == table["label"]
        relations = {
            "agrees with teacher": agrees,
            "disagrees with teacher": ~agrees,
            "correct": correct,
            "incorrect": ~correct,
        }
        if self.relation.value in relations:
            keep &= relations[self.relation.value]
        chosen = table[keep]
        if self.order.value != "data set":
            lowest = self.order.value.startswith("lowest")
            chosen = chosen.sort_values("explanation_cosine", ascending=lowest, kind="stable")
        elif self.group.value < 0:
            # Data sets are sorted by species or class; a walk through the parts shows several on the first page.
            turns = chosen.groupby(self._part).cumcount()
            chosen = chosen.assign(turn=turns).sort_values(["turn", self._part], kind="stable")
        self.selected = chosen["index"].to_numpy()
        self.page.max = max(1, -(-len(self.selected) // self.page_size))
        if self.page.value == 1:
            self._draw(None)
        else:
            self.page.value = 1

    @shows_errors
    def _draw(self, _: Any) -> None:
        first = (self.page.value - 1) * self.page_size
        indices = self.selected[first : first + self.page_size]
        if not len(indices):
            self.image.value, self.figure, self.data = b"", None, None
            self.say("No image passes the filters.")
            return
        samples = [self.dataset[int(index)] for index in indices]
        images = as_unit_range(torch.stack([sample["image"] for sample in samples]))
        labels = torch.tensor([sample["label"] for sample in samples])
        titles = tuple(self._part_titles[sample[self._part]] for sample in samples)
        masks = torch.stack([sample["mask"][0] > 127 for sample in samples]) if self.outlines.value else None
        comparison = compare(self.shown.models, images, labels, titles, masks)
        self.export_name = f"explanations_{self.family.value}"
        side_by_side = 2 if len(self.shown.models) < 6 else 1  # so that titles do not touch
        figure = explanation_comparison(comparison, side_by_side=side_by_side, contributions=self.view.value)
        self.show(figure, self._page_data(indices))
        shown = f"Images {first + 1} to {first + len(indices)} of {len(self.selected)}"
        self.say(f"{shown}. Every map explains the teacher's prediction; ✓ and ✗ mark each network's own prediction.")

    def _page_data(self, indices: np.ndarray) -> pd.DataFrame:
        tables = [
            table.loc[indices].assign(family=self.family.value, student=method)
            for method, table in self.shown.outcomes.items()
        ]
        page = pd.concat(tables, ignore_index=True)
        for column in ("label", "prediction", "teacher_prediction"):
            page[column] = [self._classes[number] for number in page[column]]
        if self._part == "group":
            return page.assign(group=[GROUPS[group] for group in page["group"]])
        return page.drop(columns="group")


@dataclass(frozen=True)
class _Family:
    """The networks of one family, the teacher first, and what each student says about each image."""

    models: dict[str, ExplainableModel]
    outcomes: dict[str, pd.DataFrame]
