"""Controls of one run: networks, method, hyper-parameters, epochs and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures.labels import title_of
from e2kd_lab.methods import METHODS, SYMBOLS, defaults_of, has_hyperparameter
from e2kd_lab.widgets.controls import muted
from e2kd_lab.widgets.panel import family_switch
from e2kd_lab.widgets.value_slider import ValueSlider
from e2kd_lab.widgets.whole_number import WholeNumber


class RunControls:
    """Controls that describe an experiment.

    Parameters
    ----------
    experiment : Experiment
        Initial values.
    bases : mapping of str to Experiment
        Everything that the controls do not set, by family of networks.
    lambdas, taus : sequence of float
        Values of the sliders for e2KD; other methods use their grids.
    on_change : callable
        Called once for each choice.

    Attributes
    ----------
    family, method, lam, tau, epochs, seed : ipywidgets controls
        The controls.
    options : dict
        Sliders of hyper-parameters that only the chosen method has, by name.
    option_row : ipywidgets.HBox
        Box of these; hidden while there are none.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", lam=5.0)
    >>> controls = RunControls(experiment, {"standard": experiment}, (0.0, 5.0), (1.0,), print)
    >>> controls.experiment == experiment
    True
    """

    def __init__(
        self,
        experiment: Experiment,
        bases: Mapping[str, Experiment],
        lambdas: Sequence[float],
        taus: Sequence[float],
        on_change: Callable[[Any], None],
    ) -> None:
        self.bases, self._on_change = bases, on_change
        self._offered = {"lam": lambdas, "tau": taus}
        self.family = family_switch(list(bases))
        self.method = widgets.Dropdown(
            description="Method", options=self._methods(experiment), layout=widgets.Layout(width="260px")
        )
        self.lam = ValueSlider("λ", lambdas, experiment.lam)
        self.tau = ValueSlider("τ", taus, experiment.tau, positive=True)
        self.options: dict[str, ValueSlider] = {}
        self.option_row = widgets.HBox(layout=widgets.Layout(display="none"))
        self.epochs = WholeNumber("Epochs", experiment.epochs, least=1, most=10_000)
        self.seed = WholeNumber("Seed", experiment.seed, least=0, most=9999)
        self.family.observe(self._reset_epochs, "value")
        self.method.observe(self._offer_weights, "value")
        for control in (self.family, self.method, self.lam, self.tau, self.epochs, self.seed):
            control.observe(on_change, "value")

    @property
    def base(self) -> Experiment:
        """Everything that the controls do not set."""
        return self.bases[self.family.value]

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls describe."""
        method = "kd" if self.method.value == "e2kd" and self.lam.value == 0 else self.method.value
        values = {"lam": self.lam.value, "tau": self.tau.value, "epochs": self.epochs.value, "seed": self.seed.value}
        values |= {name: slider.value for name, slider in self.options.items()}
        return self.base.by_method(method, **values)

    @staticmethod
    def _methods(experiment: Experiment) -> list[tuple[str, str]]:
        strangers = [name for name in METHODS if METHODS.identity(name) is not None]
        others = [name for name in dict.fromkeys([*experiment.methods, *strangers]) if name not in ("kd", "e2kd")]
        return [("e²KD (λ = 0: KD)", "e2kd"), *((title_of("method", name), name) for name in others)]

    def _reset_epochs(self, _: Any) -> None:
        with muted(self._on_change, self.epochs):
            self.epochs.value = self.base.epochs

    def _offer_weights(self, _: Any) -> None:
        """Offer the values of another method on the sliders; disable those it does not have."""
        method, base = self.method.value, self.base
        grid, usual = base.grid(method), {"lam": base.lam, "tau": base.tau} | defaults_of(method)
        for name, slider in (("lam", self.lam), ("tau", self.tau)):
            explains = method == "e2kd"  # the panel's values, and the experiment's as defaults
            values = self._offered[name] if explains else {getattr(one, name) for one in grid}
            with muted(self._on_change, slider):
                slider.offer(values, getattr(base, name) if explains else usual[name])
            slider.disabled = not has_hyperparameter(method, name)
        self._offer_options(method)

    def _offer_options(self, method: str) -> None:
        """Offer a slider for each hyper-parameter that only this method has and that its grid varies."""
        defaults = self.base.by_method(method).hyperparameters
        grids = {name: values for name, values in METHODS[method].grid.items() if name not in SYMBOLS}
        self.options = {name: ValueSlider(name, values, defaults[name], closed=True) for name, values in grids.items()}
        for slider in self.options.values():
            slider.observe(self._on_change, "value")
        self.option_row.children = tuple(self.options.values())
        self.option_row.layout.display = None if self.options else "none"
