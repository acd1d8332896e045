"""Folders that may be read but not written, such as a colleague's: one sentence, nothing half-written, nothing lost."""

import shutil

import pytest
from matplotlib.figure import Figure
from ordinary_rights import denied, open_folder, ordinary_rights

import e2kd_lab as lab
from e2kd_lab.figures.export import export_figure
from e2kd_lab.minidata.minibirds import MiniBirds, make_minibirds
from e2kd_lab.runs.freeze import freeze
from e2kd_lab.system.atomic_write import write_json
from e2kd_lab.system.errors import DataError, LabError, RunError

SENTENCE = r"^\S.* (cannot be|could not be) written( to)?.*: Permission denied.*\.$"


@pytest.fixture(scope="module")
def colleague(tiny):
    """A folder that everybody may read, and an experiment on data in it."""
    with open_folder() as folder:
        birds = make_minibirds(folder / "birds", MiniBirds(size=24, train=(22, 10), val=2, test=2, teacher=8))
        experiment = tiny.replace(data_root=str(birds), epochs=1).teacher_experiment()
        # Imports modules as root: others may not read them where Python itself is in root's home.
        lab.run(experiment, folder=folder / "first", progress=False).results()
        yield folder, experiment


@pytest.fixture
def shared(colleague):
    """A colleague's folder of runs, the experiment, and what the folder holds."""
    runs = colleague[0] / "runs"
    runs.mkdir()
    yield runs, colleague[1], lambda: {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    shutil.rmtree(runs)


ACTIONS = {
    "train": (RunError, lambda folder, experiment: lab.run(experiment, folder=folder, progress=False)),
    "freeze": (DataError, lambda folder, _: freeze(lab.experiments.get("imagenet_frozen", "smoke"), folder=folder)),
    "export": (LabError, lambda folder, _: export_figure(Figure(), folder / "figure")),
    "data make": (DataError, lambda folder, _: make_minibirds(folder / "birds", MiniBirds(size=16))),
    "write a file": (RunError, lambda folder, _: write_json(folder / "a.json", {})),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_what_may_not_be_written_is_a_sentence(name, shared):
    runs, experiment, content = shared
    error, action = ACTIONS[name]
    (runs / "a.json").write_text("{}")
    before = content()
    with pytest.raises(error, match=SENTENCE), denied(runs, 0o555):
        action(runs, experiment)
    assert content() == before


def test_a_colleagues_finished_run_is_loaded_and_not_touched(shared):
    runs, experiment, content = shared
    lab.run(experiment, folder=runs, progress=False)
    before = content()
    with ordinary_rights():
        run = lab.run(experiment, folder=runs, progress=False)
        assert run.status == "done"
        assert len(run.results())
        assert len(lab.load_runs(runs))
    assert content() == before


def test_a_colleagues_stopped_run_is_refused_and_kept(shared):
    class Stop(lab.Watcher):
        def should_stop(self):
            return True

    runs, experiment, content = shared
    run = lab.run(experiment, folder=runs, progress=False, watchers=[Stop()])
    assert run.status == "stopped"
    before = content()
    with pytest.raises(RunError, match=SENTENCE), ordinary_rights():
        lab.run(experiment, folder=runs, progress=False)
    assert content() == before
    assert run.status == "stopped"
