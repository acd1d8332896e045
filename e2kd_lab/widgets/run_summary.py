"""The results of a run in a line."""

from __future__ import annotations

import pandas as pd

from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title


def run_summary(rows: pd.DataFrame) -> str:
    """Measures of the selected checkpoint on test images, out of distribution where the data have such a group.

    Parameters
    ----------
    rows : DataFrame
        Rows of ``metrics.csv``.

    Examples
    --------
    >>> row = {"step": 8, "split": "test", "group": "all", "metric": "agreement", "value": 91.25}
    >>> run_summary(pd.DataFrame([row]))
    'agreement 91.2 %'
    """
    test = rows[rows["split"] == "test"]
    test = test[test["step"] == test["step"].max()].set_index(["metric", "group"])["value"]
    out = "out_of_distribution"
    group = out if ("agreement", out) in test else "all"
    shown = {
        "test accuracy": ("accuracy", "all"),
        "out-of-distribution accuracy": ("accuracy", out),
        "F1": ("f1", "all"),
        "EPG": ("epg", "all"),
        "IoU": ("iou", "all"),
        "agreement": ("agreement", group),
    }
    parts = [f"{title} {test[key]:.1f} %" for title, key in shown.items() if key in test]
    if ("explanation_cosine", group) in test:
        parts.append(f"explanation cosine {test['explanation_cosine', group]:.2f}")
    for name in sorted(set(test.index.get_level_values("metric")) - set(LAB_MEASURES)):
        key = (name, group) if (name, group) in test else (name, "all")
        parts += [f"{measure_title(name).title} {measure_title(name).text(test[key])}"] if key in test else []
    return ", ".join(parts)
