from e2kd_lab.paper import waterbirds_bars, waterbirds_table


def test_bars_are_as_high_as_the_means(selected):
    figure = waterbirds_bars(selected, settings=("base",))
    kd = selected.query("method == 'kd' and split == 'test' and group == 'out_of_distribution'").set_index("metric")
    heights = {round(bar.get_height(), 6) for axis in figure.axes for bar in axis.patches}
    for metric in ("accuracy", "agreement"):
        assert round(kd.loc[metric, "value"], 6) in heights
    drawn = [bar for bar in figure.axes[0].patches if bar.get_facecolor()[:3] != (0, 0, 0)]
    assert len(drawn) == 3


def test_the_table_has_all_methods_and_counts_seeds(selected):
    table = waterbirds_table(selected)
    assert set(table.index.get_level_values("method")) == {"teacher", "baseline", "kd", "e2kd"}
    assert (table[("seeds", "")] == 1).all()
