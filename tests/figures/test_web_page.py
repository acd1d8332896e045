"""Web pages in one file."""

import json
import re

import pandas as pd

from e2kd_lab.figures.dark_ground import GROUND
from e2kd_lab.figures.web_page import data_url, page, sortable


def test_no_text_ends_a_script_or_starts_a_tag():
    data = {"title": "</script><b>"}
    text = page("<i>", "", data=data)
    assert text.count("</script>") == 1
    assert "<title>&lt;i&gt;</title>" in text
    assert json.loads(re.search(r"const DATA = (.*);", text)[1].replace("<\\/", "</")) == data


def test_cells_keep_all_digits_for_sorting_and_show_a_few():
    table = pd.DataFrame({"name": ["a'b", "c"], "percent": [98.7654, float("nan")], "cosine": [0.98765, 0.5]})
    text = sortable(table)
    assert "data-value='98.7654'>98.8</td>" in text
    assert "data-value=''>–</td>" in text
    assert "data-value='0.5'>0.500</td>" in text
    assert "a&#x27;b" in text


def test_addresses_hold_the_content():
    assert data_url(b"\x00\xff", "image/webp") == "data:image/webp;base64,AP8="


def test_dark_pages_have_the_ground_of_dark_figures():
    assert f"--ground: {GROUND};" in page("", "")
