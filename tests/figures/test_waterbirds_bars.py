import pandas as pd
import pytest

from e2kd_lab.figures import waterbirds_bars


def test_bars_are_as_high_as_the_means(selected):
    figure = waterbirds_bars(selected, settings=("base",))
    kd = selected.query("method == 'kd' and split == 'test' and group == 'out_of_distribution'").set_index("metric")
    heights = {round(bar.get_height(), 6) for axis in figure.axes for bar in axis.patches}
    for metric in ("accuracy", "agreement"):
        assert round(kd.loc[metric, "value"], 6) in heights
    drawn = [bar for bar in figure.axes[0].patches if bar.get_facecolor()[:3] != (0, 0, 0)]
    assert len(drawn) == 3


def test_scales_are_not_averaged(selected):
    both = pd.concat([selected, selected.assign(scale="paper")])
    with pytest.raises(ValueError, match=r"of the scales \w+, paper; expected one"):
        waterbirds_bars(both)
