"""The paper's figures and tables: a table or tensors in, a matplotlib Figure out; nothing here trains."""

from e2kd_lab.figures.beside_paper import beside_paper, wide_table
from e2kd_lab.figures.cheaper import cheaper_explanations
from e2kd_lab.figures.curves import training_curves
from e2kd_lab.figures.explanations import explanation_comparison
from e2kd_lab.figures.export import export_figure, figure_bytes
from e2kd_lab.figures.loss_terms import LossPicture
from e2kd_lab.figures.measure import Measure, measures_of
from e2kd_lab.figures.measure_bars import measure_bars
from e2kd_lab.figures.method_plots import method_bars, shot_curves
from e2kd_lab.figures.own_results_table import ResultsTable
from e2kd_lab.figures.paper import paper_results
from e2kd_lab.figures.results_table import results_cells
from e2kd_lab.figures.shifts import ShiftPicture, shift_periodicity, shifted_comparison
from e2kd_lab.figures.sweep_map import sweep_cells, sweep_map
from e2kd_lab.figures.table_formats import table_csv, table_html, table_latex, table_markdown
from e2kd_lab.figures.teaser import teaser, teaser_numbers
from e2kd_lab.figures.voc import epg_iou_plane
from e2kd_lab.figures.waterbirds import waterbirds_bars, waterbirds_table

__all__ = [
    "LossPicture",
    "Measure",
    "ResultsTable",
    "ShiftPicture",
    "beside_paper",
    "cheaper_explanations",
    "epg_iou_plane",
    "explanation_comparison",
    "export_figure",
    "figure_bytes",
    "measure_bars",
    "measures_of",
    "method_bars",
    "paper_results",
    "results_cells",
    "shift_periodicity",
    "shifted_comparison",
    "shot_curves",
    "sweep_cells",
    "sweep_map",
    "table_csv",
    "table_html",
    "table_latex",
    "table_markdown",
    "teaser",
    "teaser_numbers",
    "training_curves",
    "waterbirds_bars",
    "waterbirds_table",
    "wide_table",
]
