"""Every figure and table of the paper for which there are finished runs, in one call; nothing here trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from e2kd_lab.experiments import SCALES, Experiment, Family
from e2kd_lab.figures import export_figure
from e2kd_lab.figures.style import FAMILY_TITLES
from e2kd_lab.metrics.groups import IN_DISTRIBUTION, OUT_OF_DISTRIBUTION
from e2kd_lab.paper.drawings import (
    Drawing,
    beside_paper_table,
    birds_bars,
    birds_explained,
    objects_explained,
    opening,
    shift_similarities,
    shifted_explained,
)
from e2kd_lab.paper.finished_runs import EVERY, FEWEST, FinishedRuns, Needs
from e2kd_lab.runs import load_runs
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import ExperimentError, LabError

_BASIC, _PRIOR = ("baseline", "kd", "e2kd"), ("at", "reviewkd", "catkd")


@dataclass(frozen=True)
class PaperFigure:
    """A figure or table of the paper.

    Attributes
    ----------
    name : str
        Its files' name, without the scale.
    title : str
        What it shows.
    needs : tuple of Needs
        The runs that it shows.
    draw : callable
        Draws it from finished runs and those of the needs that they meet.
    any_of : bool
        Whether one of the needs suffices; else all must be met.
    """

    name: str
    title: str
    needs: tuple[Needs, ...]
    draw: Callable[[FinishedRuns, Sequence[Needs]], Drawing]
    any_of: bool = False


def _explanations(experiment: str, family: Family, *methods: str, setting: str = "base") -> Needs:
    return Needs(experiment, family, methods or ("kd", "e2kd"), (setting,))


def _results(experiment: str, family: Family, *methods: str, setting: str = EVERY) -> Needs:
    """Results of any of these methods."""
    return Needs(experiment, family, methods, (setting,), whole=False, networks=False)


def _table(name: str, title: str, *needs: Needs, files: str = "") -> PaperFigure:
    return PaperFigure(files or name, title, needs, partial(beside_paper_table, table=name), any_of=True)


def _bars(name: str, family: Family, group: str) -> PaperFigure:
    title = f"accuracy and agreement {group.replace('_', ' ')}, {FAMILY_TITLES[family]}"
    needs = (_results("waterbirds", family, *_BASIC, *_PRIOR),)
    return PaperFigure(name, title, needs, partial(birds_bars, group=group))


def _opening(family: Family, table: str, experiment: str) -> PaperFigure:
    few_shots = Needs(experiment, family, ("kd", "e2kd"), (FEWEST, "base"), networks=False)
    needs = (few_shots, _explanations("waterbirds", family))
    return PaperFigure(
        f"teaser_{family}", f"the opening figure, {FAMILY_TITLES[family]}", needs, partial(opening, table=table)
    )


_STANDARD_BIRDS, _BCOS_BIRDS = _explanations("waterbirds", "standard"), _explanations("waterbirds", "bcos")
_VOC, _VIT = _explanations("voc", "bcos"), _explanations("cnn_to_vit", "bcos")
_FROZEN_VIT = _explanations("cnn_to_vit", "bcos", "e2kd", setting="frozen")

FIGURES: tuple[PaperFigure, ...] = (
    _opening("bcos", "table2", "imagenet_bcos"),
    _opening("standard", "table1", "imagenet_standard"),
    PaperFigure(
        "figure1",
        "explanations in and out of distribution, B-cos networks",
        (_BCOS_BIRDS,),
        partial(birds_explained, groups=(*IN_DISTRIBUTION, *OUT_OF_DISTRIBUTION), each=2, side_by_side=2),
    ),
    PaperFigure(
        "figure2", "explanations and boxes of the EPG teacher", (_VOC,), partial(objects_explained, each=1, most=6)
    ),
    _bars("figure3", "standard", "out_of_distribution"),
    _table(
        "figure4",
        "from a CNN to a ViT",
        _results("cnn_to_vit", "bcos", *_BASIC, setting="base"),
        _results("cnn_to_vit", "bcos", "e2kd", setting="frozen"),
        files="figure4_left",
    ),
    PaperFigure(
        "figure4_centre", "similarity of shifted explanations", (_VIT, _FROZEN_VIT), shift_similarities, any_of=True
    ),
    PaperFigure("figure4_right", "shifted explanations", (_VIT,), partial(shifted_explained, count=2)),
    PaperFigure(
        "figureA1",
        "explanations in distribution",
        (_STANDARD_BIRDS, _BCOS_BIRDS),
        partial(birds_explained, groups=IN_DISTRIBUTION, each=4, side_by_side=1),
        any_of=True,
    ),
    PaperFigure(
        "figureA2",
        "explanations out of distribution",
        (_STANDARD_BIRDS, _BCOS_BIRDS),
        partial(birds_explained, groups=OUT_OF_DISTRIBUTION, each=4, side_by_side=1),
        any_of=True,
    ),
    PaperFigure("figureA3", "explanations of the first classes", (_VOC,), partial(objects_explained, half=0)),
    PaperFigure("figureA4", "explanations of the other classes", (_VOC,), partial(objects_explained, half=1)),
    PaperFigure("figureA5", "more shifted explanations", (_VIT,), partial(shifted_explained, count=8)),
    _bars("figureB1a", "standard", "in_distribution"),
    _bars("figureB1b", "bcos", "in_distribution"),
    _bars("figureB2a", "standard", "out_of_distribution"),
    _bars("figureB2b", "bcos", "out_of_distribution"),
    _table("table1", "few shots, Standard networks", _results("imagenet_standard", "standard", *_BASIC, *_PRIOR)),
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


def write_paper_figures(
    out: Path,
    *,
    runs: Path | None = None,
    scale: str | None = None,
    own: Sequence[Experiment] = (),
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Draw every figure and table of the paper that finished runs allow.

    Parameters
    ----------
    out : Path
        Receives ``<name>_<scale>`` as PDF, SVG, PNG and CSV for each of ``FIGURES``; for tables also
        ``<name>_<scale>_beside_paper.csv``.
    runs : Path, optional
        Where runs lie; the workspace's ``runs`` by default.
    scale : str, optional
        The only scale; every scale with finished runs by default.
    own : sequence of Experiment
        Experiments in their base setting that take the place of the lab's, for instance with a ``data_root``: images
        are only explained by networks of runs whose data and recipe are known.
    say : callable
        Receives a line for each figure: what was written, or which runs are missing.

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
    """
    if scale is not None and scale not in SCALES:
        raise ExperimentError(f"There is no scale '{scale}'; expected one of {', '.join(SCALES)}.")
    results = load_runs(runs)
    finished = set(results.loc[results["status"] == "done", "scale"])
    files = []
    for chosen in [one for one in SCALES if one in finished and scale in (None, one)]:
        there = FinishedRuns(results, chosen, folder=runs, own=own)
        for figure in FIGURES:
            written, message = _write(figure, there, out)
            files += written
            say(f"{figure.name}_{chosen}: {message}")
    return files


def _write(figure: PaperFigure, runs: FinishedRuns, out: Path) -> tuple[list[Path], str]:
    """The files of one figure, and what became of it."""
    met = [needs for needs in figure.needs if runs.meets(needs)]
    missing = "; ".join(filter(None, map(runs.missing, figure.needs)))
    if not met or (len(met) < len(figure.needs) and not figure.any_of):
        return [], f"missing {missing}"
    stem = f"{figure.name}_{runs.scale}"
    try:
        drawing = figure.draw(runs, met)
    except LabError as error:
        return [], f"not drawn: {error}"
    files = export_figure(drawing.figure, out / stem, drawing.data)
    for ending, text in drawing.tables.items():
        files.append(out / f"{stem}_{ending}.csv")
        write_text(files[-1], text)
    remarks = [runs.left_out(needs) for needs in met if not needs.networks]
    remarks += [f"without {missing}"] if missing else []
    return files, "; ".join([f"written, {figure.title}", *dict.fromkeys(filter(None, remarks))])
