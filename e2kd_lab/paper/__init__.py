"""What is in the paper: its numbers, and each of its figures and tables with ours beside them; nothing here trains.

Examples
--------
>>> import e2kd_lab as lab
>>> table1 = lab.paper.paper_results("table1")
>>> table1.query("setting == 'imagenet_50' and method == 'e2kd_gradcam' and metric == 'accuracy'")["value"].tolist()
[54.9]
"""

from e2kd_lab.paper.beside_paper import beside_paper, wide_table
from e2kd_lab.paper.method_plots import method_bars, shot_curves
from e2kd_lab.paper.reported import paper_results
from e2kd_lab.paper.results_table import results_cells
from e2kd_lab.paper.table_formats import table_csv, table_html, table_latex, table_markdown
from e2kd_lab.paper.teaser import teaser, teaser_numbers
from e2kd_lab.paper.voc import epg_iou_plane
from e2kd_lab.paper.waterbirds import waterbirds_bars, waterbirds_table

__all__ = [
    "beside_paper",
    "epg_iou_plane",
    "method_bars",
    "paper_results",
    "results_cells",
    "shot_curves",
    "table_csv",
    "table_html",
    "table_latex",
    "table_markdown",
    "teaser",
    "teaser_numbers",
    "waterbirds_bars",
    "waterbirds_table",
    "wide_table",
]
