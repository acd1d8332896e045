import hashlib
import io
import pickle
import re
import sys
import warnings
import zipfile

import pytest
import torch
from torchvision.models import DenseNet169_Weights, ResNet18_Weights

from e2kd_lab import build_model
from e2kd_lab.cli.commands import main
from e2kd_lab.models.checkpoints import load_weights, weights_fingerprint
from e2kd_lab.system.errors import CheckpointError


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model": state, "epochs": 3},
        lambda state: {"state_dict": state},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"model": {f"0.{key}": value for key, value in state.items()}},
    ],
    ids=["bare", "model", "state_dict", "module.", "0."],
)
def test_loads_files_in_the_usual_wrappings(tmp_path, wrap):
    model = build_model("resnet_mini", 2)
    torch.save(wrap(model.state_dict()), tmp_path / "file.pt")
    assert same(model, build_model("resnet_mini", 2, weights=str(tmp_path / "file.pt")))


@pytest.mark.parametrize("name", ["bcos_resnet_mini", "bcos_vit_mini"])
def test_bcos_files_load_with_and_without_the_prefix_of_a_sequence(tmp_path, name):
    model = build_model(name, 3)
    bare = {key.removeprefix("0."): value for key, value in model.state_dict().items()}
    for number, state in enumerate([bare, {f"0.{key}": value for key, value in bare.items()}]):
        file = tmp_path / f"{number}.pth"
        torch.save({"model": state, "epochs": 50, "F-Score": 0.7}, file)  # as guided teachers are published
        assert same(model, build_model(name, 3, weights=str(file)))


@pytest.mark.parametrize("name", ["resnet_mini", "bcos_resnet_mini", "bcos_vit_mini", "bcos_densenet_mini"])
def test_a_file_with_another_classifier_is_good_to_start_from_only(tmp_path, name):
    pretrained, model = build_model(name, 7), build_model(name, 3)
    torch.save(pretrained.state_dict(), tmp_path / "seven.pth")
    with pytest.raises(CheckpointError, match=r"has shape \(7, .*expected \(3, "):
        load_weights(model, name, str(tmp_path / "seven.pth"))
    load_weights(model, name, str(tmp_path / "seven.pth"), any_classifier=True)
    differing = [
        key for key, value in pretrained.state_dict().items() if not torch.equal(value, model.state_dict()[key])
    ]
    assert differing
    assert all(key.split(".")[-2] in ("fc", "classifier", "linear") for key in differing)
    assert all(model.state_dict()[key].shape[0] == 3 for key in differing)


def test_lists_the_first_keys_that_do_not_fit(tmp_path):
    state = build_model("resnet_mini", 3).state_dict()
    state["extra.weight"] = state.pop("conv1.weight")
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(CheckpointError) as error:
        build_model("resnet_mini", 2, weights=str(tmp_path / "other.pt"))
    message = str(error.value)
    assert "'conv1.weight' is missing" in message
    assert "'extra.weight' is not in the model" in message
    assert "'fc.weight' has shape (3, 64), expected (2, 64)" in message


class Malicious:
    """Unpickled without care it makes a file, which stands for anything else."""

    def __reduce__(self):
        return (open, ("was-executed", "w"))


@pytest.mark.parametrize("command", [None, "evaluate", "train"])
@pytest.mark.parametrize("content", [Malicious(), {"model": {"a": [{"b": Malicious()}]}}], ids=["bare", "nested"])
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_what_a_file_says_is_never_executed(tmp_path, monkeypatch, capsys, workspace, command, content, form):
    monkeypatch.chdir(tmp_path)
    if form == "pickle":
        (tmp_path / "bad.pt").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, "bad.pt", _use_new_zipfile_serialization=form == "zip")
    sentence = _sentence_about("bad.pt", command, monkeypatch, capsys)
    says = (
        "was pickled in a way that cannot be read"
        if form == "pickle"
        else r"function _?io\.open, and loading them could"
    )
    assert sentence.startswith("bad.pt ")
    assert re.search(says, sentence)
    assert not (tmp_path / "was-executed").exists()
    torch.load("bad.pt", weights_only=False) if form != "pickle" else pickle.loads((tmp_path / "bad.pt").read_bytes())
    assert (tmp_path / "was-executed").exists()  # so it would have been


def _other_dtype(state, convert):
    return {key: convert(value) if value.is_floating_point() else value for key, value in state.items()}


