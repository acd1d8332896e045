"""Shared by the tests of data sets: small sets in a folder of their own."""

import numpy as np
import pytest
from PIL import Image

ANNOTATION = """<annotation>
\t<filename>{key}.jpg</filename>
\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t\t<depth>3</depth>\n\t</size>
{objects}</annotation>
"""
OBJECT = """\t<object>
\t\t<name>{name}</name>
\t\t<difficult>0</difficult>
\t\t<bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>
\t</object>
"""


def voc_xml(key="a", objects=(("cat", 3, 4, 10, 12),), width=30, height=20):
    """An annotation in the VOC layout, boxes as its files have them: from one, last row and column inside."""
    names = ("name", "xmin", "ymin", "xmax", "ymax")
    text = "".join(OBJECT.format(**dict(zip(names, values, strict=True))) for values in objects)
    return ANNOTATION.format(key=key, width=width, height=height, objects=text)


@pytest.fixture
def write_voc(tmp_path):
    """Write a small set in the VOC layout: lists of ids, and an image of noise and an annotation for each id."""

    def write(lists=None, *, objects=None, below="VOCdevkit/VOC2012", size=(30, 20)):
        folder = tmp_path / below
        main = folder / "ImageSets" / "Main"
        for part in (main, folder / "Annotations", folder / "JPEGImages"):
            part.mkdir(parents=True, exist_ok=True)
        lists = lists or {"train": ["a", "b", "c"], "val": ["d", "e"], "test": ["f"]}
        for name, ids in lists.items():
            (main / f"{name}.txt").write_text("".join(f"{key}\n" for key in ids))
        for number, key in enumerate(sorted({key for ids in lists.values() for key in ids})):
            pixels = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "JPEGImages" / f"{key}.jpg")
            shown = (objects or {}).get(key, (("cat", 3, 4, 10, 12),))
            (folder / "Annotations" / f"{key}.xml").write_text(voc_xml(key, shown, *size))
        return folder

    return write
