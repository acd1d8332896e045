"""Files of weights: the formats, what lies beside the weights, and what is refused without being run."""

import argparse
import collections
import datetime
import io
import json
import os
import pathlib
import pickle
import stat
import sys
import threading
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from e2kd_lab import build_model
from e2kd_lab.models.checkpoints import load_weights, read_checkpoint, save_weights, weights_fingerprint
from e2kd_lab.models.safe_globals import StoredArray, StoredType
from e2kd_lab.system.errors import CheckpointError, RunError

safetensors = pytest.importorskip("safetensors.torch")


def network(width=3):
    return nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def sentence_about(file, model=None):
    with pytest.raises(CheckpointError) as error:
        load_weights(model or network(), "acme", str(file))
    message = str(error.value)
    assert str(file).partition("::")[0] in message
    assert message.endswith(".")
    assert message.isprintable()
    return message


BESIDE = {
    "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/runs"), types=[int, list]),
    "path": pathlib.Path("runs"),
    "windows": pathlib.PureWindowsPath("C:/runs"),
    "best": np.float64(0.5),
    "epoch": np.int64(7),
    "done": np.bool_(True),
    "name": np.str_("e2kd"),
    "matrix": np.arange(6.0).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "empty": np.zeros((0, 4), np.float32),
    "names": np.array(["ab", "c"]),
    "mixed": np.array(["ab", None], dtype=object),
    "big": np.arange(3, dtype=">i4"),
    "type": np.dtype("f4"),
    "log": collections.defaultdict(list, {"loss": [1.0]}),
    "counts": collections.Counter("aab"),
    "order": collections.OrderedDict(a=1),
    "when": datetime.datetime(2024, 1, 2, 3, 4),
    "took": datetime.timedelta(hours=3),
}


@pytest.mark.parametrize("zipped", [True, False])
def test_harmless_classes_may_lie_beside_the_weights(tmp_path, zipped):
    model, other = network(), network()
    torch.save({"model": model.state_dict(), **BESIDE}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    content = read_checkpoint(tmp_path / "a.pt")
    assert isinstance(content["type"], StoredType)
    assert content["type"].dtype() == np.float32
    assert content["args"].lr == 0.1
    assert content["windows"] == BESIDE["windows"]
    for name in ("matrix", "columns", "empty", "names", "mixed", "big"):
        assert np.array_equal(content[name], BESIDE[name])
    for name in ("best", "epoch", "done", "name", "log", "counts", "order", "when", "took"):
        assert content[name] == BESIDE[name]
    load_weights(other, "acme", str(tmp_path / "a.pt"))
    assert same(model, other)


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("paths", ["pathlib", "pathlib._local"])
def test_classes_are_known_by_the_names_of_other_versions_and_systems(tmp_path, core, paths):
    """Paths and numbers as other versions of Python and NumPy, or Windows, write them: by name, in the bytes."""
    content = (
        b"\x80\x02}(U\x01pc" + paths.encode() + b"\nWindowsPath\nU\x03C:/\x85R"
        b"U\x01nc" + core.encode() + b".multiarray\nscalar\ncnumpy\ndtype\nU\x02f4\x89\x88\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"c_codecs\nencode\nX\x05\x00\x00\x00\x00\x00\xc2\x80?X\x06\x00\x00\x00latin1\x86R\x86Ru."
    )
    torch.save({"model": network().state_dict()}, tmp_path / "whole.pt")
    (tmp_path / "old.pt").write_bytes(_with_pickle(tmp_path / "whole.pt", content))
    read = read_checkpoint(tmp_path / "old.pt")
    read = {key.decode() if isinstance(key, bytes) else key: value for key, value in read.items()}
    assert read["n"] == np.float32(1)
    assert str(read["p"]) in ("C:/", "C:\\")


def _with_pickle(path, content):
    """A file of torch with other instructions in it."""
    written = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name.endswith("data.pkl") else old.read(name))
    return written.getvalue()


