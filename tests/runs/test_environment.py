"""A run records the revision of the lab's own repository, and of no other."""

import os
import shutil
import subprocess

import pytest

from e2kd_lab.runs.environment import environment_of, revision_of


def git(folder, *arguments):
    who = {f"GIT_{role}_{what}": "nobody@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **who}
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A repository with one commit, in a folder whose name is hard to quote."""
    if shutil.which("git") is None:
        pytest.skip("there is no git on this machine")
    folder = tmp_path / "Übungs ordner"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "e2kd-lab"\n')
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def test_the_revision_of_a_checkout_is_recorded(project, monkeypatch):
    own = git(project, "rev-parse", "HEAD")
    assert revision_of(project) == own
    monkeypatch.setenv("GIT_DIR", str(project.parent / "elsewhere"))
    assert revision_of(project) == own


def test_that_of_the_project_around_an_installed_package_is_not(project, monkeypatch):
    (project / "pyproject.toml").write_text('[project]\nname = "birds"\n')
    assert revision_of(project) is None  # a copy of the package lies in it
    packages = project / ".venv" / "lib" / "site-packages"
    (packages / "e2kd_lab").mkdir(parents=True)
    assert revision_of(packages) is None
    git(project, "add", "--all")
    git(project, "commit", "-q", "--allow-empty", "-m", "with its packages")
    assert revision_of(packages) is None
    monkeypatch.setenv("GIT_DIR", str(project / ".git"))
    assert revision_of(packages) is None


def test_without_git_or_commits_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision_of(tmp_path) is None
    assert environment_of("cpu")["git_revision"] is None
