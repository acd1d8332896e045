"""A loss or gradient that is not finite ends the run with a sentence, and keeps the state from before."""

from pathlib import Path

import pytest
import torch
from endurance.programs import digests, experiment_of, hardware, sentence_of

import e2kd_lab as lab
from e2kd_lab.methods import Distiller
from e2kd_lab.models.checkpoints import read_checkpoint
from e2kd_lab.runs import Run
from e2kd_lab.system.errors import TrainingError


def train_to_nan(experiment, folder, *, at_step, what):
    """Train with a loss or gradient of nan at a step, caused from outside; then resume."""
    forward, calls = Distiller.forward, []

    def disturbed(self, *arguments, **options):
        calls.append(1)
        losses = forward(self, *arguments, **options)
        if len(calls) != at_step:
            return losses
        if what == "loss":
            return {**losses, "loss": losses["loss"] * torch.nan}
        losses["loss"].register_hook(lambda gradient: gradient * torch.nan)
        return losses

    Distiller.forward = disturbed
    wanted = experiment_of(experiment)
    sentence = sentence_of(lambda: lab.run(wanted, folder=folder, hardware=hardware(), progress=False))
    run = Run(Path(folder) / wanted.run_name())
    state = read_checkpoint(run.folder / "last.ckpt")
    finite = all(bool(value.isfinite().all()) for value in state["model"].values())
    failed = {"status": run.status, "error": run.error, "step": state["state"]["step"], "finite": finite}
    run.load_model() if wanted.select == "last" else None
    lab.run(wanted, folder=folder, hardware=hardware(), progress=False)
    return {"sentence": sentence, "failed": failed, "status": run.status, "digests": digests(run.folder)}


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("at_step", [1, 7, 24])
def test_trouble_from_outside_is_overcome(forks, student, undisturbed, tmp_path, what, at_step):
    seen = forks.call(train_to_nan, experiment=student, folder=str(tmp_path), at_step=at_step, what=what)
    failed = seen["failed"]
    named = "The loss of" if what == "loss" else "The weights of"
    for sentence in (seen["sentence"], failed["error"]):
        assert sentence.startswith(named)
        assert "expected a finite number" in sentence
    assert failed["status"] == "failed"
    # The state of before the trouble.
    assert failed["step"] == at_step - 1
    assert failed["finite"]
    assert seen["status"] == "done"
    assert seen["digests"] == undisturbed["digests"]


def test_a_lower_learning_rate_goes_on_from_the_state_of_before(tiny, runs, tmp_path):
    teacher = runs / tiny.teacher_experiment().run_name() / "last.ckpt"
    base = tiny.replace(method="baseline", teacher_weights=str(teacher), epochs=4)
    wild = base.replace(lr=1e30, warmup_epochs=0.0, clip_norm=None)
    with pytest.raises(TrainingError, match="expected a finite number"):
        lab.run(wild, folder=tmp_path, progress=False)
    failed = Run(tmp_path / wild.run_name())
    assert failed.status == "failed"
    before = failed.load_model().state_dict()
    assert all(value.isfinite().all() for value in before.values())
    calm = base.replace(student_weights=str(failed.folder / "last.ckpt"))
    run = lab.run(calm, folder=tmp_path, progress=False)
    assert run.status == "done"
    after = run.load_model().state_dict()
    assert not any(torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))
