"""State dicts as training programs wrap them: prefixes of keys, containers, copies, and what to choose where."""

import re
import time
import warnings
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel

from e2kd_lab import build_model
from e2kd_lab.models.checkpoints import load_weights, state_dict_of, weights_fingerprint
from e2kd_lab.models.state_dict_search import find_state_dict
from e2kd_lab.models.state_dicts import load_state
from e2kd_lab.system.errors import CheckpointError, LabNote
from e2kd_lab.training.checkpoint import save_checkpoint

PREFIXES = (
    "_orig_mod.", "module.", "_forward_module.", "model.", "net.", "network.", "backbone.", "encoder.", "student.",
    "teacher.", "0.", "model.0.",
)  # fmt: skip
CONTAINERS = (
    "model", "state_dict", "model_state_dict", "state_dict_ema", "model_ema", "ema_state_dict", "module", "net",
    "network", "weights", "params",
)  # fmt: skip


class Network(nn.Module):
    def __init__(self, classes=2, width=4):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))
        self.fc = nn.Linear(width, classes)


def random_network(classes=2, width=4):
    network = Network(classes, width)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.normal_()
    return network


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def with_prefix(state, prefix):
    return {prefix + key: value for key, value in state.items()}


def loads(tmp_path, content, model, choice="", **options):
    torch.save(content, tmp_path / "file.pt")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        load_weights(model, "acme", str(tmp_path / "file.pt") + choice, **options)
    return [str(note.message) for note in said if note.category is LabNote]


def refusal(tmp_path, content, model=None, choice=""):
    model = model or random_network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"file\.pt") as error:
        loads(tmp_path, content, model, choice)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert str(error.value).endswith(".")
    return str(error.value).replace(str(tmp_path / "file.pt"), "file.pt")


@pytest.mark.parametrize("prefix", ["", *PREFIXES, "module._orig_mod.", "_orig_mod.module.", "a.b.c.d.e."])
@pytest.mark.parametrize("container", ["", *CONTAINERS])
def test_every_prefix_in_every_container_loads(tmp_path, prefix, container):
    theirs, ours = random_network(), random_network()
    state = with_prefix(theirs.state_dict(), prefix)
    content = {"epoch": 3, container: state, "optimizer": {"state": {}, "param_groups": []}} if container else state
    assert loads(tmp_path, content, ours) == []
    assert same(theirs, ours)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(PREFIXES), max_size=4),
    st.lists(st.sampled_from(CONTAINERS), max_size=3),
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    st.sampled_from([dict, OrderedDict]),
    st.booleans(),
    st.booleans(),
)
def test_any_chain_of_wrappers_round_trips(tmp_path_factory, prefixes, containers, dtype, kind, counted, bare):
    theirs, ours = random_network().to(dtype), random_network()
    state = kind(with_prefix(theirs.state_dict(), "".join(prefixes)))
    if not counted:
        state = kind((key, value) for key, value in state.items() if not key.endswith("num_batches_tracked"))
    for container in containers:
        state = {container: state} if bare else {"epoch": 1, container: state, "n_averaged": torch.tensor(3)}
    assert loads(tmp_path_factory.mktemp("chain"), state, ours) == []
    theirs.float()
    assert same(theirs, ours)


def test_networks_inside_others_load_files_of_the_bare_network_and_the_reverse(tmp_path):
    for outer in ("0.", "network.", "model.body."):
        theirs, inner = random_network(), random_network()
        ours = inner
        for name in reversed(outer.rstrip(".").split(".")):
            ours = nn.ModuleDict({name: ours})
        assert next(iter(ours.state_dict())).startswith(outer)
        for content in (theirs.state_dict(), {"model": with_prefix(theirs.state_dict(), "module.")}):
            assert loads(tmp_path, content, ours) == []
            assert same(theirs, inner)


def test_parts_beside_the_network_are_left_aside_and_counted_once(tmp_path):
    theirs, ours = random_network(), random_network()
    others = {"criterion.weight": torch.ones(2), "criterion.bias": torch.ones(2), "projector.weight": torch.ones(3)}
    said = loads(tmp_path, {"state_dict": {**with_prefix(theirs.state_dict(), "student."), **others}}, ours)
    assert same(theirs, ours)
    assert len(said) == 1
    assert "file.pt: the weights under 'student.' were loaded; 3 other tensors, under 'criterion.'" in said[0]
    assert said[0].endswith("and 'projector.', were left aside.")


def test_two_networks_that_fit_are_not_guessed_between(tmp_path):
    student, teacher, ours = random_network(), random_network(), random_network()
    state = {
        **with_prefix(student.state_dict(), "student."),
        **with_prefix(teacher.state_dict(), "teacher."),
        "criterion.weight": torch.ones(2),
    }
    assert refusal(tmp_path, state) == (
        "file.pt holds several state dicts that fit Network: 'student' and 'teacher'; "
        'choose one, for instance weights="file.pt::teacher".'
    )
    assert "'state_dict.student' and 'state_dict.teacher'" in refusal(tmp_path, {"state_dict": state})
    for choice, expected in (("student", student), ("teacher", teacher), ("teacher.", teacher)):
        assert loads(tmp_path, state, ours, f"::{choice}") == []
        assert same(expected, ours)
        loads(tmp_path, {"state_dict": state}, ours, f"::state_dict.{choice}")
        assert same(expected, ours)


