"""Where networks see a class, with its boxes: Fig. 2, A3 and A4 as a panel."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.examples import examples_of_classes, networks_of
from e2kd_lab.experiments import VocExperiment
from e2kd_lab.figures import explanation_comparison
from e2kd_lab.runs import Run
from e2kd_lab.widgets.panel import Panel, shows_errors


class FocusBrowser(Panel):
    """Explanations of a class by teacher and students, beside the boxes of its objects.

    Parameters
    ----------
    students : mapping
        For each teacher, by its title: the experiment that gives teacher and images, and finished runs of students, one
        a method, in the order of the columns.
    folder : Path or str, optional
        Where runs lie.
    page_size : int
        Images on one page.
    export_folder : Path or str
        Where the export button writes.

    Attributes
    ----------
    teacher, classes, view, page : ipywidgets controls
        Whose students; the class that is explained, or a walk through all of them; W(x) or contributions; page.
    """

    def __init__(
        self,
        students: Mapping[str, tuple[VocExperiment, Sequence[Run]]],
        *,
        folder: Path | str | None = None,
        page_size: int = 8,
        export_folder: Path | str = "exports",
    ) -> None:
        super().__init__("focus", export_folder)
        self.students, self.page_size = dict(students), page_size
        self._networks = functools.cache(lambda teacher: networks_of(*self.students[teacher], folder))
        names = next(iter(self.students.values()))[0].classes()
        self.teacher = widgets.ToggleButtons(
            description="Teacher", options=list(self.students), style={"button_width": "110px"}
        )
        self.classes = widgets.Dropdown(
            description="Class", options=[("all", -1), *((name, number) for number, name in enumerate(names))]
        )
        self.view = widgets.ToggleButtons(
            description="Maps",
            options=[("W(x)", False), ("Contributions", True)],
            value=True,
            tooltips=["the weights that are distilled", "what each pixel adds to the logit; EPG and IoU measure these"],
            style={"button_width": "110px"},
        )
        self.page = widgets.IntSlider(description="Page", min=1, max=10, value=1, continuous_update=False)
        for control in (self.teacher, self.classes, self.view, self.page):
            control.observe(self._draw, "value")
        self.arrange([self.teacher, self.view], [self.classes, self.page, self.export_button])
        self._draw(None)

    @shows_errors
    def _draw(self, _: Any) -> None:
        experiment, _ = self.students[self.teacher.value]
        chosen = None if self.classes.value < 0 else [self.classes.value]
        examples = examples_of_classes(
            experiment, classes=chosen, count=self.page_size, skip=(self.page.value - 1) * self.page_size
        )
        if not len(examples):
            self.image.value, self.figure, self.data = b"", None, None
            self.say("There are no more images of this class.")
            return
        comparison = examples.explained_by(self._networks(self.teacher.value))
        self.export_name = f"focus_{experiment.setting}_{self.classes.label}_{self.page.value}"
        data = pd.DataFrame(
            {"image": comparison.titles}
            | {f"{name} finds it": found.cpu().numpy() for name, found in comparison.correct.items()}
        )
        self.show(explanation_comparison(comparison, contributions=self.view.value), data)
        self.say("Boxes are the objects of the class named; ✓ and ✗ tell whether the network finds the class.")
