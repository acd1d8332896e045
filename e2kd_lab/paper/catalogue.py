"""The catalogue: each figure and table of the paper and of any experiment, the runs it needs, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from e2kd_lab.experiments import SCALES, Experiment, Family
from e2kd_lab.figures import caption, export_figure
from e2kd_lab.figures.labels import networks_name
from e2kd_lab.metrics.groups import IN_DISTRIBUTION, OUT_OF_DISTRIBUTION
from e2kd_lab.paper.drawings import (
    CatalogueFigure,
    Drawing,
    beside_paper_table,
    birds_bars,
    birds_explained,
    objects_explained,
    opening,
    shift_similarities,
    shifted_explained,
)
from e2kd_lab.paper.experiment_figures import experiment_figures
from e2kd_lab.paper.finished_runs import EVERY, FEWEST, FinishedRuns, RequiredRuns
from e2kd_lab.runs import load_runs
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import ExperimentError, LabError

_OWN = "own"  # scale of experiments on one's own images
_BASIC, _PRIOR = ("baseline", "kd", "e2kd"), ("at", "reviewkd", "catkd")


def _explanations(experiment: str, family: Family, *methods: str, setting: str = "base") -> RequiredRuns:
    return RequiredRuns(experiment, family, methods or ("kd", "e2kd"), (setting,))


def _results(experiment: str, family: Family, *methods: str, setting: str = EVERY) -> RequiredRuns:
    """Results of any of these methods."""
    return RequiredRuns(experiment, family, methods, (setting,), complete=False, networks=False)


def _table(name: str, title: str, *required: RequiredRuns, file_name: str = "") -> CatalogueFigure:
    return CatalogueFigure(file_name or name, title, partial(beside_paper_table, table=name), required, any_of=True)


def _bars(name: str, family: Family, group: str) -> CatalogueFigure:
    title = f"accuracy and agreement {group.replace('_', ' ')}, {networks_name(family)}"
    required = (_results("waterbirds", family, *_BASIC, *_PRIOR),)
    return CatalogueFigure(name, title, partial(birds_bars, group=group), required)


def _opening(family: Family, table: str, experiment: str) -> CatalogueFigure:
    few_shots = RequiredRuns(experiment, family, ("kd", "e2kd"), (FEWEST, "base"), networks=False)
    required = (few_shots, _explanations("waterbirds", family))
    title = f"the opening figure, {networks_name(family)}"
    return CatalogueFigure(f"teaser_{family}", title, partial(opening, table=table), required)


_STANDARD_BIRDS, _BCOS_BIRDS = _explanations("waterbirds", "standard"), _explanations("waterbirds", "bcos")
_VOC, _VIT = _explanations("voc", "bcos"), _explanations("cnn_to_vit", "bcos")
_FROZEN_VIT = _explanations("cnn_to_vit", "bcos", "e2kd", setting="frozen")

PAPER_FIGURES: tuple[CatalogueFigure, ...] = (
    _opening("bcos", "table2", "imagenet_bcos"),
    _opening("standard", "table1", "imagenet_standard"),
    CatalogueFigure(
        "figure1",
        "explanations in and out of distribution, B-cos networks",
        partial(birds_explained, groups=(*IN_DISTRIBUTION, *OUT_OF_DISTRIBUTION), each=2, side_by_side=2),
        (_BCOS_BIRDS,),
    ),
    CatalogueFigure(
        "figure2", "explanations and boxes of the EPG teacher", partial(objects_explained, each=1, most=6), (_VOC,)
    ),
    _bars("figure3", "standard", "out_of_distribution"),
    _table(
        "figure4",
        "from a CNN to a ViT",
        _results("cnn_to_vit", "bcos", *_BASIC, setting="base"),
        _results("cnn_to_vit", "bcos", "e2kd", setting="frozen"),
        file_name="figure4_left",
    ),
    CatalogueFigure(
        "figure4_centre", "similarity of shifted explanations", shift_similarities, (_VIT, _FROZEN_VIT), any_of=True
    ),
    CatalogueFigure("figure4_right", "shifted explanations", partial(shifted_explained, count=2), (_VIT,)),
    CatalogueFigure(
        "figureA1",
        "explanations in distribution",
        partial(birds_explained, groups=IN_DISTRIBUTION, each=4, side_by_side=1),
        (_STANDARD_BIRDS, _BCOS_BIRDS),
        any_of=True,
    ),
    CatalogueFigure(
        "figureA2",
        "explanations out of distribution",
        partial(birds_explained, groups=OUT_OF_DISTRIBUTION, each=4, side_by_side=1),
        (_STANDARD_BIRDS, _BCOS_BIRDS),
        any_of=True,
    ),
    CatalogueFigure("figureA3", "explanations of the first classes", partial(objects_explained, half=0), (_VOC,)),
    CatalogueFigure("figureA4", "explanations of the other classes", partial(objects_explained, half=1), (_VOC,)),
    CatalogueFigure("figureA5", "more shifted explanations", partial(shifted_explained, count=8), (_VIT,)),
    _bars("figureB1a", "standard", "in_distribution"),
    _bars("figureB1b", "bcos", "in_distribution"),
    _bars("figureB2a", "standard", "out_of_distribution"),
    _bars("figureB2b", "bcos", "out_of_distribution"),
    _table("table1", "few shots, standard networks", _results("imagenet_standard", "standard", *_BASIC, *_PRIOR)),
    _table("table2", "few shots, B-cos networks", _results("imagenet_bcos", "bcos", *_BASIC, *_PRIOR)),
    _table(
        "table3",
        "few shots, another architecture and frozen teachers",
        _results("imagenet_bcos_densenet", "bcos", *_BASIC),
        _results("imagenet_frozen", "bcos", "kd", "e2kd"),
    ),
    _table("table4", "guided teachers", _results("voc", "bcos", *_BASIC)),
    _table("table5", "without the teacher's data", _results("data_free", "bcos", "kd", "e2kd")),
    _table(
        "tableB1", "the recipe of prior work", _results("prior_work", "standard", "kd", "e2kd", "kd_labels", *_PRIOR)
    ),
)


def write_figures(
    out: Path,
    *,
    runs: Path | None = None,
    scale: str | None = None,
    own: Sequence[Experiment] = (),
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Draw every figure and table that the finished runs allow, the paper's and those of any experiment.

    Parameters
    ----------
    out : Path
        Receives ``<name>_<scale>`` as PDF, SVG, PNG and CSV for each figure of the catalogue: ``PAPER_FIGURES``, and
        `e2kd_lab.paper.experiment_figures.experiment_figures` of each experiment with runs. The paper's tables also
        come as ``<name>_<scale>_beside_paper.csv``. ``<name>_<scale>_caption.tex`` is a caption for LaTeX. Widths,
        titles and notes are those of `e2kd_lab.figures.figure_options`.
    runs : Path, optional
        Folder of the runs; the workspace's ``runs`` by default.
    scale : str, optional
        Draw this scale only (``smoke``, ``lab``, ``paper``, or ``own`` for one's own images); by default every scale
        with finished runs.
    own : sequence of Experiment
        Experiments in their base setting that replace the lab's, for instance with a ``data_root``. A run is explained
        on images only if its data and recipe are those of the experiment.
    say : callable
        Receives a line per figure: what was written, or which runs are missing.

    Returns
    -------
    list of Path
        The files; the same runs give the same bytes.

    Raises
    ------
    ExperimentError
        If there is no such scale.
    RunError
        If a run's files are damaged.

    Examples
    --------
    >>> write_figures(Path("exports"), scale="lab")  # doctest: +SKIP
    """
    scales = (*SCALES, _OWN)
    if scale is not None and scale not in scales:
        raise ExperimentError(f"There is no scale '{scale}'; expected one of {', '.join(scales)}.")
    results = load_runs(runs)
    finished = set(results.loc[results["status"] == "done", "scale"])
    files = []
    for chosen in [one for one in scales if one in finished and scale in (None, one)]:
        there = FinishedRuns(results, chosen, folder=runs, own=own)
        for figure in [*(PAPER_FIGURES if chosen in SCALES else ()), *experiment_figures(there)]:
            written, message = _write(figure, there, out)
            files += written
            say(f"{figure.name}_{chosen}: {message}")
    return files