@pytest.mark.parametrize("command", [None, "evaluate", "train"])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda whole: b"", "cannot be read"),
        (lambda whole: whole[: len(whole) // 2], "cannot be read"),
        (lambda whole: b"not a checkpoint at all", "cannot be read|damaged"),
        (lambda whole: b"\x80\x02.", "cannot be read"),  # a stack with nothing on it
        (lambda whole: b"\x80\x02X\xff", "cannot be read|damaged"),  # a text that ends within its length
        (lambda whole: b"\x80\x02garbage", "cannot be read|damaged"),
        (lambda whole: _compressed(10_000_000), "unpacks to 10.0 MB, more than four times its size"),
        (lambda whole: _saved([1, 2]), "holds no state dict"),
        (lambda whole: _saved({1: torch.ones(2)}), "holds no state dict"),
        (lambda whole: _saved({"model": {**_state(), "a\nb": torch.ones(2)}}), "'a b' is not in the model"),
        (lambda whole: _saved(build_model("bcos_resnet_mini", 2).state_dict()), "is missing"),
        (lambda whole: _saved(_other_dtype(_state(), torch.Tensor.cfloat)), "of torch.complex64, expected plain real"),
        (lambda whole: _saved(_other_dtype(_state(), torch.Tensor.to_sparse)), "torch.sparse_coo of torch.float32"),
    ],
)
def test_damaged_and_foreign_files_are_a_sentence(tmp_path, monkeypatch, capsys, workspace, command, make, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pt").write_bytes(make(_saved(_state())))
    sentence = _sentence_about("bad.pt", command, monkeypatch, capsys)
    assert sentence.startswith("bad.pt")
    assert re.search(says, sentence)
    assert sentence.isprintable()


def test_half_precision_is_not_foreign(tmp_path):
    (tmp_path / "half.pt").write_bytes(_saved(_other_dtype(_state(), torch.Tensor.half)))
    assert build_model("resnet_mini", 2, weights=str(tmp_path / "half.pt")).conv1.weight.dtype == torch.float32


def _state():
    torch.manual_seed(0)
    return build_model("resnet_mini", 2).state_dict()


def _saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _compressed(size):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(size))
    return file.getvalue()


def _sentence_about(file, command, monkeypatch, capsys):
    """What is said about a file: by `build_model`, or by a command as its only line on standard error."""
    if command is None:
        with pytest.raises(CheckpointError) as error:
            build_model("resnet_mini", 2, weights=file)
        return str(error.value)
    more = ["--teacher", file, "--runs", "runs"] if command == "train" else [file]
    monkeypatch.setattr(sys, "argv", ["e2kd-lab", command, "waterbirds", *more, "--scale", "smoke"])
    with warnings.catch_warnings(action="ignore"), pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert capsys.readouterr().err.count("Traceback") == 0
    return str(end.value.__context__)


def test_refuses_truncated_and_missing_files(tmp_path):
    torch.save(build_model("resnet_mini", 2).state_dict(), tmp_path / "whole.pt")
    content = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"half\.pt"):
        build_model("resnet_mini", 2, weights=str(tmp_path / "half.pt"))
    with pytest.raises(CheckpointError, match=r"gone\.pt is neither|gone\.pt is not there"):
        build_model("resnet_mini", 2, weights=str(tmp_path / "gone.pt"))
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="no state dict"):
        build_model("resnet_mini", 2, weights=str(tmp_path / "list.pt"))


@pytest.mark.parametrize(
    ("name", "weights"),
    [("resnet18", ResNet18_Weights.IMAGENET1K_V1), ("densenet169", DenseNet169_Weights.IMAGENET1K_V1)],
)
def test_published_weights_initialise_all_but_another_classifier(tmp_path, monkeypatch, name, weights):
    """torch finds a file of the published name in its cache and does not download it; this one is random."""
    state = build_model(name, 1000).state_dict()
    if name == "densenet169":  # published under the names of an older torchvision
        state = {
            ".".join(key.rsplit(".", 2)[0:1]) + "." + old + "." + key.rsplit(".", 1)[1]
            if "denselayer" in key and (old := _old_name(key.rsplit(".", 2)[1]))
            else key: value
            for key, value in state.items()
        }
        assert any("norm.1" in key for key in state)
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / weights.url.rsplit("/", 1)[1])
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    whole = build_model(name, 1000, weights="IMAGENET1K_V1")
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), state.values(), strict=True))
    other = build_model(name, 2, weights="IMAGENET1K_V1")
    head = other.pooled_linear_head()
    assert head.out_features == 2
    body = [key for key in other.state_dict() if not key.startswith(("fc.", "classifier."))]
    assert all(torch.equal(other.state_dict()[key], whole.state_dict()[key]) for key in body)
    assert weights_fingerprint(name, "IMAGENET1K_V1") == f"{name}:IMAGENET1K_V1"


def test_fingerprint_of_a_file_is_its_content(tmp_path):
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(b"same")
    (tmp_path / "c.pt").write_bytes(b"other")
    a, b, c = (weights_fingerprint("resnet_mini", str(tmp_path / n)) for n in ("a.pt", "b.pt", "c.pt"))
    assert a == b != c
    assert a == "sha256:" + hashlib.sha256(b"same").hexdigest()  # names of finished runs depend on it
    with pytest.raises(CheckpointError, match="neither a checkpoint file nor one of torchvision's weights"):
        weights_fingerprint("resnet18", "IMAGENET9K")


def _old_name(layer):
    return {"norm1": "norm.1", "norm2": "norm.2", "conv1": "conv.1", "conv2": "conv.2"}.get(layer)
