import subprocess
import sys

from e2kd_lab.figures.style import METHOD_COLOURS


def test_colours_differ():
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS)


def test_drawing_imports_seaborn_when_it_draws_and_never_widgets():
    code = "import e2kd_lab.figures, sys; print([name for name in ('seaborn', 'ipywidgets') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
