from e2kd_lab.paper.all_figures import write_all_figures
from e2kd_lab.runs import load_runs


def test_all_figures_come_from_runs(runs, tmp_path):
    names = {file.name for file in write_all_figures(load_runs(runs), tmp_path)}
    for family in ("standard", "bcos"):
        assert f"waterbirds_smoke_{family}_out_of_distribution.pdf" in names
        assert f"waterbirds_smoke_{family}_in_distribution.csv" in names


def test_table_4_is_among_all_figures(taught, workspace, tmp_path):
    written = {file.name for file in write_all_figures(load_runs(workspace / "voc-runs"), tmp_path)}
    assert {"table4_smoke.pdf", "table4_smoke.csv"} <= written
