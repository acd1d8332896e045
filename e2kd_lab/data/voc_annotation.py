"""Annotations of PASCAL VOC: an XML file per image, with its objects and their boxes.

Files with a DOCTYPE or entities are refused, so that parsing cannot exhaust memory or read other files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from e2kd_lab.system.errors import DataError, shown

Box = tuple[float, float, float, float]
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_MAX_SIDE = 100_000


@dataclass(frozen=True)
class VocImage:
    """An image and the objects in it.

    Attributes
    ----------
    path, annotation : Path
        The JPEG and the XML file.
    boxes : tuple of (x1, y1, x2, y2)
        Box of each object in pixels from zero, right and lower edge exclusive: the whole image is (0, 0, width,
        height).
    labels : tuple of int
        Class number of each object.
    difficult : tuple of bool
        Whether annotators marked each object as hard to recognise; such objects count like others.
    width, height : int
        Size of the image in pixels.
    """

    path: Path
    annotation: Path
    boxes: tuple[Box, ...]
    labels: tuple[int, ...]
    difficult: tuple[bool, ...]
    width: int
    height: int


def read_annotation(annotation: Path, image: Path, classes: Sequence[str]) -> VocImage:
    """Read one annotation.

    Files count pixels from one, and boxes include their last row and column. Decimals, as in some files of VOC 2012,
    are kept. A box that starts at zero, from a tool that counts from there, is clipped to the image. Boxes of an
    object's parts are ignored.

    Parameters
    ----------
    annotation : Path
        The XML file.
    image : Path
        The annotated image; it is not opened.
    classes : sequence of str
        Names of the known classes, in the order of their numbers.

    Raises
    ------
    DataError
        If the file is missing, not XML, declares entities, or has no objects, an unknown class or an invalid box.
    """
    root = _parse(annotation)
    if root.tag != "annotation":
        raise DataError(f"{annotation} begins with <{shown(root.tag)}>; expected <annotation>.")
    width, height = (_side(annotation, root, side) for side in ("width", "height"))
    objects = root.findall("object")
    if not objects:
        raise DataError(f"{annotation} has no <object>; expected at least one.")
    boxes, labels, difficult = [], [], []
    for number, found in enumerate(objects, start=1):
        name = (found.findtext("name") or "").strip()
        where = f"{annotation}, object {number} ({shown(name)})"
        if name not in classes:
            raise DataError(f"{where}: this class is unknown; expected one of {', '.join(classes)}.")
        boxes.append(_box(where, found, width, height))
        labels.append(classes.index(name))
        difficult.append(_flag(where, found, "difficult"))
    return VocImage(image, annotation, tuple(boxes), tuple(labels), tuple(difficult), width, height)


def _parse(path: Path) -> Element:
    try:
        root: Element = fromstring(path.read_bytes(), forbid_dtd=True)
    except FileNotFoundError:
        raise DataError(f"Annotation {path} is not there.") from None
    except DefusedXmlException:
        raise DataError(f"{path} declares a DOCTYPE or entities, which are refused; expected plain XML.") from None
    except OSError as error:
        raise DataError(f"Annotation {path} cannot be read: {error.strerror or error}.") from error
    except (ParseError, ValueError, LookupError) as error:
        # The parser raises ValueError and LookupError for unknown encodings.
        raise DataError(f"{path} is not well-formed XML: {error}.") from error
    return root


def _side(path: Path, root: Element, side: str) -> int:
    text = (root.findtext(f"size/{side}") or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 0 < int(text) <= _MAX_SIDE):
        raise DataError(f"{path} gives '{shown(text)}' as <{side}> of its <size>; expected pixels, 1 to {_MAX_SIDE}.")
    return int(text)


def _box(where: str, found: Element, width: int, height: int) -> Box:
    xmin, ymin, xmax, ymax = (_number(where, found, side) for side in _SIDES)
    for low, high, axis in ((xmin, xmax, "x"), (ymin, ymax, "y")):
        if low > high:
            raise DataError(
                f"{where}: {axis}min is {low:g} and {axis}max is {high:g}; expected {axis}min up to {axis}max."
            )
    if xmin < 0 or ymin < 0 or xmax <= 0 or ymax <= 0 or xmax > width or ymax > height:
        raise DataError(
            f"{where}: the box ({xmin:g}, {ymin:g}, {xmax:g}, {ymax:g}) is outside its image of {width}x{height} "
            f"pixels; expected (xmin, ymin, xmax, ymax) from 1 to width and height."
        )
    return max(xmin - 1, 0.0), max(ymin - 1, 0.0), xmax, ymax


def _number(where: str, found: Element, side: str) -> float:
    text = (found.findtext(f"bndbox/{side}") or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: <{side}> of its <bndbox> is '{shown(text)}'; expected a number of pixels.")
    return value


def _flag(where: str, found: Element, name: str) -> bool:
    text = found.findtext(name, default="0").strip()
    if text not in ("0", "1"):
        raise DataError(f"{where}: <{name}> is '{shown(text)}'; expected 0 or 1.")
    return text == "1"
