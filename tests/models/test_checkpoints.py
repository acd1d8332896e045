import pickle

import pytest
import torch
from torchvision.models import DenseNet169_Weights, ResNet18_Weights

from e2kd_lab import build_model
from e2kd_lab.errors import CheckpointError
from e2kd_lab.models.checkpoints import load_weights, weights_fingerprint


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
    def __reduce__(self):
        return (open, ("was-executed", "w"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pickle.dumps({"model": Malicious()}), "refused because loading them could run code"),
        (b"", "cannot be read|damaged"),
        (b"\x80\x02garbage", "cannot be read|damaged"),
        (b"not a checkpoint at all", "cannot be read|damaged"),
    ],
    ids=["malicious", "empty", "garbage", "text"],
)
def test_refuses_foreign_and_malicious_files(tmp_path, monkeypatch, content, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        build_model("resnet_mini", 2, weights="bad.pt")
    assert not (tmp_path / "was-executed").exists()


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
    with pytest.raises(CheckpointError, match="neither a checkpoint file nor one of torchvision's weights"):
        weights_fingerprint("resnet18", "IMAGENET9K")


def _old_name(layer):
    return {"norm1": "norm.1", "norm2": "norm.2", "conv1": "conv.1", "conv2": "conv.2"}.get(layer)