def _caption(figure: CatalogueFigure, drawing: Drawing, results: pd.DataFrame) -> str:
    """The caption, after a comment that names the runs."""
    shown = drawing.among(results)
    names = "".join(f"% {name}\n" for name in sorted(shown["run"].unique()))
    return f"{names}\\caption{{{caption(figure.title, shown, kind=drawing.kind)}}}\n"


def _write(figure: CatalogueFigure, runs: FinishedRuns, out: Path) -> tuple[list[Path], str]:
    """Write one figure's files; say what was written, or why not."""
    found = [required for required in figure.required if runs.has(required)]
    missing = "; ".join(filter(None, map(runs.missing, figure.required)))
    if len(found) < len(figure.required) and not (figure.any_of and found):
        return [], f"missing {missing}"
    stem = f"{figure.name}_{runs.scale}"
    try:
        drawing = figure.draw(runs, found)
    except LabError as error:
        return [], f"not drawn: {error}"
    files = export_figure(drawing.figure, out / stem, drawing.data)
    for ending, text in drawing.tables.items():
        files.append(out / f"{stem}_{ending}.csv")
        write_text(files[-1], text)
    files.append(out / f"{stem}_caption.tex")
    write_text(files[-1], _caption(figure, drawing, runs.done))
    remarks = [runs.left_out(required) for required in found if not required.networks]
    remarks += [f"without {missing}"] if missing else []
    return files, "; ".join([f"written, {figure.title}", *dict.fromkeys(filter(None, remarks))])
