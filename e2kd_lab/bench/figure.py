"""Figure of all benchmark ratios."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from e2kd_lab.bench.findings import Findings, Ratio
from e2kd_lab.figures.labels import counted
from e2kd_lab.figures.style import METHOD_COLOURS, new_figure, small, styled

_TITLES = {
    "gain": "Gain: time of the plain program / time of the lab",
    "cost": "Cost: time of one / of the other",
}
_COLOURS = {"gain": METHOD_COLOURS["e2kd"], "cost": METHOD_COLOURS["kd"]}
_OPERATIONS_COLOUR = METHOD_COLOURS["e2kd_frozen"]
# Heights in inches.
_ROW, _FRAME = 0.125, 0.42
_TICKS = (0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200)


def bench_figure(findings: Findings) -> Figure:
    """Bars of all ratios with quartiles; a tick marks the ratio of counted operations.

    Parameters
    ----------
    findings : Findings
        Measured ratios.

    Returns
    -------
    Figure
        Gains on top, costs below, on logarithmic axes; bars start at 1 and are grouped by case.
    """
    parts = {kind: [ratio for ratio in findings.ratios if ratio.kind == kind] for kind in _TITLES}
    parts = {kind: part for kind, part in parts.items() if part}
    heights = [_ROW * (len(part) + 1.15 * len({_case(ratio) for ratio in part})) + _FRAME for part in parts.values()]
    with styled():
        figure = new_figure(sum(heights) + 0.2)
        axes = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axis, (kind, part) in zip(axes, parts.items(), strict=True):
            _bars(axis, part, _COLOURS[kind])
            axis.set_title(_TITLES[kind], fontsize=7, loc="left")
        figure.supxlabel(_note(findings), fontsize=small(), color="#555555")
    return figure


def _bars(axis: Axes, ratios: Sequence[Ratio], colour: str) -> None:
    ticks, labels, place = [], [], 0.0
    for case, group in groupby(sorted(ratios, key=lambda ratio: _first(ratios, ratio)), key=_case):
        axis.annotate(
            case[1],
            (0, place),
            xycoords=axis.get_yaxis_transform(),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=small(),
            fontweight="bold",
        )
        for ratio in group:
            place += 1
            ticks.append(place)
            labels.append(ratio.title)
            _bar(axis, place, ratio, colour)
        place += 1.15
    axis.axvline(1, color="black", linewidth=0.7)
    axis.set_xscale("log")
    least = min(ratio.value.lower for ratio in ratios)
    largest = max(max(ratio.value.upper, ratio.operations or 0) for ratio in ratios)
    axis.set_xlim(0.85 * min(1.0, least), max(2.0, largest) * (max(2.0, largest) / min(1.0, least)) ** 0.13)
    axis.xaxis.set_major_locator(FixedLocator(_TICKS))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_yticks(ticks, labels)
    axis.set_ylim(place - 0.5, -0.6)
    axis.grid(visible=True, axis="x")
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0, labelsize=small())
    axis.tick_params(axis="x", labelsize=small())
    if any(ratio.operations is not None for ratio in ratios):
        axis.plot([], [], color=_OPERATIONS_COLOUR, linewidth=1.3, label="by counting operations")
        axis.legend(fontsize=small(), loc="lower right", bbox_to_anchor=(1, 1), frameon=False, borderpad=0.1)


def _bar(axis: Axes, place: float, ratio: Ratio, colour: str) -> None:
    value = ratio.value
    axis.barh(place, value.median - 1, left=1, height=0.72, color=colour)
    axis.plot([value.lower, value.upper], [place, place], color="black", linewidth=0.8)
    if ratio.operations is not None:
        axis.plot([ratio.operations] * 2, [place - 0.45, place + 0.45], color=_OPERATIONS_COLOUR, linewidth=1.3)
    axis.annotate(
        f"{value.median:.2f}" if value.median < 10 else f"{value.median:.0f}",
        (max(value.upper, ratio.operations or 0, 1), place),
        xytext=(3, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=small(),
    )


def _note(findings: Findings) -> str:
    machine = findings.machine
    threads = counted(machine["threads"], "thread")
    quick = "; quick, meaningless" if machine["quick"] else ""
    torch = machine["torch"].split("+")[0]
    return (
        f"{machine['device_name']}, {threads}, torch {torch}, {machine['date'][:10]}; "
        f"medians, lines from the 25th to the 75th percentile{quick}"
    )


def _case(ratio: Ratio) -> tuple[str, str]:
    return ratio.benchmark, ratio.case


def _first(ratios: Sequence[Ratio], ratio: Ratio) -> int:
    """Place of the first ratio of the same case."""
    return next(number for number, other in enumerate(ratios) if _case(other) == _case(ratio))