def test_a_teacher_of_other_shapes_is_no_choice(tmp_path):
    student, ours = random_network(), random_network()
    for other in (random_network(classes=7), random_network(width=5)):
        state = {**with_prefix(other.state_dict(), "teacher."), **with_prefix(student.state_dict(), "student.")}
        said = loads(tmp_path, state, ours)
        assert same(student, ours)
        assert "under 'student.' were loaded; 9 other tensors, under 'teacher.', were left aside" in said[0]


def test_averaged_copies_are_chosen_by_name(tmp_path):
    plain, averaged, ours = random_network(), random_network(), random_network()
    content = {"model": plain.state_dict(), "args": {"lr": 0.1}, "extra": {"ema_state_dict": averaged.state_dict()}}
    message = refusal(tmp_path, content)
    assert "several state dicts that fit Network: 'model' and 'extra.ema_state_dict'; choose one" in message
    assert message.endswith('weights="file.pt::extra.ema_state_dict".')
    for choice, expected in (("model", plain), ("extra.ema_state_dict", averaged), ("extra", averaged)):
        loads(tmp_path, content, ours, f"::{choice}")
        assert same(expected, ours)


def test_nameless_parts_are_no_choice(tmp_path):
    content = {"": random_network().state_dict(), **with_prefix(random_network().state_dict(), ".")}
    assert refusal(tmp_path, content).endswith("and one at its top; expected one.")


def test_the_same_tensors_under_two_names_are_one_state_dict(tmp_path):
    theirs, ours = random_network(), random_network()
    state = theirs.state_dict()
    content = {"state_dict": state, "model": dict(state), "method": with_prefix(state, "student."), "again": state}
    assert loads(tmp_path, content, ours) == []
    assert same(theirs, ours)


def test_averaged_and_compiled_networks_load_as_torch_saves_them(tmp_path):
    theirs, ours = random_network(), random_network()
    averaged = AveragedModel(theirs)
    for wrapped in (averaged, nn.DataParallel(theirs), torch.compile(theirs), torch.compile(nn.DataParallel(theirs))):
        assert loads(tmp_path, {"model": wrapped.state_dict()}, ours) == []
        assert same(theirs, ours)
        assert loads(tmp_path, with_prefix(wrapped.state_dict(), "module."), ours) == []


def test_counts_may_be_missing_or_beside(tmp_path):
    theirs, ours = random_network(), random_network()
    ours.layer[1].num_batches_tracked += 7
    state = {key: value for key, value in theirs.state_dict().items() if "num_batches" not in key}
    counts = {"total_ops": torch.ones(1), "layer.0.total_ops": torch.ones(1), "fc.total_params": torch.ones(1)}
    assert loads(tmp_path, {"state_dict": {**state, **counts, "epoch": 3}}, ours) == []
    assert all(torch.equal(ours.state_dict()[key], value) for key, value in state.items())
    assert ours.layer[1].num_batches_tracked == 7
    load_state(ours, {**state, **counts}, "a state")


def test_unknown_and_missing_keys_are_listed_under_the_networks_names(tmp_path):
    state = with_prefix(random_network().state_dict(), "module.")
    assert "'extra' is not in the model" in refusal(tmp_path, {"model": {**state, "module.extra": torch.ones(1)}})
    del state["module.fc.weight"]
    message = refusal(tmp_path, {"model": state})
    assert message.startswith("file.pt does not fit Network: 'fc.weight' is missing; expected the same keys")
    assert "'conv1.weight' is missing" in refusal(tmp_path, {"model": state}, build_model("resnet_mini", 2))


@pytest.mark.parametrize("content", [[1, 2], {"model": {}}, {1: torch.ones(2)}, {"a": [torch.ones(2)]}, torch.ones(2)])
def test_files_without_a_state_dict_are_a_sentence(tmp_path, content):
    assert refusal(tmp_path, content) == (
        "file.pt holds no state dict; expected names with tensors, bare or under 'model'."
    )
    with pytest.raises(CheckpointError, match=r"^a file holds no state dict"):
        state_dict_of(content, "a file")


@pytest.mark.parametrize("choice", ["nothing", "model.nothing", "model.layer.0.weight", "args", "::"])
def test_a_choice_that_is_not_there_says_what_is(tmp_path, choice):
    content = {"model": random_network().state_dict(), "args": 3, "ema": random_network().state_dict()}
    message = refusal(tmp_path, content, choice=f"::{choice}")
    assert re.search(r"holds nothing under '.*'; it holds 'model' and 'ema'\.|is not there", message)


