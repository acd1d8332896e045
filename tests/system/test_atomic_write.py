import os
import stat

import pytest

from e2kd_lab.system.atomic_write import atomic_write, write_text
from e2kd_lab.system.errors import RunError


@pytest.fixture(params=[0o022, 0o027, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask: permissions are not tested")
def test_permissions_are_those_that_the_umask_leaves(umask, tmp_path):
    file = tmp_path / "new folder" / "table.csv"
    for text in ("first", "second"):
        write_text(file, text)
        assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask
        assert file.read_text() == text


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "table.csv"
    write_text(file, "old")

    def fail(opened):
        opened.write(b"half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"table\.csv could not be written: No space left on device; its former content"):
        atomic_write(file, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert file.read_text() == "old"
