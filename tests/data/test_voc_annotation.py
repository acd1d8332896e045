import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.voc_annotation import read_annotation
from e2kd_lab.system.errors import DataError

CLASSES = ("cat", "dog")
XML = """<annotation>
  <size><width>30</width><height>20</height><depth>3</depth></size>
  <object>
    <name>cat</name><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmax>10</xmax><xmin>3</xmin><ymax>12</ymax><ymin>4</ymin></bndbox>
    <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
  </object>
  <object>
    <name>dog</name><difficult>1</difficult>
    <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>30</xmax><ymax>20</ymax></bndbox>
  </object>
</annotation>
"""
LAUGHS = '<!DOCTYPE annotation [<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
)


def read(folder, content, classes=CLASSES, findings=None):
    path = folder / "a.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_annotation(path, folder / "a.jpg", classes, Findings() if findings is None else findings)


def test_boxes_count_from_zero_and_end_outside(tmp_path):
    image = read(tmp_path, XML)
    assert image.boxes == ((2, 3, 10, 12), (0, 0, 30, 20))
    assert image.labels == (0, 1)
    assert image.difficult == (False, True)
    assert (image.width, image.height) == (30, 20)
    assert (image.path, image.annotation) == (tmp_path / "a.jpg", tmp_path / "a.xml")


def test_decimals_and_boxes_counted_from_zero_are_read(tmp_path):
    image = read(tmp_path, XML.replace("<xmin>3<", "<xmin>3.25<").replace("<ymin>4<", "<ymin>0<"))
    assert image.boxes[0] == (2.25, 0, 10, 12)


def test_a_box_of_one_pixel_is_one(tmp_path):
    assert read(tmp_path, XML.replace("<xmin>3<", "<xmin>10<")).boxes[0] == (9, 3, 10, 12)


@pytest.mark.parametrize(
    ("old", "new", "box"),
    [
        ("<xmax>10<", "<xmax>31<", (2, 3, 30, 12)),
        ("<xmax>10<", "<xmax>32<", (2, 3, 30, 12)),
        ("<xmax>10<", "<xmax>30.25<", (2, 3, 30, 12)),
        ("<ymin>4<", "<ymin>0<", (2, 0, 10, 12)),
        ("<ymin>4<", "<ymin>-1<", (2, 0, 10, 12)),
        ("<ymin>4<", "<ymin>0.5<", (2, 0, 10, 12)),
    ],
)
def test_boxes_a_little_outside_are_clipped_and_counted(tmp_path, old, new, box):
    findings = Findings()
    assert read(tmp_path, XML.replace(old, new), findings=findings).boxes[0] == box
    said = "repaired: boxes clipped to their image, up to 2 px (1, such as a.xml, object 1 (cat))"
    assert findings.sentences() == [said]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<size><width>30</width><height>20</height><depth>3</depth></size>", "", "annotations without a size"),
        ("<width>30<", "<width>0<", "annotations without a size, taken from the image"),
        ("<height>20</height>", "", "annotations without a size, taken from the image"),
        ("<width>30<", "<width>30.0<", "sizes with decimals"),
        ("<difficult>0<", "<difficult><", "objects with an empty <difficult>, read as 0"),
    ],
)
def test_what_tools_leave_out_is_filled_in_and_counted(tmp_path, old, new, said):
    assert old in XML
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg")
    findings = Findings()
    image = read(tmp_path, XML.replace(old, new), findings=findings)
    assert (image.width, image.height, image.difficult) == (30, 20, (False, True))
    assert f"repaired: {said}" in findings.sentences()[0]


