import pandas as pd
from PIL import Image

from e2kd_lab.figures import export_figure, waterbirds_bars
from e2kd_lab.figures.style import TEXT_WIDTH


def test_export_is_byte_stable_of_exact_width_and_complete(selected, tmp_path):
    for folder in ("a", "b"):
        files = export_figure(waterbirds_bars(selected), tmp_path / folder / "bars", selected)
    assert [file.suffix for file in files] == [".pdf", ".svg", ".png", ".csv"]
    for file in files:
        assert file.read_bytes() == (tmp_path / "a" / file.name).read_bytes()
    with Image.open(tmp_path / "a" / "bars.png") as image:
        assert image.width == round(TEXT_WIDTH * 300)
    assert b"/FontFile2" in (tmp_path / "a" / "bars.pdf").read_bytes()
    assert pd.read_csv(tmp_path / "a" / "bars.csv").shape == selected.shape
