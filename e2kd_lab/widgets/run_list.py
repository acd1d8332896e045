"""A list of finished runs to choose from."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any

import ipywidgets as widgets
from traitlets import Tuple

from e2kd_lab import experiments
from e2kd_lab.experiments import Experiment
from e2kd_lab.figures.labels import in_order
from e2kd_lab.system.errors import LabError
from e2kd_lab.widgets.controls import muted
from e2kd_lab.widgets.run_titles import run_title


class RunList(widgets.VBox):
    """Runs by their titles, any number of which can be chosen, and a button to choose none.

    Parameters
    ----------
    experiment : Experiment
        Runs of all experiments with its classes are offered.
    name : str
        Name above the list.

    Attributes
    ----------
    value : tuple of str
        Names of the chosen runs; to observe and to set.
    titles : dict
        Titles of all runs in the list by their names.
    choice, clear_button : ipywidgets controls
        The parts.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> listed = RunList(lab.experiments.get("waterbirds", "smoke"))
    >>> listed.value
    ()
    """

    value = Tuple()

    def __init__(self, experiment: Experiment, name: str = "Compare with") -> None:
        self.experiment, self.titles = experiment, dict[str, str]()
        self._same_classes = functools.cache(self._asked_for_classes)
        self.choice = widgets.SelectMultiple(rows=5, tooltip=name, layout=widgets.Layout(width="calc(100% - 2px)"))
        self.clear_button = widgets.Button(description="Clear", icon="times", tooltip="Choose no run")
        heading = widgets.HTML(f"{name} (Ctrl or Shift: several)")
        super().__init__([widgets.HBox([heading, self.clear_button]), self.choice])
        self.clear_button.on_click(lambda _: setattr(self, "value", ()))
        self.choice.observe(self._chosen, "value")
        self.observe(self._set, "value")

    def offer(self, runs: Mapping[str, Mapping[str, Any]], *, given: Container[str] = ()) -> None:
        """Put runs on the list: configurations by name. Chosen ones that are not there any more are not chosen.

        ``given`` are names of runs that are offered whatever their experiment is.
        """
        kept = {name: config for name, config in runs.items() if name in given or self._fits(config)}
        titles = {name: run_title(config, self.experiment) for name, config in kept.items()}
        counts = Counter(titles.values())
        # The rest of a configuration is in the hash of the run's name.
        titles = {
            name: f"{title} ({name.split('-')[-2]})" if counts[title] > 1 else title for name, title in titles.items()
        }
        if titles == self.titles:
            return
        methods = in_order("method", [config["method"] for config in kept.values()])

        def place(name: str) -> tuple[Any, ...]:
            config = kept[name]
            return methods.index(config["method"]), float(config["lam"]), float(config["tau"]), config["seed"], name

        self.titles = {name: titles[name] for name in sorted(kept, key=place)}
        chosen = self._present(self.value)
        with muted(self._chosen, self.choice):
            self.choice.options = [(title, name) for name, title in self.titles.items()]
            self.choice.value = chosen
        self.value = chosen

    def _fits(self, config: Mapping[str, Any]) -> bool:
        if config["num_classes"] != self.experiment.num_classes:
            return False
        own = (self.experiment.name, self.experiment.data.teacher_name)  # experiments may share a teacher
        return config["name"] in own or self._same_classes(config["name"], config["scale"])

    def _asked_for_classes(self, name: str, scale: str) -> bool:
        try:
            return experiments.get(name, scale).classes() == self.experiment.classes()
        except LabError:  # one's own experiment, which is not known here
            return False

    def _present(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names that are on the list, in its order."""
        return tuple(name for name in self.titles if name in set(names))

    def _chosen(self, change: Any) -> None:
        self.value = self._present(change["new"])

    def _set(self, change: Any) -> None:
        self.choice.value = self._present(change["new"])
