import subprocess
import sys

COUNT = """
import gc
from matplotlib.figure import Figure
from e2kd_lab.widgets.panel import Panel
before = len(gc.get_objects())
Panel("first")
kept = gc.get_freeze_count()
assert kept > before / 2, (kept, before)
Panel("second")
assert gc.get_freeze_count() == kept  # once a process: what panels make later is collected
figure = Figure()
figure.itself = figure
del figure
assert gc.collect() > 0
print("collected")
"""


def test_libraries_are_spared_and_figures_are_collected():
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=False)
    assert done.stdout == "collected\n", done.stderr
