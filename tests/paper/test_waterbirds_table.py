from e2kd_lab.paper import waterbirds_table


def test_the_table_has_all_methods_and_counts_seeds(selected):
    table = waterbirds_table(selected)
    assert set(table.index.get_level_values("method")) == {"teacher", "baseline", "kd", "e2kd"}
    assert (table[("seeds", "")] == 1).all()
