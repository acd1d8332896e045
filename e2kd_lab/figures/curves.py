"""Training curves of one or several runs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from e2kd_lab.figures.style import METHOD_COLOURS, TEXT_WIDTH, new_figure, styled

_OOD = "out_of_distribution"


def _axes(rows: pd.DataFrame) -> tuple[tuple[str, str, str, str], ...]:
    """What each axis shows: title, split, group, metric."""
    biased = _OOD in set(rows["group"])
    group = _OOD if biased else "all"
    decided = ("F1 (%)", "val", "all", "f1") if "f1" in set(rows["metric"]) else None
    return (
        ("Training loss", "train", "all", "loss"),
        decided or ("OOD accuracy (%)" if biased else "Accuracy (%)", "val", group, "accuracy"),
        ("OOD agreement (%)" if biased else "Agreement (%)", "val", group, "agreement"),
        ("Explanation cosine", "val", "all", "explanation_cosine"),
    )


def training_curves(curves: Mapping[str, tuple[str, pd.DataFrame]], *, total_epochs: int | None = None) -> Figure:
    """Loss, and on validation images accuracy or F1, agreement and explanation cosine, over the epochs.

    Accuracy and agreement are those out of distribution, where there is such a thing.

    Parameters
    ----------
    curves : mapping
        For each label the run's method, which gives the colour, and its rows of ``metrics.csv``. Where a method comes
        twice, the later one is dashed.
    total_epochs : int, optional
        Right end of the axes, for a run that is not finished.
    """
    with styled():
        figure = new_figure(TEXT_WIDTH, 1.75)
        rows_of_all = [rows[["group", "metric"]] for _, rows in curves.values()]
        shown = _axes(pd.concat(rows_of_all) if rows_of_all else pd.DataFrame(columns=["group", "metric"]))
        axes = figure.subplots(1, len(shown))
        for axis, (title, split, group, metric) in zip(axes, shown, strict=True):
            seen: set[str] = set()
            for label, (method, rows) in curves.items():
                line = rows[(rows["split"] == split) & (rows["group"] == group) & (rows["metric"] == metric)]
                style = "--" if method in seen else "-"
                seen.add(method)
                if line.empty:  # it would have no place in the layout
                    continue
                colour = METHOD_COLOURS.get(method, "black")
                axis.plot(
                    line["epoch"],
                    line["value"],
                    style,
                    color=colour,
                    label=label,
                    marker=".",
                    markersize=3,
                    clip_on=False,  # a whole mark at the last epoch, too
                )
            axis.set_title(title, fontsize=6)
            axis.set_xlabel("epoch", fontsize=6)
            axis.set_xlim(0, total_epochs or None)
            axis.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
            axis.tick_params(labelsize=6)
        for axis in axes[1:3]:
            axis.set_ylim(-3, 103)
        handles = {
            label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        if handles:
            figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=6)
    return figure
