"""Drawing: a table or tensors in, a matplotlib Figure out; nothing here trains.

Examples
--------
>>> import e2kd_lab as lab
>>> run = lab.run(lab.experiments.get("waterbirds").replace(method="kd"))  # doctest: +SKIP
>>> figure = lab.figures.training_curves({"KD": ("kd", run.metrics())})  # doctest: +SKIP
>>> lab.figures.export_figure(figure, "exports/curves")  # PDF, SVG and PNG  # doctest: +SKIP
"""

from e2kd_lab.figures.cheaper import cheaper_explanations
from e2kd_lab.figures.curves import training_curves
from e2kd_lab.figures.explanations import explanation_comparison
from e2kd_lab.figures.export import export_figure, figure_bytes
from e2kd_lab.figures.loss_terms import LossPicture
from e2kd_lab.figures.measure import Measure, measures_of
from e2kd_lab.figures.measure_bars import measure_bars
from e2kd_lab.figures.own_results_table import ResultsTable
from e2kd_lab.figures.shifts import ShiftPicture, shift_periodicity, shifted_comparison
from e2kd_lab.figures.sweep_map import sweep_cells, sweep_map

__all__ = [
    "LossPicture",
    "Measure",
    "ResultsTable",
    "ShiftPicture",
    "cheaper_explanations",
    "explanation_comparison",
    "export_figure",
    "figure_bytes",
    "measure_bars",
    "measures_of",
    "shift_periodicity",
    "shifted_comparison",
    "sweep_cells",
    "sweep_map",
    "training_curves",
]
