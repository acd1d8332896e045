"""Selecting images to look at: filters and orders over the outcomes of a student and its teacher."""

from __future__ import annotations

import pandas as pd

RELATIONS = ("all", "agrees with teacher", "disagrees with teacher", "correct", "incorrect")
ORDERS = ("data set", "lowest cosine first", "highest cosine first")


def views_of(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Views to select from: images, or each class that an image shows.

    Parameters
    ----------
    outcomes : DataFrame
        Of a student and its teacher: `e2kd_lab.training.outcomes`, or `e2kd_lab.training.multilabel_outcomes` with
        ``every_class``.

    Returns
    -------
    DataFrame
        A row an image, or a row an image and class that it shows: ``index`` of the image, ``part`` (the class; else the
        image's group, or its label without groups), ``agrees`` (student and teacher predict the same), ``correct`` (the
        student is right), ``cosine`` of their explanations of the teacher's prediction or of the class, in [-1, 1].
    """
    several = "class" in outcomes
    rows = outcomes[outcomes["label"]] if several else outcomes
    part = "class" if several else "group" if (rows["group"] >= 0).all() else "label"
    return pd.DataFrame(
        {
            "index": rows["index"],
            "part": rows[part],
            "agrees": rows["prediction"] == rows["teacher_prediction"],
            "correct": rows["prediction"] == rows["label"],
            "cosine": rows["class_cosine" if several else "explanation_cosine"],
        }
    ).reset_index(drop=True)


def select_views(
    views: pd.DataFrame, *, part: int | None = None, relation: str = RELATIONS[0], order: str = ORDERS[0]
) -> pd.DataFrame:
    """The views that pass the filters, in order.

    Parameters
    ----------
    views : DataFrame
        See `views_of`.
    part : int, optional
        The only group or class to keep.
    relation : str
        One of ``RELATIONS``: the student agrees or disagrees with the teacher, or is correct or incorrect.
    order : str
        One of ``ORDERS``. In the order of the data set, parts take turns, because data sets are sorted by part.

    Raises
    ------
    ValueError
        If there is no such relation or order.
    """
    for name, value, known in (("relation", relation, RELATIONS), ("order", order, ORDERS)):
        if value not in known:
            raise ValueError(f"There is no {name} '{value}'; expected one of {', '.join(known)}.")
    keep = {
        "agrees with teacher": views["agrees"],
        "disagrees with teacher": ~views["agrees"],
        "correct": views["correct"],
        "incorrect": ~views["correct"],
    }
    chosen = views[keep[relation]] if relation in keep else views
    if part is not None:
        chosen = chosen[chosen["part"] == part]
    if order != "data set":
        chosen = chosen.sort_values("cosine", ascending=order.startswith("lowest"), kind="stable")
    elif part is None:
        turns = chosen.groupby("part").cumcount()
        chosen = chosen.assign(turn=turns).sort_values(["turn", "part"], kind="stable").drop(columns="turn")
    return chosen.reset_index(drop=True)
