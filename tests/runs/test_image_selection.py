"""Which images are looked at, and in which order."""

import pandas as pd
import pytest

from e2kd_lab.runs.image_selection import ORDERS, RELATIONS, select_views, views_of

IMAGES = pd.DataFrame(
    {
        "index": [0, 1, 2, 3, 4],
        "label": [0, 0, 0, 1, 1],
        "group": [-1, -1, -1, -1, -1],
        "prediction": [0, 1, 0, 1, 0],
        "teacher_prediction": [0, 1, 1, 1, 1],
        "explanation_cosine": [0.5, 0.1, 0.9, 0.3, -0.2],
    }
)
OBJECTS = pd.DataFrame(
    {
        "index": [0, 0, 1, 1, 2, 2],
        "class": [0, 1, 0, 1, 0, 1],
        "label": [True, True, False, True, True, False],
        "prediction": [True, False, True, True, False, True],
        "teacher_prediction": [True, True, True, True, False, False],
        "explanation_cosine": [None, 0.7, 0.3, None, None, 0.1],
        "class_cosine": [0.2, 0.7, None, 0.4, 0.6, None],
    }
)


def chosen(table, **filters):
    views = select_views(views_of(table), **filters)
    return list(views[["index", "part"]].itertuples(index=False, name=None))


def test_images_of_all_parts_come_in_turns():
    assert chosen(IMAGES) == [(0, 0), (3, 1), (1, 0), (4, 1), (2, 0)]
    assert chosen(IMAGES, part=0) == [(0, 0), (1, 0), (2, 0)]


def test_groups_go_before_labels():
    grouped = IMAGES.assign(group=[3, 2, 2, 3, 0])
    assert chosen(grouped) == [(4, 0), (1, 2), (0, 3), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    ("relation", "images", "objects"),
    [
        ("all", {0, 1, 2, 3, 4}, {(0, 0), (0, 1), (1, 1), (2, 0)}),
        ("agrees with teacher", {0, 1, 3}, {(0, 0), (1, 1), (2, 0)}),
        ("disagrees with teacher", {2, 4}, {(0, 1)}),
        ("correct", {0, 2, 3}, {(0, 0), (1, 1)}),
        ("incorrect", {1, 4}, {(0, 1), (2, 0)}),
    ],
)
def test_relations(relation, images, objects):
    assert {index for index, _ in chosen(IMAGES, relation=relation)} == images
    assert set(chosen(OBJECTS, relation=relation)) == objects


def test_each_class_that_an_image_shows_is_a_view():
    assert chosen(OBJECTS) == [(0, 0), (0, 1), (2, 0), (1, 1)]
    assert chosen(OBJECTS, part=1) == [(0, 1), (1, 1)]


def test_orders_are_those_of_what_is_explained():
    assert [index for index, _ in chosen(IMAGES, order="lowest cosine first")] == [4, 1, 3, 0, 2]
    assert [index for index, _ in chosen(IMAGES, order="highest cosine first", relation="correct")] == [2, 0, 3]
    assert chosen(OBJECTS, order="highest cosine first") == [(0, 1), (2, 0), (1, 1), (0, 0)]


def test_equal_cosines_stay_in_the_order_of_the_data_set():
    alike = IMAGES.assign(explanation_cosine=0.5)
    for order in ORDERS[1:]:
        assert [index for index, _ in chosen(alike, order=order)] == [0, 1, 2, 3, 4]


def test_nothing_may_pass():
    assert chosen(IMAGES, part=7) == []
    assert all(chosen(IMAGES[:0], relation=relation, order=order) == [] for relation in RELATIONS for order in ORDERS)


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="no relation 'right'; expected one of all, agrees with teacher, "):
        chosen(IMAGES, relation="right")
    with pytest.raises(ValueError, match="no order 'random'; expected one of data set, "):
        chosen(IMAGES, order="random")
