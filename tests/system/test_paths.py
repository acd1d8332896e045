import os
from pathlib import Path

import pytest

import e2kd_lab as lab
from e2kd_lab.system.errors import DataError
from e2kd_lab.system.paths import expanded, is_file, is_folder, readable


def test_a_name_that_no_file_system_takes_is_nothing(tmp_path):
    assert is_folder(tmp_path)
    assert not is_file(tmp_path)
    (tmp_path / "a").write_text("")
    assert is_file(tmp_path / "a")
    assert not is_folder(tmp_path / "a")
    for path in (tmp_path / ("x" * 300), tmp_path / "a" / "b"):
        assert not is_file(path)
        assert not is_folder(path)


def test_the_home_folder_of_an_unknown_user_stays_a_name():
    assert expanded("~") == Path.home()
    assert expanded(Path("~/a")) == Path.home() / "a"
    assert expanded("~nobody-has-this-name/a") == Path("~nobody-has-this-name/a")
    assert expanded("a/~") == Path("a/~")


def test_what_the_system_refuses_is_a_sentence_that_names_the_file(tmp_path):
    with (
        pytest.raises(DataError, match=r"/a\.txt cannot be read: No such file or directory\.$"),
        readable(tmp_path, DataError),
    ):
        (tmp_path / "a.txt").read_text()
    with pytest.raises(DataError, match=rf"^{tmp_path} cannot be read: broken\.$"), readable(tmp_path, DataError):
        raise OSError("broken")
    with pytest.raises(ValueError, match="else"), readable(tmp_path, DataError):
        raise ValueError("something else")


@pytest.mark.skipif(os.name == "nt", reason="Windows takes paths of 260 characters: longer ones are not tested")
def test_a_path_as_long_as_systems_take_is_trained_in(tiny, tmp_path):
    deep = tmp_path
    while len(os.fsencode(deep)) < 3000:
        deep = deep / ("ein langer Ordner äöü " * 9)
    experiment = tiny.replace(epochs=1).teacher_experiment()
    run = lab.run(experiment, folder=deep, progress=False)
    assert run.status == "done"
    assert lab.load_runs(deep)["run"].unique().tolist() == [experiment.run_name()]
    run.export(deep / "teacher.safetensors")
    assert (deep / "teacher.safetensors").is_file()
