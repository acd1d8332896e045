import warnings

import pytest

from e2kd_lab.system.errors import DataError, LabError, LabNote, RunError, note, raised, shown
from e2kd_lab.system.json_files import read_json


@pytest.mark.parametrize("quoted", ["a\nb", "a\r\nb", "\x1b[31mred", "\ud800", "\u2028", "\0"])
def test_a_message_is_one_printable_line_whatever_it_quotes(quoted):
    message = str(DataError(f"file.csv has '{quoted}' in line 3; expected a number."))
    assert message.isprintable()
    assert message.startswith("file.csv has '")
    assert message.endswith("in line 3; expected a number.")
    assert shown(quoted).isprintable()


def test_an_endless_quotation_loses_its_middle():
    message = str(LabError(f"/a/file.csv has '{'x' * 10_000}'; expected a number."))
    assert len(message) <= 2000
    assert message.startswith("/a/file.csv has 'xxx")
    assert message.endswith("xxx'; expected a number.")
    assert shown("x" * 100) == "x" * 37 + "..."
    assert shown(1 << 50_000) == "a huge number"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "cannot be read as JSON: "),
        (b"", "cannot be read as JSON: "),
        (b"\xff\xfe{}", "cannot be read as JSON: "),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"9" * 5000, "cannot be read as JSON: "),
    ],
)
def test_what_is_no_json_is_a_sentence_that_names_the_file(tmp_path, content, says):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=rf"a\.json .*{says}"):
        read_json(path, RunError, missing="it")
    path.unlink()
    with pytest.raises(DataError, match=r"a\.json is not there; expected it\."):
        read_json(path, DataError, missing="it")
    path.mkdir()
    with pytest.raises(DataError, match=r"a\.json cannot be read: Is a directory"):
        read_json(path, DataError, missing="it")


class Unreadable(Exception):
    def __str__(self):
        raise LookupError("no text")


@pytest.mark.parametrize("error", [ValueError("closed"), RuntimeError("gone"), BaseException(), Unreadable()])
def test_a_note_that_nobody_can_read_does_no_harm(monkeypatch, error):
    def show(*_):
        raise error

    monkeypatch.setattr(warnings, "showwarning", show)
    with warnings.catch_warnings():
        warnings.simplefilter("always", LabNote)
        note("Two rows were skipped.")
        warnings.simplefilter("error", LabNote)
        with pytest.raises(LabNote, match="Two rows were skipped"):
            note("Two rows were skipped.")
    assert raised(error).startswith(f"raised {type(error).__name__}")
