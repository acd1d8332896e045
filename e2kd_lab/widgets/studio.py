"""One picture, changed at will, and what any number of networks make of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import ipywidgets as widgets
import pandas as pd
import torch
from torch import Tensor

from e2kd_lab.data.edits import Edits
from e2kd_lab.data.images import read_image
from e2kd_lab.data.scenes import Drawn, Photograph, Scene
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import explanation_of
from e2kd_lab.figures import caption
from e2kd_lab.figures.answers import Answers
from e2kd_lab.figures.export import figure_contents
from e2kd_lab.figures.live_answers import LiveAnswers
from e2kd_lab.figures.style import METHOD_TITLES
from e2kd_lab.figures.what_if import what_if
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run, results_of
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.system.errors import DataError, ExperimentError, LabError, note
from e2kd_lab.system.paths import expanded
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.widgets.asked_networks import AskedNetworks
from e2kd_lab.widgets.cached_runs import CachedRuns
from e2kd_lab.widgets.change_controls import ChangeControls
from e2kd_lab.widgets.controls import WIDE, button, maps_options, maps_tooltips, muted, switch
from e2kd_lab.widgets.panel import Panel, shows_errors
from e2kd_lab.widgets.run_list import RunList
from e2kd_lab.widgets.studio_strip import StudioStrip

_PREDICTED = -1  # explain what the first network predicts


class Studio(Panel):
    """One picture, any number of networks: what do they say, and what if the picture were different?

    The picture is one of the data set, or any other: from a file that is uploaded, or from a path on the machine where
    Python runs. It is cropped and resized as evaluation does, and shown as the networks see it. What is drawn (the
    embedded sets) can be drawn in another way; any picture can be moved, scaled, covered in a box, and mixed with
    another one; where the object's mask is known, its background can be that of the other one. A strip shows the way of
    one change in steps.

    Parameters
    ----------
    experiment : Experiment
        Source of pictures, classes and teacher.
    runs : sequence of Run
        Finished runs to begin with; others of the same classes can be chosen in the panel.
    networks : mapping
        Further networks in evaluation mode by title, for instance adapted ones, of the same classes.
    changes : sequence of str, optional
        Names of changes: a small studio with their controls alone, and the picture's number.
    split : str
        Split of the pictures: ``val`` or ``test``.
    folder : Path or str, optional
        Folder of the runs.
    export_folder : Path or str
        Folder that the export button writes to.

    Raises
    ------
    ExperimentError
        If there is no network at all.

    Attributes
    ----------
    number, upload, path_field, other : ipywidgets controls
        Number of the picture, from 1; a file to upload; a path of a file; number of the other picture, 0 for none.
    scene_controls, edit_controls : ChangeControls
        What can be changed in this picture, and in any picture; ``controls`` has a control by name.
    compare : RunList
        Runs whose networks are shown.
    explained, view : ipywidgets controls
        The class that all maps explain; W(x) or contributions of B-cos networks.
    mark, across, down : ipywidgets controls
        Whether to mark a point in all pictures, and where.
    strip : StudioStrip
        The strip: its controls, picture, figure and table.
    reset_button : ipywidgets.Button
        Shows the unchanged picture.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> birds = lab.experiments.get("waterbirds", "smoke")
    >>> studio = Studio(birds, networks={"untrained": lab.build_model("resnet_mini", num_classes=2).eval()})
    >>> studio.scene_controls.controls["water"].value = 1.0
    >>> studio.last_error
    """

    figure_choices = ("width", "font_size", "opacity", "colour_map")

    def __init__(
        self,
        experiment: Experiment,
        runs: Sequence[Run] = (),
        *,
        networks: Mapping[str, ExplainableModel] | None = None,
        changes: Sequence[str] | None = None,
        split: Literal["val", "test"] = "test",
        folder: Path | str | None = None,
        export_folder: Path | str = "exports",
    ) -> None:
        super().__init__("studio", export_folder)
        self.experiment, self.split, self._only = experiment, split, changes
        self.folder = runs_folder() if folder is None else Path(folder)
        self._cached = CachedRuns(self.folder)
        self._given = self._networks_given(dict(networks or {}), alone=not (runs or networks))
        self._count = len(experiment.dataset(split))  # type: ignore[arg-type]
        self._live = LiveAnswers()
        self.strip = StudioStrip(self._live)
        self.scene_controls = self.edit_controls = ChangeControls((), self.redraw)
        self._make_picture_controls()
        self._make_network_controls(runs)
        self._make_view_controls()
        self._pages: dict[str, widgets.VBox] = defaultdict(widgets.VBox)
        self._tabs = widgets.Tab(layout=widgets.Layout(width="calc(100% - 2px)"))
        self._controls = widgets.VBox(layout=widgets.Layout(width="100%"))
        self._observe()
        buttons = [self.reset_button, self.strip.button]
        self.arrange([self._controls], buttons, [self.export_button], beside=True, below=[self.strip.image])
        self._choose(None)

    def _networks_given(self, networks: dict[str, ExplainableModel], *, alone: bool) -> dict[str, ExplainableModel]:
        """The teacher, where there is one, and the networks that were given."""
        try:
            return {METHOD_TITLES["teacher"]: load_teacher(self.experiment, folder=self.folder), **networks}
        except LabError as error:
            if alone:
                raise ExperimentError(f"There is no network to ask: {error}") from error
            note(f"The studio is without the teacher: {error}")
        return networks

    def _make_picture_controls(self) -> None:
        self.number = widgets.IntSlider(
            description="Picture", value=1, min=1, max=self._count, continuous_update=False,
            tooltip="Number of the picture in the data set", layout=widgets.Layout(**WIDE),
        )  # fmt: skip
        self.upload = widgets.FileUpload(
            description="Your picture", accept="image/*", tooltip="Choose or drop a file of the machine you sit at"
        )
        self.path_field = widgets.Text(
            description="or its path", placeholder="a file of the machine where Python runs", continuous_update=False,
            layout=widgets.Layout(**WIDE),
        )  # fmt: skip
        self.other = widgets.IntSlider(
            description="Other", value=0, min=0, max=self._count, continuous_update=False,
            tooltip="Number of the picture for background and mixing; 0 for none", layout=widgets.Layout(**WIDE),
        )  # fmt: skip
        self.reset_button = button("Reset", "undo", "Show the unchanged picture")

    def _make_network_controls(self, runs: Sequence[Run]) -> None:
        self.compare = RunList(self.experiment)
        self._networks = AskedNetworks(self.experiment, self._given, self._cached, self.compare)
        self.compare.value = tuple(run.folder.name for run in runs)
        classes = [name.replace("_", " ") for name in self.experiment.classes()]
        options = [("what the first network predicts", _PREDICTED), *((name, k) for k, name in enumerate(classes))]
        self.explained = widgets.Dropdown(description="Explain", options=options, layout=widgets.Layout(**WIDE))
        explanations = [explanation_of(model) for model in self._networks.models.values()]
        self._explanation = next((one for one in explanations if one.has_contributions), explanations[0])
        self.view = switch(
            "Maps",
            maps_options(self._explanation),
            width=110,
            tooltips=maps_tooltips(self._explanation),
            shown=self._explanation.has_contributions,
        )

    def _make_view_controls(self) -> None:
        self.mark = widgets.Checkbox(description="Mark a point in all pictures", value=False, indent=False)
        place: dict[str, Any] = {"min": 0, "max": 100, "continuous_update": False}
        self.across = widgets.IntSlider(description="Across", value=50, layout=widgets.Layout(**WIDE), **place)
        self.down = widgets.IntSlider(description="Down", value=50, layout=widgets.Layout(**WIDE), **place)

    def _observe(self) -> None:
        self.number.observe(self._choose, "value")
        self.other.observe(self._choose_other, "value")
        self.upload.observe(self._uploaded, "value")
        self.path_field.observe(self._typed, "value")
        self.reset_button.on_click(self._reset)
        for control in (self.compare, self.explained, self.view, self.mark, self.across, self.down):
            control.observe(self.redraw, "value")
        for control in (self.strip.button, self.strip.along, self.strip.steps):
            control.observe(self.redraw, "value")

    @shows_errors
    def _choose(self, _: Any) -> None:
        """Show a picture of the data set."""
        self._show_scene(self.experiment.scene(self.split, self.number.value - 1), f"picture_{self.number.value}")

    @shows_errors
    def _choose_other(self, _: Any) -> None:
        self._show_scene(self._scene, self._name, keep=True)

    @shows_errors
    def _uploaded(self, change: Any) -> None:
        if not change["new"]:
            return
        (file,) = change["new"]
        with TemporaryDirectory() as folder:
            path = Path(folder) / Path(file["name"]).name
            path.write_bytes(bytes(file["content"]))
            try:
                self._show_file(path)
            except DataError as error:
                raise DataError(str(error).replace(str(path), file["name"])) from None

    @shows_errors
    def _typed(self, change: Any) -> None:
        text = change["new"].strip().strip("'\"")
        if not text:
            return
        if "://" in text and not text.startswith("file://"):
            raise DataError(f"'{text}' is an address; expected the path of a file: download the picture first.")
        self._show_file(expanded(text.removeprefix("file://")))

    def _show_file(self, path: Path) -> None:
        image = self.experiment.data.evaluation_transform()({"image": read_image(path)})["image"]
        self._show_scene(Photograph(image), path.stem)

    def _show_scene(self, scene: Scene, name: str, *, keep: bool = False) -> None:
        """Make the controls of a scene, and draw it; with ``keep``, changed values stay."""
        before = self.edit_controls.values if keep else {}
        replaced = [self.edit_controls] if keep else [self.scene_controls, self.edit_controls]
        self._scene, self._name = scene, name
        drawn = scene.draw({})
        number = self.other.value
        other = self._drawn(self.experiment.scene(self.split, number - 1), {}) if number else None
        height, width = drawn.image.shape[1:]
        self._edits = Edits((height, width), has_mask=drawn.mask is not None, other=other)
        if not keep:
            self.scene_controls = ChangeControls(scene.changes, self.redraw)
        self.edit_controls = ChangeControls(self._edits.changes, self.redraw)
        for known in before.keys() & self.edit_controls.controls.keys():
            with muted(self.redraw, self.edit_controls.controls[known]):
                self.edit_controls.controls[known].value = before[known]
        self.strip.offer([*scene.changes, *self._edits.changes], scene.path, self.redraw)
        self._lay_out()
        for controls in replaced:
            controls.close()
        self.redraw()

    def _lay_out(self) -> None:
        if self._only is not None:
            known = {**self.scene_controls.controls, **self.edit_controls.controls}
            self._controls.children = [self.number, *(known[name] for name in self._only if name in known)]
            return
        self._controls.children = [self._tabs]
        pages = {
            "Picture": [self.number, self.upload, self.path_field, self.other],
            "What if": [self.scene_controls],
            "Edit": [self.edit_controls],
            "Networks": [self.compare, self.explained, self.view],
            "View": [self.strip.along, self.strip.steps, self.mark, self.across, self.down],
        }
        if not self.scene_controls.controls:
            del pages["What if"]
        chosen = self._tabs.titles[self._tabs.selected_index] if self._tabs.selected_index is not None else "Picture"
        for title, controls in pages.items():
            self._pages[title].children = controls
        self._tabs.children = [self._pages[title] for title in pages]
        self._tabs.titles = tuple(pages)
        self._tabs.selected_index = list(pages).index(chosen) if chosen in pages else 0

    @shows_errors
    def _reset(self, _: Any) -> None:
        self.scene_controls.reset()
        self.edit_controls.reset()
        self.redraw()

    def draw(self) -> None:
        """See `Panel.draw`."""
        image = self._picture({})
        explained = self.explained.value
        if explained == _PREDICTED:
            explained = self._networks.prediction(image)
        answers = self._networks.answers(image[None], explained)
        point = (self.across.value / 100, self.down.value / 100) if self.mark.value else None
        self.export_name = f"studio_{self._name}{'_contributions' if self.view.value else ''}"
        look: dict[str, Any] = {"contributions": self.view.value, "point": point}
        png = self._live.what_if(answers, **look)
        self.show(lambda: what_if(answers, **look), answers.table(), png)
        name = answers.classes[explained].replace("_", " ")
        self.say(f"All maps explain the class {name}; bars are each network's probabilities.")
        self._draw_strip(explained)

    def description(self) -> str:
        """See `Panel.description`: what each network says."""
        if self.data is None:
            return super().description()
        said = []
        for row in self.data.to_dict("records"):
            share = row[f"probability of {row['prediction']}"]
            said.append(f"{row['network']}: {row['prediction'].replace('_', ' ')}, {100 * share:.0f} %")
        return f"{self._name.replace('_', ' ').capitalize()}. {'; '.join(said)}. {self._said}"

    def _draw_strip(self, explained: int) -> None:
        """Draw the strip, if it is shown."""
        if not self.strip.button.value:
            self.strip.clear()
            return

        def answers(change: str, steps: list[float]) -> Answers:
            return self._networks.answers(torch.stack([self._picture({change: step}) for step in steps]), explained)

        said = self.strip.draw(
            self.scene_controls.values | self.edit_controls.values,
            (explained, *map(id, self._networks.models.values())),
            answers,
            contributions=self.view.value,
            options=self.figure_options,
            computing=self.computing,
        )
        if said is not None:
            self.strip.image.layout.max_width = self.image.layout.max_width
            self.front_end.describe(self.strip.image, said)

    def _picture(self, changed: Mapping[str, Any]) -> Tensor:
        """The picture (3, H, W) in [0, 1] by the controls' values, some of them changed."""
        scene = {name: changed.get(name, value) for name, value in self.scene_controls.values.items()}
        edits = {name: changed.get(name, value) for name, value in self.edit_controls.values.items()}
        return self._edits.apply(self._drawn(self._scene, scene), edits)

    @staticmethod
    def _drawn(scene: Scene, values: Mapping[str, Any]) -> Drawn:
        drawn = scene.draw(values)
        mask = None if drawn.mask is None else as_unit_range(drawn.mask.as_subclass(Tensor))
        return Drawn(as_unit_range(drawn.image.as_subclass(Tensor)), mask)

    def exports(self) -> dict[str, dict[str, bytes]]:
        """See `Panel.exports`; the strip, if it is shown, in files of its own."""
        files = super().exports()
        if self.strip.figure is not None:
            name = f"{self.export_name}_{self.strip.along.value}_strip"
            files[name] = figure_contents(self.strip.figure, self.strip.data)
        return files

    def caption(self) -> str:
        """See `Panel.caption`."""
        if self.figure is None:
            return ""
        runs = [Run(self.folder / name) for name in self.compare.value]
        results = results_of(runs) if runs else pd.DataFrame()
        return caption("explanations and probabilities of a changed picture", results, kind="explanations")
