from e2kd_lab.figures.style import METHOD_COLOURS


def test_colours_differ():
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS)
