"""Ten thousand damaged files and settings: each is read, or refused with one sentence that names the place.

No reader takes long or much memory, executes content of a file, or writes anything.
"""

import contextlib
import json
import os
import random
import resource
import signal
import warnings
from pathlib import Path

import pytest
from endurance.folder_mutations import spoil
from endurance.mutations import ODD
from endurance.sound_files import READERS
from ordinary_rights import denied, open_folder
from PIL import Image

from e2kd_lab import experiments
from e2kd_lab.data.images import read_image
from e2kd_lab.experiments.assignments import assigned
from e2kd_lab.runs import Run, load_runs
from e2kd_lab.system.errors import DataError, ExperimentError, LabError, RunError

INPUTS = {
    "waterbirds": 1300, "voc": 1200, "imagenet": 500, "sun397": 500, "own": 500, "table": 700, "pictures": 1400,
    "run": 1100, "shifts": 300, "frozen": 900, "codes": 600, "checkpoints": 1200, "assignments": 900,
}  # fmt: skip
# More for a longer search.
TIMES = int(os.environ.get("E2KD_LAB_FUZZ_TIMES", "1"))
SECONDS, GIGABYTES = 5, 1.0


def test_there_are_ten_thousand_inputs():
    assert sum(INPUTS.values()) >= 10_000
    assert set(INPUTS) == {*READERS, "assignments"}


class TooLongError(BaseException):
    """Not an `Exception`, so that no reader can catch it."""


@contextlib.contextmanager
def limits():
    """Limit time and memory; exceeding them raises an error other than the lab's."""

    def too_long(*_):
        raise TooLongError(f"reading takes more than {SECONDS} s")

    if not Path("/proc/self/statm").is_file():  # not Linux: the size of the process is unknown
        yield
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, too_long)
    resource.setrlimit(resource.RLIMIT_AS, (used + int(GIGABYTES * 1e9), before[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)


def _snapshot(root):
    return sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_size) for path in root.rglob("*"))


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused_with_a_sentence(name, tmp_path):
    make, read = READERS[name]
    targets = make(tmp_path)
    refused, problems = 0, []
    for number in range(INPUTS[name] * TIMES):
        rng = random.Random(f"{name} {number}")
        path = rng.choice(targets)
        how, undo = spoil(rng, path, tmp_path)
        before = _snapshot(tmp_path)
        try:
            with limits(), warnings.catch_warnings(action="ignore"):
                read(tmp_path, path)
        except LabError as error:
            refused += 1
            if str(tmp_path) not in str(error) or len(str(error).splitlines()) != 1 or len(str(error)) > 2000:
                problems.append((number, path.name, how, str(error)))
        except (Exception, TooLongError) as error:
            problems.append((number, path.name, how, repr(error)))
        if _snapshot(tmp_path) != before:
            problems.append((number, path.name, how, "the folder has changed"))
        undo()
        if len(problems) > 20:
            break
    assert not problems, "\n".join(f"input {n}, {name}, {how!r:.300}: {what}" for n, name, how, what in problems)
    assert refused > INPUTS[name] * TIMES / 3
    assert not (tmp_path / "was-executed").exists()


def test_a_picture_that_claims_gigabytes_is_a_sentence(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    at = content.index(b"IDAT")
    (tmp_path / "a.png").write_bytes(content[: at - 4] + (2**32 - 1).to_bytes(4, "big") + content[at:])
    with limits(), pytest.raises(DataError, match=r"a\.png is truncated or damaged"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", READERS)
def test_what_may_not_be_read_is_a_sentence(name):
    make, read = READERS[name]
    with open_folder() as folder:
        root = folder / "root"
        root.mkdir()
        targets = make(root)
        with contextlib.suppress(LabError):
            read(root, targets[0])  # modules that are imported on first use
        for path in {*targets, *(target.parent for target in targets)}:
            if path.name in ("environment.json", "status.json"):  # not read; makes a run `unknown`
                continue
            target = next(target for target in targets if path in (target, target.parent))
            with denied(path), pytest.raises(LabError, match=str(root)):
                read(root, target)


# Plausible values, so that more than the first check is tested.
LIKELY = (
    "1", "2", "0.5", "5.0", "'energy'", "'sgd'", "'kd'", "None", "True", "(0.5, 1.0)", "[0.5, 1.0]", "resnet_mini",
)  # fmt: skip


def test_settings_are_taken_or_refused_with_a_sentence():
    problems, taken = [], 0
    bases = [experiments.get(name, "smoke") for name in experiments.names()]
    for number in range(INPUTS["assignments"] * TIMES):
        rng = random.Random(f"assignments {number}")
        base = rng.choice(bases)
        fields = [rng.choice((*base.fields(), rng.choice(ODD))) for _ in range(rng.choice((1, 1, 2)))]
        texts = [f"{field}={rng.choice(ODD + LIKELY * 2)}" for field in fields]
        try:
            with limits():
                experiment = base.replace(**assigned(texts if rng.random() < 0.9 else [texts[0].partition("=")[0]]))
                json.dumps(vars(experiment), default=vars)
                experiment.title, experiment.settings(), experiment.methods
            taken += 1
        except ExperimentError as error:
            if len(str(error).splitlines()) != 1 or len(str(error)) > 2000:
                problems.append((texts, str(error)))
        except (Exception, TooLongError) as error:
            problems.append((texts, repr(error)))
    assert not problems
    assert 0.05 < taken / (INPUTS["assignments"] * TIMES) < 0.9


@pytest.mark.parametrize(
    ("name", "field", "value", "says"),
    [
        ("config.json", "setting", None, r"config\.json: 'setting' is 'None'; expected a text"),
        ("config.json", "tau", ["float32"], r"config\.json: 'tau' is .*; expected a finite number"),
        ("config.json", "lam", float("nan"), r"config\.json: 'lam' is 'nan'; expected a finite number"),
        ("config.json", "seed", True, r"config\.json: 'seed' is 'True'; expected a whole number"),
        ("config.json", "select", {}, r"config\.json: 'select' is .*; expected a text"),
        ("config.json", "teacher", 5, r"config\.json: 'teacher' is '5'; expected a text, or nothing"),
        ("status.json", "status", True, r"status\.json: 'status' is 'True'; expected one of new, running"),
        ("status.json", "status", [], r"status\.json: 'status' is '\[\]'; expected one of new, running"),
    ],
)
def test_a_wrong_value_in_a_runs_files_is_named(tmp_path, name, field, value, says):
    make, _ = READERS["run"]
    path = next(path for path in make(tmp_path) if path.name == name)
    assert len(load_runs(tmp_path))
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(RunError, match=says):
        load_runs(tmp_path)


def test_an_error_that_is_no_text_is_shown_as_one(tmp_path):
    make, _ = READERS["run"]
    path = next(path for path in make(tmp_path) if path.name == "status.json")
    path.write_text(json.dumps({"status": "failed", "error": [[]]}))
    assert Run(path.parent).error == "[[]]"