def test_an_image_without_objects_is_a_negative(tmp_path):
    findings = Findings()
    image = read(tmp_path, XML.replace("object>", "thing>"), findings=findings)
    assert (image.boxes, image.labels, image.difficult) == ((), (), ())
    assert findings.sentences() == ["noticed: images without objects, kept as negatives (1, such as a.xml)"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("<name>cat<", "<name>lion<", r"a\.xml, object 1 \(lion\): this class is unknown; expected one of cat, dog"),
        ("<name>cat</name>", "", r"object 1 \(\): this class is unknown"),
        ("<xmax>10<", "<xmax>33<", r"object 1 \(cat\): the box \(3, 4, 33, 12\) is outside its image of 30x20 pixels"),
        ("<ymin>4<", "<ymin>-2<", r"the box \(3, -2, 10, 12\) is outside"),
        ("<xmin>3<", "<xmin>11<", r"object 1 \(cat\): xmin is 11 and xmax is 10; expected xmin up to xmax"),
        ("<ymin>4<", "<ymin>13<", r"ymin is 13 and ymax is 12"),
        ("<xmin>3<", "<xmin>three<", r"<xmin> of its <bndbox> is 'three'; expected a number"),
        ("<xmin>3<", "<xmin>nan<", r"<xmin> of its <bndbox> is 'nan'"),
        ("<xmin>3</xmin>", "", r"<xmin> of its <bndbox> is ''"),
        ("<difficult>0<", "<difficult>no<", r"object 1 \(cat\): <difficult> is 'no'; expected 0 or 1"),
        ("<width>30<", "<width>-3<", r"a\.xml gives '-3' as <width> of its <size>; expected pixels, 1 to"),
        ("<height>20<", "<height>tall<", r"gives 'tall' as <height>"),
        ("<height>20</height>", "", r"Image .*a\.jpg is not there"),
        ("annotation>", "note>", r"begins with <note>; expected <annotation>"),
        ("</annotation>", "", r"a\.xml is not well-formed XML: no element found"),
        ("<annotation>", LAUGHS + "]><annotation>&a9;", r"a\.xml declares a DOCTYPE or entities, which are refused"),
        ("<annotation>", '<!DOCTYPE x SYSTEM "file:///etc/passwd"><annotation>', r"declares a DOCTYPE"),
        ("<annotation>", '<?xml version="1.0" encoding="klingon"?><annotation>', r"is not well-formed XML"),
    ],
)
def test_faults_are_named_with_their_place(tmp_path, old, new, sentence):
    assert old in XML
    began = time.monotonic()
    with pytest.raises(DataError, match=sentence) as caught:
        read(tmp_path, XML.replace(old, new))
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 1


def test_a_missing_file_and_a_folder_in_its_place_are_named(tmp_path):
    with pytest.raises(DataError, match=r"Annotation .*b\.xml is not there"):
        read_annotation(tmp_path / "b.xml", tmp_path / "b.jpg", CLASSES, Findings())
    (tmp_path / "c.xml").mkdir()
    with pytest.raises(DataError, match=r"Annotation .*c\.xml cannot be read"):
        read_annotation(tmp_path / "c.xml", tmp_path / "c.jpg", CLASSES, Findings())


def sound_or_refused(folder: Path, content: bytes) -> None:
    try:
        image = read(folder, content)
    except DataError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert "\n" not in refusal
        return
    assert all(0 <= x1 < x2 <= image.width and 0 <= y1 < y2 <= image.height for x1, y1, x2, y2 in image.boxes)
    assert set(image.labels) <= {0, 1}
    assert len(image.boxes) == len(image.labels) == len(image.difficult)


@settings(max_examples=150)
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda t: t.encode(errors="replace"))))
def test_any_bytes_end_in_success_or_the_readers_error(tmp_path_factory, content):
    sound_or_refused(tmp_path_factory.getbasetemp(), content)


TOKENS = [
    b"",
    b"-",
    b"0",
    b"1e9",
    b"nan",
    b"1_0",
    b"<",
    b"</object>",
    b"&amp;",
    b"&#0;",
    b"<!--",
    b"\xff\xfe",
    b"<object/>",
]


@settings(max_examples=300)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(XML)), st.integers(0, 12), st.one_of(st.binary(max_size=6), st.sampled_from(TOKENS))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_edit_of_an_annotation_ends_in_success_or_the_readers_error(tmp_path_factory, edits):
    content = XML.encode()
    for start, length, text in edits:
        content = content[:start] + text + content[start + length :]
    sound_or_refused(tmp_path_factory.getbasetemp(), content)


@settings(max_examples=150)
@given(values=st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<&"), max_size=8),
                                 st.floats().map(str), st.integers().map(str)), min_size=4, max_size=4))  # fmt: skip
def test_any_value_in_the_place_of_a_number_ends_in_success_or_the_readers_error(tmp_path_factory, values):
    content = XML
    for old, new in zip(("<xmin>3<", "<xmax>10<", "<width>30<", "<difficult>0<"), values, strict=True):
        content = content.replace(old, old[: old.index(">") + 1] + new + "<")
    sound_or_refused(tmp_path_factory.getbasetemp(), content.encode())
