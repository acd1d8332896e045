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

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.images import image_size
from e2kd_lab.data.text_files import whole_number
from e2kd_lab.system.errors import DataError, shown

Box = tuple[float, float, float, float]
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_MAX_SIDE = 100_000
# Tools that round, or count pixels from zero, put boxes this far outside their images.
_MOST_OUTSIDE = 2.0


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


def read_annotation(annotation: Path, image: Path, classes: Sequence[str], findings: Findings) -> VocImage:
    """Read one annotation.

    Files count pixels from one, and boxes include their last row and column. Decimals, as in some files of VOC 2012,
    are kept. A box up to 2 pixels outside its image is clipped. A missing size is taken from the image. An image
    without objects is a negative, and boxes of an object's parts are ignored.

    Parameters
    ----------
    annotation : Path
        The XML file.
    image : Path
        The annotated image; it is opened only if the annotation lacks its size.
    classes : sequence of str
        Names of the known classes, in the order of their numbers.
    findings : Findings
        Receives what was repaired.

    Raises
    ------
    DataError
        If the file is missing, not XML, declares entities, or has an unknown class or an invalid box.
    """
    root = _parse(annotation)
    if root.tag != "annotation":
        raise DataError(f"{annotation} begins with <{shown(root.tag)}>; expected <annotation>.")
    width, height = _size(annotation, root, image, findings)
    objects = root.findall("object")
    if not objects:
        findings.add("noticed", "images without objects, kept as negatives", annotation.name)
    boxes, labels, difficult = [], [], []
    for number, found in enumerate(objects, start=1):
        name = (found.findtext("name") or "").strip()
        where = f"{annotation}, object {number} ({shown(name)})"
        if name not in classes:
            raise DataError(f"{where}: this class is unknown; expected one of {', '.join(classes)}.")
        boxes.append(_box(where, found, width, height, findings))
        labels.append(classes.index(name))
        difficult.append(_flag(where, found, "difficult", findings))
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


def _size(path: Path, root: Element, image: Path, findings: Findings) -> tuple[int, int]:
    """Width and height as the annotation gives them, else as the image has them."""
    width, height = (_side(path, root, side, findings) for side in ("width", "height"))
    if width and height:
        return width, height
    findings.add("repaired", "annotations without a size, taken from the image", path.name)
    return image_size(image)


def _side(path: Path, root: Element, side: str, findings: Findings) -> int:
    """Pixels of a side; 0 if they are missing."""
    text = (root.findtext(f"size/{side}") or "").strip()
    number = whole_number(text) if text else 0
    if number is None or number > _MAX_SIDE:
        raise DataError(f"{path} gives '{shown(text)}' as <{side}> of its <size>; expected pixels, 1 to {_MAX_SIDE}.")
    if "." in text:
        findings.add("repaired", "sizes with decimals", path.name)
    return number


def _box(where: str, found: Element, width: int, height: int, findings: Findings) -> Box:
    xmin, ymin, xmax, ymax = (_number(where, found, side) for side in _SIDES)
    for low, high, axis in ((xmin, xmax, "x"), (ymin, ymax, "y")):
        if low > high:
            raise DataError(
                f"{where}: {axis}min is {low:g} and {axis}max is {high:g}; expected {axis}min up to {axis}max."
            )
    written = (xmin - 1, ymin - 1, xmax, ymax)
    box = (max(xmin - 1, 0.0), max(ymin - 1, 0.0), min(xmax, float(width)), min(ymax, float(height)))
    outside = max(abs(one - other) for one, other in zip(written, box, strict=True))
    if outside > _MOST_OUTSIDE or box[0] >= box[2] or box[1] >= box[3]:
        raise DataError(
            f"{where}: the box ({xmin:g}, {ymin:g}, {xmax:g}, {ymax:g}) is outside its image of {width}x{height} "
            "pixels; expected (xmin, ymin, xmax, ymax) from 1 to width and height."
        )
    if outside:
        findings.add("repaired", f"boxes clipped to their image, up to {_MOST_OUTSIDE:g} px", where.rpartition("/")[2])
    return box


def _number(where: str, found: Element, side: str) -> float:
    text = (found.findtext(f"bndbox/{side}") or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: <{side}> of its <bndbox> is '{shown(text)}'; expected a number of pixels.")
    return value


def _flag(where: str, found: Element, name: str, findings: Findings) -> bool:
    text = found.findtext(name, default="0").strip()
    if not text:
        findings.add("repaired", f"objects with an empty <{name}>, read as 0", where.rpartition("/")[2])
    elif text not in ("0", "1"):
        raise DataError(f"{where}: <{name}> is '{shown(text)}'; expected 0 or 1.")
    return text == "1"
