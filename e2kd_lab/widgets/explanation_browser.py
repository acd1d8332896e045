"""Explanations of teacher and students side by side, page by page."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import torch
from matplotlib.figure import Figure

from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import Comparison, compare, compare_class, explanation_of
from e2kd_lab.figures import FigureOptions, caption, comparison_table, explanation_comparison, figure_options
from e2kd_lab.figures.explanation_comparison import LiveExplanations
from e2kd_lab.figures.glossary import GLOSSARY
from e2kd_lab.figures.labels import title_of
from e2kd_lab.runs import Run, results_of
from e2kd_lab.runs.image_selection import ORDERS, RELATIONS, select_views
from e2kd_lab.widgets.controls import maps_options, maps_tooltips, muted, switch
from e2kd_lab.widgets.network_sets import LookedAt, NetworkSet, Sets, sets_of
from e2kd_lab.widgets.panel import Panel, shows_errors
from e2kd_lab.widgets.run_list import RunList

_Views = tuple[tuple[int, int], ...]  # index of each image, and its part
_WIDE = {"width": "320px"}
_PAGES_KEPT = 16  # pages whose maps need not be computed again


class ExplanationBrowser(Panel):
    """Image, teacher and students side by side, with filters (Fig. 1, 2, A1 to A4).

    Every map explains the teacher's prediction. If images show several classes, every class of an image is a view of
    its own: maps explain it, and filters apply to it.

    Parameters
    ----------
    experiments : Experiment, sequence of Experiment, or mapping
        Source of images and teacher: one experiment, or one per family of networks. Or a mapping of titles, such as
        the teachers' names, to an experiment and finished runs of its students.
    runs : sequence of Run
        Finished runs of students that are shown first, in the order of the columns; empty with a mapping.
    split : str
        Split of the images: ``train``, ``val`` or ``test``.
    folder : Path or str, optional
        Folder of the runs.
    page_size : int
        Images per page.
    export_folder : Path or str
        Folder that the export button writes to.

    Raises
    ------
    ExperimentError
        If an experiment has no runs or one of them twice, two experiments have the same family, or their classes
        differ.

    Attributes
    ----------
    networks, view, outlines, group, student, relation, order, page : ipywidgets controls
        Networks, by title or family; W(x) or contributions of B-cos networks; outlines or boxes of the objects, if
        known; group or class of images; the student that ``relation`` and ``order`` refer to; its agreement with the
        teacher, or correctness; order of the images; page.
    runs : RunList
        Runs to show: any finished ones of the folder whose experiments have the same classes, and networks of the same
        family, whose maps can be compared. Each choice of networks has its list.
    selected : DataFrame
        Views that pass the filters, in order, see `e2kd_lab.runs.image_selection.views_of`.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> birds = lab.experiments.get("waterbirds", "lab")
    >>> runs = [lab.run(birds.replace(method=method)) for method in ("kd", "e2kd")]  # doctest: +SKIP
    >>> ExplanationBrowser(birds, runs)  # doctest: +SKIP
    """

    figure_choices = ("width", "font_size", "images_per_row", "opacity", "colour_map", "maps_only")

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
        sets = sets_of(experiments, runs)
        experiment, _ = next(iter(sets.values()))
        super().__init__(f"{experiment.name}_explanations", export_folder)
        self.page_size = page_size
        self.sets = {
            title: NetworkSet(one, own, split=split, folder=folder, computing=self.computing)
            for title, (one, own) in sets.items()
        }
        self._classes, self._several = experiment.classes(), experiment.multilabel
        self._grouping = grouping = experiment.grouping()
        # Images are filtered by group, such as those of Waterbirds, else by class.
        self._parts = [name.replace("_", " ") for name in self._classes]
        if grouping is not None:
            self._parts = [grouping.title(number) for number in range(len(grouping.names))]
        self._live = LiveExplanations()
        self._page = functools.lru_cache(_PAGES_KEPT)(self._drawn)
        self._explained = functools.lru_cache(_PAGES_KEPT)(self._explain)
        # Networks for several labels are evaluated on contributions (EPG, IoU).
        self._contributions = self._several
        self.selected = pd.DataFrame()
        self._make_view_controls(has_objects=experiment.dataset_with_objects(split) is not None)
        self._make_filters()
        self._listed = widgets.VBox()
        self._observe()
        self.arrange(
            *([control] for control in (self.networks, self._listed, self.view)),
            [self.group, self.outlines],
            *([control] for control in (self.student, self.relation, self.order, self.page, self.export_button)),
            beside=True,
        )
        self._switch(None)

    def _make_view_controls(self, *, has_objects: bool) -> None:
        """Controls of what is drawn: networks, maps, and objects where they are known."""
        self.networks = switch("Networks", list(self.sets), width=120, shown=len(self.sets) > 1)
        self.view = switch("Maps", [("Maps", False), ("Contributions", True)], width=110)
        self.outlines = widgets.ToggleButton(
            description="Boxes" if self._several else "Outlines",
            value=self._several,
            icon="pencil",
            tooltip="where the objects are",
            layout=widgets.Layout(width="110px", display=None if has_objects else "none"),
        )

    def _make_filters(self) -> None:
        """Controls of which images are drawn, and in which order."""
        self.group = widgets.Dropdown(
            description="Class" if self._grouping is None else "Group",
            options=[("all", -1), *((title, number) for number, title in enumerate(self._parts))],
            layout=_WIDE,
        )
        self.student = widgets.Dropdown(
            description="Student", tooltip="the student that Show and Order are about", layout=_WIDE
        )
        self.relation = widgets.Dropdown(
            description="Show", options=list(RELATIONS), tooltip=GLOSSARY["agreement"], layout=_WIDE
        )
        self.order = widgets.Dropdown(
            description="Order", options=list(ORDERS), tooltip=GLOSSARY["explanation cosine"], layout=_WIDE
        )
        wide = widgets.Layout(width="440px")  # many pages can be told apart by hand
        self.page = widgets.IntSlider(description="Page", min=1, max=1, continuous_update=False, layout=wide)

    def _observe(self) -> None:
        self.networks.observe(self._switch, "value")
        for one in self.sets.values():
            one.choice.observe(self._choose, "value")
        for control in (self.group, self.student, self.relation, self.order):
            control.observe(self._filter, "value")
        self.view.observe(self._look, "value")
        for control in (self.outlines, self.page):
            control.observe(self.redraw, "value")

    @property
    def _set(self) -> NetworkSet:
        return self.sets[self.networks.value]

    @property
    def runs(self) -> RunList:
        """See the attributes."""
        return self._set.choice

    @property
    def shown(self) -> LookedAt:
        """Chosen networks and their predictions on each image; loaded on first use."""
        return self._set.look()

    @shows_errors
    def _switch(self, _: Any) -> None:
        self._set.offer()
        self._listed.children = [self.runs]
        explanation = explanation_of(self.shown.models["teacher"])
        with muted(self._look, self.view):
            self.view.options, self.view.tooltips = maps_options(explanation), maps_tooltips(explanation)
            self.view.value = self._contributions and explanation.has_contributions
        self._offer_students()
        self._filter(None)

    @shows_errors
    def _choose(self, _: Any) -> None:
        try:
            self._offer_students()
            with muted(self.redraw, self.page):
                self._select()
            self.draw()
        except BaseException:
            self.show_nothing("")  # other runs' pictures must not stay
            raise

    def _offer_students(self) -> None:
        names, before = list(self.shown.outcomes), self.student.value
        with muted(self._filter, self.student):
            self.student.options = [(title_of("method", name), name) for name in names]
            self.student.value = before if before in names else names[-1] if names else None

    @shows_errors
    def _filter(self, _: Any) -> None:
        with muted(self.redraw, self.page):
            self.page.value = 1
            self._select()
        self.redraw()

    def _select(self) -> None:
        """Find the views that pass the filters, and how many pages they take."""
        if self.student.value is None:
            self.selected = pd.DataFrame()
        else:
            self.selected = select_views(
                self.shown.views[self.student.value],
                part=None if self.group.value < 0 else self.group.value,
                relation=self.relation.value,
                order=self.order.value,
            )
        self.page.max = max(1, -(-len(self.selected) // self.page_size))

    @shows_errors
    def _look(self, _: Any) -> None:
        self._contributions = self.view.value
        self.redraw()

    def draw(self) -> None:
        """See `Panel.draw`."""
        first = (self.page.value - 1) * self.page_size
        views = self.selected.iloc[first : first + self.page_size]
        if views.empty:
            none = self.student.value is None
            self.show_nothing("No run is chosen from the list." if none else "No image passes the filters.")
            return
        keys = tuple(views[["index", "part"]].itertuples(index=False, name=None))
        self.export_name = self._file_name()
        networks, looks = (self.networks.value, self.runs.value), (self.view.value, self.outlines.value)
        self.show(*self._page(*networks, keys, *looks, self.figure_options))
        shown = f"{'Views' if self._several else 'Images'} {first + 1} to {first + len(views)} of {len(self.selected)}"
        if self._several:
            self.say(f"{shown}. Every map explains the class named; ✓ and ✗ tell whether the network finds it.")
        else:
            self.say(
                f"{shown}. Every map explains the teacher's prediction; ✓ and ✗ mark each network's own prediction."
            )

    def caption(self) -> str:
        """See `Panel.caption`."""
        if self.data is None:
            return ""
        explained = "the class named" if self._several else "the teacher's prediction"
        maps = "contributions to" if self.view.value else f"{self.view.label} of"
        results = results_of(list(self._set.runs.values()))
        what = f"{maps} {explained} on images of {title_of('experiment', self._set.experiment.name)}"
        return caption(what, results, kind="explanations")

    def _file_name(self) -> str:
        """What is shown, in the words of the controls; choices that every panel begins with are left out."""
        parts = ["explanations", self.networks.value, self.group.label]
        chosen = [control.label for control in (self.relation, self.order) if control.index]
        parts += [self.student.value, *chosen] if chosen else []
        parts += ["contributions"] if self.view.value else []
        parts += [self.outlines.description] if self.outlines.value else []
        return "_".join(re.sub(r"\W+", "_", part.lower()) for part in (*parts, str(self.page.value)))

    def _drawn(
        self,
        networks: str,
        runs: tuple[str, ...],
        views: _Views,
        contributions: bool,
        outlines: bool,
        options: FigureOptions,
    ) -> tuple[Callable[[], Figure], pd.DataFrame, bytes]:
        """What draws a page's figure, its data and PNG; cached, since drawing takes most of the time."""
        comparison = self._explained(networks, runs, views)
        side_by_side = 2 if len(comparison.maps) < 6 else 1  # so that titles do not touch
        drawn = comparison if outlines else replace(comparison, masks=None, boxes=())
        look: dict[str, Any] = {"side_by_side": side_by_side, "contributions": contributions}
        with figure_options(options):
            picture = self._live.png(drawn, **look)
        table = comparison_table(comparison, indices=[index for index, _ in views], classes=self._classes)
        table.insert(0, "networks", networks)
        return functools.partial(explanation_comparison, drawn, **look), table, picture

    def _explain(self, networks: str, _runs: tuple[str, ...], views: _Views) -> Comparison:
        """Explain images (index and part) with their objects, where they are known, by the chosen networks."""
        dataset, models = self.sets[networks].dataset, self.shown.models
        samples = [dataset[index] for index, _ in views]
        images = as_unit_range(torch.stack([sample["image"] for sample in samples]))
        parts = [part for _, part in views]
        titles = tuple(self._parts[part] for part in parts)
        with self.computing(f"maps of {len(images)} images by {len(models)} networks"):
            if self._several:
                boxes = [s["boxes"][s["box_labels"] == part] for s, part in zip(samples, parts, strict=True)]
                return compare_class(models, images, torch.tensor(parts), titles, tuple(boxes))
            labels = torch.tensor([sample["label"] for sample in samples])
            known = all("mask" in sample for sample in samples)
            masks = torch.stack([sample["mask"][0] > 127 for sample in samples]) if known else None
            return compare(models, images, labels, titles, masks)
