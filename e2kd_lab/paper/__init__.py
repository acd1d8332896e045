"""What is in the paper: its numbers, and each of its figures and tables with ours beside them; nothing here trains.

Examples
--------
>>> import e2kd_lab as lab
>>> table1 = lab.paper.paper_results("table1")
>>> table1.query("setting == 'imagenet_50' and method == 'e2kd_gradcam' and metric == 'accuracy'")["value"].tolist()
[54.9]
"""

from e2kd_lab.paper.beside_paper import beside_paper, wide_table
from e2kd_lab.paper.catalogue import write_figures
from e2kd_lab.paper.report import write_report
from e2kd_lab.paper.reported import paper_results
from e2kd_lab.paper.table_cells import results_cells
from e2kd_lab.paper.table_formats import table_csv, table_html, table_latex, table_markdown
from e2kd_lab.paper.teaser_numbers import example_image, teaser_numbers
from e2kd_lab.paper.waterbirds_table import waterbirds_table

__all__ = [
    "beside_paper",
    "example_image",
    "paper_results",
    "results_cells",
    "table_csv",
    "table_html",
    "table_latex",
    "table_markdown",
    "teaser_numbers",
    "waterbirds_table",
    "wide_table",
    "write_figures",
    "write_report",
]
