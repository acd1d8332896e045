"""Where data and runs lie if nobody says so."""

from pathlib import Path

import pytest

from e2kd_lab.system.errors import LabError
from e2kd_lab.system.workspace import data_folder, runs_folder, workspace


def test_the_environment_goes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("E2KD_LAB_HOME", str(tmp_path / "home"))
    assert workspace() == tmp_path / "home"
    assert (data_folder(), runs_folder()) == (tmp_path / "home" / "data", tmp_path / "home" / "runs")


def test_a_checkout_is_found_from_anywhere_within_it(monkeypatch, tmp_path):
    monkeypatch.delenv("E2KD_LAB_HOME", raising=False)
    inside = tmp_path / "checkout" / "notebooks" / "mine"
    inside.mkdir(parents=True)
    (tmp_path / "checkout" / "e2kd_lab").mkdir()
    monkeypatch.chdir(inside)
    assert workspace() == (tmp_path / "checkout").resolve()


def test_elsewhere_it_is_the_users_data_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("E2KD_LAB_HOME", raising=False)
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name, **options: str(tmp_path / "share" / name))
    monkeypatch.chdir(tmp_path)
    assert workspace() == Path(tmp_path / "share" / "e2kd-lab")


def test_an_account_without_a_home_is_asked_for_a_folder(monkeypatch, tmp_path):
    def unknown(number):
        raise KeyError(f"uid not found: {number}")

    pwd = pytest.importorskip("pwd", reason="accounts have no numbers on Windows")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("E2KD_LAB_HOME", "HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match="has no home folder; expected the environment variable E2KD_LAB_HOME"):
        runs_folder()
