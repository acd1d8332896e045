import pytest

from e2kd_lab.bench import step_costs
from e2kd_lab.bench.step_costs import relative_step_costs


def test_costs_are_of_an_average_step(tiny_bcos, monkeypatch):
    """With a clock that counts losses computed in place of seconds."""
    asked = []

    def step_of(method, optimizer, *batch):
        def step():
            explains = method.name == "e2kd" and batch[-1] % method.explain_every == 0
            asked.append(3.0 if explains else 1.0)

        return step

    def take_turns(contestants, repeats, device):
        seconds = {}
        for name, contestant in contestants.items():
            asked.clear()
            contestant()
            seconds[name] = [sum(asked)] * repeats
        return seconds

    monkeypatch.setattr(step_costs, "step_of", step_of)
    monkeypatch.setattr(step_costs, "take_turns", take_turns)
    e2kd = tiny_bcos.replace(method="e2kd", lam=5.0)
    costs = relative_step_costs([tiny_bcos.replace(method="kd"), e2kd, e2kd.replace(explain_every=4)])
    assert costs == pytest.approx([1, 3, (3 + 3 * 1) / 4])


def test_real_steps_are_timed(tiny_bcos):
    e2kd = tiny_bcos.replace(method="e2kd", lam=5.0)
    experiments = [tiny_bcos.replace(method="kd"), e2kd.replace(explain_every=2), e2kd.replace(explain_part=0.5)]
    costs = relative_step_costs(experiments, repeats=2)
    assert costs[0] == 1
    assert all(cost > 0 for cost in costs)


def test_each_experiment_is_timed_with_its_own_explanation(tiny, monkeypatch):
    """All share the networks, whose own explanation is that of experiments without one."""
    used = []

    def step_of(method, *_):
        return lambda: used.append((method.student.explanation, method.teacher.explanation))

    def take_turns(contestants, repeats, device):
        for contestant in contestants.values():
            contestant()
        return {name: [1.0] * repeats for name in contestants}

    monkeypatch.setattr(step_costs, "step_of", step_of)
    monkeypatch.setattr(step_costs, "take_turns", take_turns)
    e2kd = tiny.replace(method="e2kd", lam=5.0)
    relative_step_costs([e2kd, e2kd.replace(explanation="layercam"), e2kd], repeats=1)
    assert used == [(name, name) for name in ("gradcam", "layercam", "gradcam")]