class Calls:
    """What a malicious file holds: a call that unpickling makes."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, r"posix.system|nt.system"), (eval, "eval"), (exec, "exec"), (os.remove, "posix.remove|nt.remove")],
)
def test_calls_are_refused_by_name_and_never_made(tmp_path, monkeypatch, function, named, zipped):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("")
    command = {os.system: "rm here", os.remove: "here"}.get(function, "__import__('os').remove('here')")
    evil = {"args": Calls(function, command), "model": network().state_dict()}
    torch.save(evil, tmp_path / "evil.pt", _use_new_zipfile_serialization=zipped)
    message = sentence_about(tmp_path / "evil.pt")
    assert "calls of the function " in message
    assert any(f" {name}, and loading them could run code" in message for name in named.split("|"))
    assert "save the state dict alone." in message
    assert "damaged" not in message
    assert (tmp_path / "here").exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert not (tmp_path / "here").exists()  # so it would have been


def test_objects_of_other_classes_are_refused_by_name(tmp_path):
    torch.save(network(), tmp_path / "whole.pt")
    message = sentence_about(tmp_path / "whole.pt")
    assert "objects of the class torch.nn.modules." in message
    assert "loading them could run code" in message
    assert "add_safe_globals" in message


def test_nothing_stays_allowed_and_threads_do_not_disturb_each_other(tmp_path):
    torch.save({"args": BESIDE["args"], "model": network(300).state_dict()}, tmp_path / "a.pt")
    errors, before = [], torch.serialization.get_safe_globals()

    def read():
        try:
            for _ in range(20):
                read_checkpoint(tmp_path / "a.pt")
        except CheckpointError as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert set(torch.serialization.get_safe_globals()) == set(before)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "a.pt", weights_only=True)


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_other_pickles_are_damage_or_another_way_of_pickling(tmp_path, protocol):
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"weight": [1.0]}, protocol))
    message = sentence_about(tmp_path / "plain.pkl")
    assert "is damaged, or was pickled in a way" in message
    assert "with torch.save" in message


@pytest.mark.parametrize(
    "state",
    [
        (1, (2,), ("O8", "|"), False, b"\x01" * 16),  # addresses in place of objects
        (1, (2,), ("O8", "|"), False, [None]),
        (1, (9,), ("f8", "<"), False, b"\x01" * 16),
        (1, (-2,), ("f8", "<"), False, b""),
        (1, (2,), ("V8", "|"), False, b"\x01" * 16),
        (1, (2,), ("f8", "?"), False, b"\x01" * 16),
    ],
)
def test_arrays_take_no_content_of_another_size_or_kind(state):
    array, stored = StoredArray(), StoredType(state[2][0])
    stored.__setstate__((3, state[2][1], None, None, None, -1, -1, 0))
    with pytest.raises(pickle.UnpicklingError):
        array.__setstate__((*state[:2], stored, *state[3:]))
    assert array.shape == (0,)


def test_safetensors_load_whatever_their_suffix(tmp_path):
    model = network()
    for name in ("a.safetensors", "a.pth", "a"):
        safetensors.save_file(model.state_dict(), tmp_path / name)
        other = network()
        load_weights(other, "acme", str(tmp_path / name))
        assert same(model, other)
    torch.save(model.state_dict(), tmp_path / "torch.safetensors")
    other = network()
    load_weights(other, "acme", str(tmp_path / "torch.safetensors"))
    assert same(model, other)


def test_half_precision_safetensors_load(tmp_path):
    for dtype in (torch.float16, torch.bfloat16):
        model, other = network(), network()
        model.to(dtype)
        save_weights(model, tmp_path / "half.safetensors")
        load_weights(other, "acme", str(tmp_path / "half.safetensors"))
        assert same(model.float(), other)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:4],
        lambda whole: b"",
        lambda whole: (2**62).to_bytes(8, "little") + whole[8:],  # a header of exabytes
        lambda whole: (99_000_000).to_bytes(8, "little") + whole[8:],
        lambda whole: whole.replace(b'"F32"', b'"F99"'),
        lambda whole: whole.replace(b'"data_offsets":[0,', b'"data_offsets":[4,'),
    ],
)
def test_damaged_safetensors_are_a_sentence(tmp_path, damage):
    whole = safetensors.save(network().state_dict())
    (tmp_path / "bad.safetensors").write_bytes(damage(whole))
    message = sentence_about(tmp_path / "bad.safetensors")
    assert "is damaged (" in message
    assert "fetch or copy it again" in message


def test_without_safetensors_the_sentence_says_how_to_install_it(tmp_path, monkeypatch):
    save_weights(network(), tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert 'pip install "e2kd-lab[zoo]"' in sentence_about(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=r'install it with: pip install "e2kd-lab\[zoo\]"'):
        save_weights(network(), tmp_path / "b.safetensors")


def folder_with(path, state, kind):
    """A folder as Hugging Face lays it out."""
    path.mkdir()
    (path / "config.json").write_text("{}")
    halves = [dict(list(state.items())[:4]), dict(list(state.items())[4:])]
    if kind == "model.safetensors":
        safetensors.save_file(state, path / kind)
    elif kind == "pytorch_model.bin":
        torch.save(state, path / kind)
    else:
        pattern = "model-{}-of-2.safetensors" if "safetensors" in kind else "pytorch_model-{}-of-2.bin"
        save = safetensors.save_file if "safetensors" in kind else torch.save
        for number, half in enumerate(halves):
            save(half, path / pattern.format(number))
        shards = {key: pattern.format(number) for number, half in enumerate(halves) for key in half}
        (path / kind).write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    return path


FOLDERS = ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json"]


@pytest.mark.parametrize("kind", FOLDERS)
def test_folders_of_hugging_face_load(tmp_path, kind):
    model, other = network(), network()
    folder = folder_with(tmp_path / "hub", model.state_dict(), kind)
    load_weights(other, "acme", str(folder))
    assert same(model, other)
    before = weights_fingerprint("acme", str(folder))
    if kind in FOLDERS[:2]:
        assert before == weights_fingerprint("acme", str(folder / kind))
    (folder / "config.json").write_text("[]")  # is not read
    assert weights_fingerprint("acme", str(folder)) == before
    another = folder_with(tmp_path / "other", network().state_dict(), kind)
    assert weights_fingerprint("acme", str(another)) != before


def test_folders_without_weights_or_shards_are_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    message = sentence_about(tmp_path / "empty")
    assert "is a folder; expected a checkpoint file, or a folder of Hugging Face with one of" in message
    assert "model.safetensors" in message
    folder = folder_with(tmp_path / "hub", network().state_dict(), FOLDERS[2])
    (folder / "model-1-of-2.safetensors").unlink()
    assert "names the shard 'model-1-of-2.safetensors', which is not there" in sentence_about(folder)
    torch.save({}, tmp_path / "outside.bin")
    for name in ("../outside.bin", str(tmp_path / "outside.bin"), "..", ""):
        (folder / FOLDERS[2]).write_text(json.dumps({"weight_map": {"weight": name}}))
        assert "which is not there; expected a file beside it" in sentence_about(folder)
    for content in ("[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": 3}'):
        (folder / FOLDERS[2]).write_text(content)
        assert "names no shards" in sentence_about(folder)
    (folder / FOLDERS[2]).write_text("{")
    assert "cannot be read as JSON" in sentence_about(folder)


def test_written_weights_are_whole_and_say_what_they_are(tmp_path):
    model = network()
    model.tied = model[0]  # shares its memory
    state = {**model.state_dict(), "turned": torch.arange(6.0).reshape(2, 3).T, "part": torch.arange(10)[2:4]}
    save_weights(state, tmp_path / "new" / "a.safetensors", {"method": "e2kd"})
    read = safetensors.load_file(tmp_path / "new" / "a.safetensors")
    assert read.keys() == state.keys()
    assert all(torch.equal(read[key], state[key]) for key in state)
    from safetensors import safe_open

    with safe_open(tmp_path / "new" / "a.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "method": "e2kd"}
    save_weights(model, tmp_path / "b.safetensors")
    other = network()
    other.tied = other[0]
    load_weights(other, "acme", str(tmp_path / "b.safetensors"))
    assert same(model, other)


def test_weights_that_cannot_be_written_leave_the_former_file(tmp_path):
    save_weights(network(), tmp_path / "a.safetensors")
    before = (tmp_path / "a.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match=r"a\.safetensors cannot hold 'z', which is .*complex64"):
        save_weights({"z": torch.ones(2).cfloat()}, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == before
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="folder could not be written"):
        save_weights(network(), tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "folder"]
    assert stat.S_ISREG((tmp_path / "a.safetensors").stat().st_mode)


def test_files_of_other_libraries_load_into_their_networks(tmp_path):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    for name in ("resnet10t", "test_vit", "test_efficientnet"):
        theirs, ours = (timm.create_model(name, num_classes=5) for _ in range(2))
        torch.save({"state_dict": theirs.state_dict(), "args": BESIDE["args"]}, tmp_path / "timm.pth.tar")
        load_weights(ours, name, str(tmp_path / "timm.pth.tar"))
        assert same(theirs, ours)


class Wrapped(nn.Module):
    """A network that another one lies in, as those of other libraries do when they are adapted."""

    def __init__(self, network):
        super().__init__()
        self.network = network


def test_a_vit_of_transformers_loads_its_own_folder(tmp_path):
    """Its files have other names than its modules since transformers 5."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, num_labels=3
    )
    theirs, ours = (transformers.ViTForImageClassification(config) for _ in range(2))
    theirs.save_pretrained(tmp_path / "hub")
    load_weights(ours, "vit", str(tmp_path / "hub"))
    assert same(theirs, ours)
    wrapped = Wrapped(transformers.ViTForImageClassification(config))
    load_weights(wrapped, "vit", str(tmp_path / "hub"))
    assert same(theirs, wrapped)
    save_weights(theirs, tmp_path / "memory.safetensors")
    other = transformers.ViTForImageClassification(config)
    load_weights(other, "vit", str(tmp_path / "memory.safetensors"))
    assert same(theirs, other)
    config.num_labels = 5
    other = transformers.ViTForImageClassification(config)
    load_weights(other, "vit", str(tmp_path / "hub"), any_classifier=True)
    assert other.classifier.out_features == 5
    assert same(theirs.vit, other.vit)


def test_our_own_network_round_trips(tmp_path):
    model = build_model("bcos_resnet_mini", 3)
    save_weights(model, tmp_path / "student.safetensors")
    assert same(model, build_model("bcos_resnet_mini", 3, weights=str(tmp_path / "student.safetensors")))