def test_files_and_choices_may_have_colons_and_dots_in_their_names(tmp_path):
    theirs, ours = random_network(), random_network()
    for name in ("a::b.pt", "a::b"):
        torch.save({"ema.decay": {"net": theirs.state_dict()}, "model": random_network().state_dict()}, tmp_path / name)
        load_weights(ours, "acme", f"{tmp_path / name}::ema.decay.net")
        assert same(theirs, ours)
        torch.save(theirs.state_dict(), tmp_path / name)
        load_weights(ours, "acme", str(tmp_path / name))
        assert same(theirs, ours)
    with pytest.raises(CheckpointError, match=r"gone\.pt is not there; expected a checkpoint file\."):
        load_weights(ours, "acme", str(tmp_path / "gone.pt::model"))


def test_fingerprints_name_the_choice(tmp_path):
    torch.save(random_network().state_dict(), tmp_path / "a.pt")
    plain = weights_fingerprint("acme", str(tmp_path / "a.pt"))
    assert re.fullmatch("sha256:[0-9a-f]{64}", plain)
    assert weights_fingerprint("acme", str(tmp_path / "a.pt::student")) == f"{plain}::student"
    with pytest.raises(CheckpointError, match=r"gone\.pt is neither a checkpoint file nor"):
        weights_fingerprint("acme", str(tmp_path / "gone.pt::student"))


class Method(nn.Module):
    def __init__(self, student):
        super().__init__()
        self.student, self.regressor = student, nn.Linear(3, 3)


def test_our_own_training_states_load_without_a_note(tmp_path):
    from e2kd_lab.training.checkpoint import TrainingState

    method, ours = Method(random_network()), random_network()
    optimizer = torch.optim.AdamW(method.parameters())
    sum(parameter.sum() for parameter in method.parameters()).backward()
    optimizer.step()
    save_checkpoint(tmp_path / "last.ckpt", TrainingState(), method, optimizer)
    with warnings.catch_warnings(action="error"):
        load_weights(ours, "acme", str(tmp_path / "last.ckpt"))
    assert same(method.student, ours)


def test_state_dicts_without_a_network_lose_what_wraps_them():
    state = random_network().state_dict()
    for prefix in ("", "module.", "module._orig_mod.", "_orig_mod.module.", "_forward_module."):
        for wrap in (lambda s: s, lambda s: {"model": s}, lambda s: {"state_dict": {"model": s}}, lambda s: {"ema": s}):
            assert state_dict_of(wrap(with_prefix(state, prefix)), "a file").keys() == state.keys()
    with pytest.raises(
        CheckpointError, match="a file holds several state dicts, 'a' and 'b'; expected one, or 'model'"
    ):
        state_dict_of({"a": state, "b": random_network().state_dict()}, "a file")


@pytest.mark.parametrize("name", ["bcos_resnet_mini", "bcos_vit_mini", "bcos_densenet_mini", "resnet_mini"])
def test_classifiers_of_our_networks_are_found(name):
    check_classifier(build_model(name, 7), build_model(name, 3), 3)


@pytest.mark.parametrize(
    "name", ["mobilenet_v3_small", "squeezenet1_1", "vit_b_32", "efficientnet_b0", "convnext_tiny"]
)
def test_classifiers_of_torchvision_are_found(name):
    import torchvision

    with torch.device("meta"):
        ours, theirs = (getattr(torchvision.models, name)(num_classes=number) for number in (3, 7))
    check_classifier(theirs, ours, 3)


@pytest.mark.parametrize(
    "name",
    ["resnet18", "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "mobilenetv3_small_050", "convnext_atto",
     "swin_tiny_patch4_window7_224", "regnetx_002", "densenet121"],
)  # fmt: skip
def test_classifiers_of_timm_are_found(name):
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        ours, theirs = (timm.create_model(name, num_classes=number) for number in (3, 7))
    check_classifier(theirs, ours, 3)


def check_classifier(theirs, ours, classes):
    from e2kd_lab.models.state_dicts import with_own_classifier

    own, state = ours.state_dict(), theirs.state_dict()
    merged = with_own_classifier(ours, state)
    assert {key: value.shape for key, value in merged.items()} == {key: value.shape for key, value in own.items()}
    kept = [key for key in own if merged[key] is own[key] or merged[key] is not state[key]]
    assert kept
    assert all(own[key].shape[0] == classes for key in kept)


def test_another_width_is_no_other_classifier(tmp_path):
    with pytest.raises(CheckpointError, match=r"'layer\.0\.weight' has shape \(5, 3, 1, 1\), expected \(4, 3, 1, 1\)"):
        loads(tmp_path, random_network(width=5).state_dict(), random_network(), any_classifier=True)


def test_many_and_deep_mappings_are_searched_quickly():
    deep, wide = random_network().state_dict(), {str(number): {"a": torch.ones(1)} for number in range(1000)}
    start = time.perf_counter()
    for _ in range(10):
        deep = {"x": deep, "y": deep, "w": wide}
    with pytest.raises(CheckpointError):
        load_state(random_network(), find_state_dict(random_network(), deep, "a file"), "a file")
    key = "a." * 100_000 + "layer.0.weight"
    assert find_state_dict(random_network(), {key: torch.ones(1)}, "a file").keys() == {"layer.0.weight"}
    assert time.perf_counter() - start < 5
