"""Captions for LaTeX: what a figure shows, how to read it, and the runs, seeds and scale behind it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from e2kd_lab.experiments import setting_title
from e2kd_lab.figures.labels import in_order, methods_of, networks_name, run_label, title_of, where_measured
from e2kd_lab.figures.table_writers import escape_latex
from e2kd_lab.runs import RESULT_COLUMNS

# How to read each kind of figure.
READING: Mapping[str, str] = {
    "bars": "Bars are means over seeds, dots the seeds, dotted lines the teacher.",
    "curves": "Loss on the training split; all other measures on the validation split.",
    "explanations": "All maps are divided by their L2 norm; networks of a family share one colour scale. ✓ and ✗ mark "
    "correct and incorrect predictions.",
    "shots": "Lines are means over seeds, bands span the seeds, dotted lines are the teacher.",
    "plane": "Large points are means over seeds, small ones the seeds; arrows go from KD to e²KD.",
    "shifts": "Lines are means over seeds, bands span the seeds.",
    "sweep": "Each cell is the mean over its seeds.",
    "table": "Percent: the paper's numbers, ours as mean ± standard deviation over seeds, differences in points.",
    "opening": "Bars are means over seeds, dots the seeds, dotted lines the teacher, diamonds the paper's numbers.",
}


def caption(what: str, results: pd.DataFrame, *, kind: str = "") -> str:
    r"""Caption of a figure for LaTeX: what it shows, how to read it, methods with their hyper-parameters, seeds, scale.

    Parameters
    ----------
    what : str
        What the figure shows, a phrase such as ``accuracy out of distribution``.
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of the runs in the figure.
    kind : str
        How it is drawn: a key of ``READING``, or nothing.

    Returns
    -------
    str
        Sentences, with LaTeX's special characters escaped.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> row = {"run": "a", "experiment": "waterbirds", "scale": "lab", "method": "e2kd", "seed": 0}
    >>> caption("sweep of Waterbirds", pd.DataFrame([row | {"lam": 5.0, "tau": 1.0}]))
    'Sweep of Waterbirds. e$^2$KD, $\\lambda$ = 5, $\\tau$ = 1 (seed 0). Measured here (lab).'
    """
    if kind and kind not in READING:
        raise ValueError(f"There is no figure of kind '{kind}'; expected one of {', '.join(READING)}, or none.")
    sentences = [_capital(what.rstrip(".")) + ".", READING.get(kind, "")]
    if len(results):
        sentences += [f"{'; '.join(_methods(results))}.", f"{_capital(where_measured(results))}."]
    return " ".join(escape_latex(sentence) for sentence in sentences if sentence)


def _methods(results: pd.DataFrame) -> list[str]:
    """Each method with its hyper-parameters and seeds; networks and experiments where there are several."""
    students = results[results["method"] != "teacher"]
    named = [name for name in ("experiment", "family", "setting") if name in results and students[name].nunique() > 1]
    own = [name for name in results.columns if name not in (*RESULT_COLUMNS, "tried")]
    hyperparameters = [name for name in ("lam", "tau", *own) if name in results]
    found: dict[str, list[int]] = {}
    for method in methods_of(results):
        part = results[results["method"] == method].drop_duplicates("run")
        for row in part.to_dict("records"):
            label = run_label(method, {name: row[name] for name in hyperparameters})
            found.setdefault(label + _where(row, named), []).append(int(row["seed"]))
    return [f"{label} ({_seeds(seeds)})" for label, seeds in found.items()]


def _where(row: Mapping[Hashable, Any], named: Sequence[str]) -> str:
    """What tells a student's run from others by its method: *on Waterbirds, B-cos networks, + mixup*."""
    if row["method"] == "teacher":
        return ""
    data = [title_of("experiment", row["experiment"])] if "experiment" in named else []
    data += [networks_name(row["family"])] if "family" in named else []
    setting = setting_title(row["experiment"], row["setting"]) if "setting" in named else ""
    return (f" on {', '.join(data)}" if data else "") + (f", {setting}" if setting else "")


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds in words: *seed 0*, *seeds 0–2*, *seeds 0, 3*."""
    several = [int(str(seed)) for seed in in_order("seed", seeds)]
    if len(several) == 1:
        return f"seed {several[0]}"
    in_a_row = several == list(range(several[0], several[-1] + 1)) and len(several) > 2
    return f"seeds {several[0]}–{several[-1]}" if in_a_row else f"seeds {', '.join(map(str, several))}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
