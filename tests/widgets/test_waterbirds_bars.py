from e2kd_lab.runs import load_runs
from e2kd_lab.widgets import WaterbirdsBars

PNG = b"\x89PNG"


def test_bars_follow_their_controls(runs):
    panel = WaterbirdsBars(load_runs(runs))
    first = bytes(panel.image.value)
    panel.group.value = "in_distribution"
    second = bytes(panel.image.value)
    panel.zoom.value = True
    third = bytes(panel.image.value)
    panel.family.value = "bcos"
    assert panel.export_name == "waterbirds_bars_bcos_in_distribution"
    assert set(panel.data["group"]) == {"in_distribution"}
    assert "kd" in set(panel.data["method"])
    assert len({first, second, third, bytes(panel.image.value)}) == 4
    assert panel.last_error is None
    bundle, _ = panel._repr_mimebundle_()
    assert bundle["image/png"].startswith(PNG)
