"""Drawing: a table or tensors in, a matplotlib Figure out; nothing here trains.

Examples
--------
>>> import e2kd_lab as lab
>>> run = lab.run(lab.experiments.get("waterbirds").replace(method="kd"))  # doctest: +SKIP
>>> figure = lab.figures.training_curves({"KD": ("kd", run.metrics())})  # doctest: +SKIP
>>> lab.figures.export_figure(figure, "exports/curves")  # PDF, SVG and PNG  # doctest: +SKIP
"""

from e2kd_lab.figures.captions import caption
from e2kd_lab.figures.cheaper_explanations import cheaper_explanations
from e2kd_lab.figures.comparison_table import comparison_table
from e2kd_lab.figures.curves import training_curves
from e2kd_lab.figures.epg_iou_plane import epg_iou_plane
from e2kd_lab.figures.epoch_curves import epoch_curves
from e2kd_lab.figures.explanation_comparison import explanation_comparison
from e2kd_lab.figures.export import export_figure, figure_bytes
from e2kd_lab.figures.grid_mosaics import grid_mosaics
from e2kd_lab.figures.group_measure import Measure, measures_of
from e2kd_lab.figures.loss_terms import LossPicture
from e2kd_lab.figures.measure_bars import measure_bars
from e2kd_lab.figures.measure_plane import measure_plane
from e2kd_lab.figures.method_bars import method_bars
from e2kd_lab.figures.options import FigureOptions, figure_options
from e2kd_lab.figures.pixel_shares import PixelShares
from e2kd_lab.figures.randomisation_strip import randomisation_strip
from e2kd_lab.figures.results_table import ResultsTable
from e2kd_lab.figures.shifts import ShiftPicture, shift_periodicity, shifted_comparison
from e2kd_lab.figures.shot_curves import shot_curves
from e2kd_lab.figures.sweep_map import sweep_cells, sweep_map
from e2kd_lab.figures.teaser import teaser
from e2kd_lab.figures.waterbirds_bars import waterbirds_bars

__all__ = [
    "FigureOptions",
    "LossPicture",
    "Measure",
    "PixelShares",
    "ResultsTable",
    "ShiftPicture",
    "caption",
    "cheaper_explanations",
    "comparison_table",
    "epg_iou_plane",
    "epoch_curves",
    "explanation_comparison",
    "export_figure",
    "figure_bytes",
    "figure_options",
    "grid_mosaics",
    "measure_bars",
    "measure_plane",
    "measures_of",
    "method_bars",
    "randomisation_strip",
    "shift_periodicity",
    "shifted_comparison",
    "shot_curves",
    "sweep_cells",
    "sweep_map",
    "teaser",
    "training_curves",
    "waterbirds_bars",
]
