from matplotlib.figure import Figure

from e2kd_lab.widgets import Panel


def test_a_frame_hides_while_it_is_empty():
    panel = Panel("empty")
    assert panel.image.layout.display == "none"  # browsers draw a broken image for no bytes
    panel.show(Figure())
    assert panel.image.layout.display is None
    panel.image.value = b""
    assert panel.image.layout.display == "none"
