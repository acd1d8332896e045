"""Panels: sliders over figures. Each is a class with its controls as attributes and a ``widget`` to display.

Examples
--------
>>> import e2kd_lab as lab
>>> experiment = lab.experiments.get("waterbirds").replace(method="e2kd", lam=5.0)
>>> lab.widgets.ExplanationBrowser(experiment, [lab.run(experiment)])  # as the last line of a cell  # doctest: +SKIP
"""

from e2kd_lab.widgets.explanation_browser import ExplanationBrowser
from e2kd_lab.widgets.loss_lab import LossLab
from e2kd_lab.widgets.panel import Panel
from e2kd_lab.widgets.pixel_shares import PixelShares
from e2kd_lab.widgets.results_plot import ResultsPlot
from e2kd_lab.widgets.results_table import ResultsTable
from e2kd_lab.widgets.shift_browser import ShiftBrowser
from e2kd_lab.widgets.studio import Studio
from e2kd_lab.widgets.sweep_map import SweepMap
from e2kd_lab.widgets.train_lab import TrainLab
from e2kd_lab.widgets.waterbirds_bars import WaterbirdsBars

__all__ = [
    "ExplanationBrowser",
    "LossLab",
    "Panel",
    "PixelShares",
    "ResultsPlot",
    "ResultsTable",
    "ShiftBrowser",
    "Studio",
    "SweepMap",
    "TrainLab",
    "WaterbirdsBars",
]
