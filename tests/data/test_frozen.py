import dataclasses
import json
import os
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.data import frozen
from e2kd_lab.data.frozen import FrozenTeacher, FrozenWriter
from e2kd_lab.data.frozen_arrays import CODES, ENDS, LOGITS, MAPS
from e2kd_lab.data.frozen_manifest import MANIFEST
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.frozen_verified import VERIFIED, verified_once
from e2kd_lab.system.errors import DataError

checksum = frozen.checksum_of
FILES = [f"a/{number}.jpg" for number in range(10)]


SPEC = FrozenSpec(teacher="t", data="d", view=16, channels=6, classes=3)


def content(rows):
    generator = torch.Generator().manual_seed(rows.start)
    logits = torch.randn(len(rows), 3, generator=generator)
    return logits, 1e-6 * torch.randn(len(rows), 6, 16, 16, generator=generator)


def freeze(folder, *, spec=SPEC, stop_after=None):
    writer = FrozenWriter(folder, spec, FILES, chunk=4)
    for done, rows in enumerate(writer.missing()):
        if done == stop_after:
            return
        writer.write(rows, *content(rows))


def test_what_is_written_is_read(tmp_path):
    freeze(tmp_path / "cache")
    cache = FrozenTeacher(tmp_path / "cache", teacher="t", data="d")
    logits, maps = content(range(4, 8))
    assert len(cache) == 10
    torch.testing.assert_close(cache.logits("a/5.jpg"), logits[1])
    # Half precision alone would lose weights as small as these.
    cosine = torch.nn.functional.cosine_similarity(cache.map("a/5.jpg").flatten(), maps[1].flatten(), dim=0)
    assert cosine > 0.99999
    assert cache.map("a/5.jpg").abs().max() == 1
    with pytest.raises(DataError, match="has no image 'b'"):
        cache.map("b")


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_an_interrupted_writer_goes_on(tmp_path, chunks):
    freeze(tmp_path / "whole")
    freeze(tmp_path / "cache", stop_after=chunks)
    with pytest.raises(DataError, match=f"{4 * chunks} of 10 images are frozen"):
        FrozenTeacher(tmp_path / "cache")
    # What was being written when the process died is written again.
    array = np.load(tmp_path / "cache" / MAPS, mmap_mode="r+")
    array[4 * chunks] = 7
    array.flush()
    freeze(tmp_path / "cache")
    for name in (LOGITS, MAPS, MANIFEST):
        assert (tmp_path / "cache" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_chunk_that_was_lost_is_written_again(tmp_path):
    freeze(tmp_path / "cache", stop_after=2)
    array = np.load(tmp_path / "cache" / LOGITS, mmap_mode="r+")
    array[5] = 0
    array.flush()
    freeze(tmp_path / "cache")
    FrozenTeacher(tmp_path / "cache")


def test_a_cache_is_read_completely_once_and_after_each_change(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    freeze(folder)
    summed = []
    monkeypatch.setattr(frozen, "checksum_of", lambda arrays, rows: (summed.append(rows), checksum(arrays, rows))[1])
    for _ in range(3):
        verified_once(folder)
    assert len(summed) == 3  # all chunks, by the first one
    (folder / VERIFIED).write_text("[" * 5)
    verified_once(folder)
    assert len(summed) == 6
    array = np.load(folder / MAPS, mmap_mode="r+")
    array[9] += 1
    array.flush()
    os.utime(folder / MAPS)  # files that were written a moment ago may still have the same time
    for _ in range(2):  # a damaged one is not taken for a sound one later
        with pytest.raises(DataError, match="images 8 to 9: the stored values are damaged"):
            verified_once(folder)


def test_what_does_not_fit_is_refused(tmp_path):
    folder = tmp_path / "cache"
    freeze(folder)
    with pytest.raises(DataError, match=r"frozen with another teacher \(t\); expected other"):
        FrozenTeacher(folder, teacher="other")
    with pytest.raises(DataError, match="frozen with another data set"):
        FrozenTeacher(folder, data="other")
    with pytest.raises(DataError, match="holds another frozen teacher"):
        freeze(folder, spec=FrozenSpec(teacher="u", data="d", view=16, channels=6, classes=3))
    array = np.load(folder / MAPS, mmap_mode="r+")
    array[9, 0, 0, 0] += 1
    array.flush()
    with pytest.raises(DataError, match="images 8 to 9: the stored values are damaged"):
        FrozenTeacher(folder)
    (folder / MAPS).write_bytes((folder / MAPS).read_bytes()[:500])
    with pytest.raises(DataError, match=r"maps\.npy is damaged"):
        FrozenTeacher(folder)
    with pytest.raises(DataError, match="is not there"):
        FrozenTeacher(tmp_path / "nowhere")


LEAVES = st.none() | st.integers() | st.text(max_size=5)


DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner))


SPECS = st.fixed_dictionaries(dict.fromkeys(FrozenSpec.__dataclass_fields__, LEAVES))


@given(DOCUMENTS | SPECS)
def test_no_manifest_ends_in_anything_but_the_readers_own_error(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("cache")
    manifest = {"version": 1, "spec": value, "files": "x", "count": 1, "chunk": 1, "checksums": ["x"]}
    for document in (value, manifest):
        (folder / MANIFEST).write_text(json.dumps(document))
        with pytest.raises(DataError):
            FrozenTeacher(folder)


def test_a_disk_without_space_is_a_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(DataError, match=r"logits\.npy needs .* GB, which cannot be reserved: No space left"):
        freeze(tmp_path / "cache")
    assert not (tmp_path / "cache" / MANIFEST).exists()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([[], *FILES[1:]], "is not the list"),
        (["\ud800", *FILES[1:]], "is not the list"),
        (FILES[:-1], "is not the list"),
        (dict.fromkeys(FILES), "is not the list"),
    ],
)
def test_another_list_of_files_is_refused(tmp_path, files, says):
    freeze(tmp_path)
    (tmp_path / "files.json").write_text(json.dumps(files))
    with pytest.raises(DataError, match=rf"files\.json {says}"):
        FrozenTeacher(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("classes", 4), ("channels", 3), ("view", 8), ("dtype", "float32"), ("reduction", 2)]
)
def test_arrays_that_the_manifest_does_not_describe_are_refused(tmp_path, field, value):
    freeze(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    manifest["spec"][field] = value
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"\.npy holds float\d\d .*; expected float\d\d .*, as the manifest says"):
        FrozenTeacher(tmp_path, verify=False)


@pytest.mark.parametrize("value", ["16", None, True, 0, -16, 10**30, [16], 16.0])
def test_sizes_that_are_no_sizes_name_the_manifest(tmp_path, value):
    freeze(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    manifest["spec"]["view"] = value
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"manifest\.json: 'spec' is wrong \('view'"):
        FrozenTeacher(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(10, 3)", b"(" * 7),  # the parser's own error
        (b"'<f4'", b"',f4'"),
        (b"(10, 3)", b"(9999999999999999999999, 0)"),
        (b"(10, 3)", b"()"),
        (b"'<f4'", b"'|O8'"),
        (b"\x93NUMPY", b"PK\x03\x04.."),
    ],
)
def test_headers_of_arrays_that_make_no_sense_are_named(tmp_path, old, new):
    freeze(tmp_path)
    content = (tmp_path / LOGITS).read_bytes()
    length = 10 + int.from_bytes(content[8:10], "little")
    header = content[:length].replace(old, new)
    header = header.rstrip()[: length - 1].ljust(length - 1) + b"\n"
    (tmp_path / LOGITS).write_bytes(header + content[length:])
    for use in (FrozenTeacher, lambda folder: FrozenWriter(folder, SPEC, FILES)):
        with pytest.raises(DataError, match=r"logits\.npy (is damaged|holds)"):
            use(tmp_path)


CODED = ("q6", "cos0.99", "cos0.999")


@pytest.mark.parametrize("code", CODED)
@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_an_interrupted_writer_of_codes_goes_on(tmp_path, chunks, code):
    spec = dataclasses.replace(SPEC, dtype=code)
    freeze(tmp_path / "whole", spec=spec)
    freeze(tmp_path / "cache", spec=spec, stop_after=chunks)
    # What was being written when the process died is cut off.
    with (tmp_path / "cache" / CODES).open("ab") as file:
        file.write(b"half of a chunk")
    freeze(tmp_path / "cache", spec=spec)
    for name in (LOGITS, ENDS, CODES, MANIFEST):
        assert (tmp_path / "cache" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "cache" / MAPS).exists()


@pytest.mark.parametrize("code", CODED)
def test_codes_are_read_by_image_in_any_order(tmp_path, code):
    freeze(tmp_path, spec=dataclasses.replace(SPEC, dtype=code))
    cache = FrozenTeacher(tmp_path)
    maps = torch.cat([content(rows)[1] for rows in (range(4), range(4, 8), range(8, 10))])
    for row in (9, 0, 4, 3):
        read = cache.map(FILES[row])
        assert read.abs().max() == 1
        assert torch.nn.functional.cosine_similarity(read.flatten(), maps[row].flatten(), dim=0) > 0.989


def test_a_cache_is_opened_anew_in_another_process(tmp_path):
    freeze(tmp_path, spec=dataclasses.replace(SPEC, dtype="q6"))
    cache = FrozenTeacher(tmp_path)
    sent = pickle.dumps(cache)
    assert len(sent) < 1000
    torch.testing.assert_close(pickle.loads(sent).map("a/5.jpg"), cache.map("a/5.jpg"))


@pytest.mark.parametrize("name", [CODES, ENDS, LOGITS])
def test_damaged_codes_are_noticed_and_written_again(tmp_path, name):
    spec, folder = dataclasses.replace(SPEC, dtype="q6"), tmp_path / "cache"
    freeze(tmp_path / "whole", spec=spec)
    freeze(folder, spec=spec)
    content = bytearray((folder / name).read_bytes())
    content[-10] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match="images 8 to 9: the stored values are damaged"):
        FrozenTeacher(folder)
    freeze(folder, spec=spec)
    assert (folder / CODES).read_bytes() == (tmp_path / "whole" / CODES).read_bytes()
    FrozenTeacher(folder)


def test_codes_that_end_early_name_the_image(tmp_path):
    freeze(tmp_path, spec=dataclasses.replace(SPEC, dtype="q6"))
    (tmp_path / CODES).write_bytes((tmp_path / CODES).read_bytes()[:-5])
    cache = FrozenTeacher(tmp_path, verify=False)
    cache.map("a/8.jpg")
    with pytest.raises(DataError, match=r"image 'a/9\.jpg': A code of a map .*Freeze it again"):
        cache.map("a/9.jpg")
    (tmp_path / CODES).unlink()
    with pytest.raises(DataError, match=r"maps\.bin is not there; expected the codes"):
        FrozenTeacher(tmp_path)


def test_room_for_all_codes_is_asked_for_after_the_first(tmp_path, monkeypatch):
    spec = dataclasses.replace(SPEC, dtype="q6")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(DataError, match=r"needs another 0\.00 GB for 6 images, as long as the first 4"):
        freeze(tmp_path, spec=spec)
    monkeypatch.undo()
    assert list(FrozenWriter(tmp_path, spec, FILES, chunk=4).missing()) == [range(4, 8), range(8, 10)]


def test_a_full_disk_is_a_sentence(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    writer = FrozenWriter(tmp_path, dataclasses.replace(SPEC, dtype="q6"), FILES, chunk=4)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match=r"maps\.bin cannot be written to: No space left"):
        writer.write(range(4), *content(range(4)))


@pytest.mark.parametrize("dtype", ["float16", "q6"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_explanations_that_are_no_numbers_are_refused(tmp_path, dtype, wrong):
    writer = FrozenWriter(tmp_path, dataclasses.replace(SPEC, dtype=dtype), FILES, chunk=4)
    logits, maps = content(range(4))
    maps[2, 1, 0, 0] = wrong
    with pytest.raises(DataError, match=r"explanation of a/2\.jpg holds inf or nan"):
        writer.write(range(4), logits, maps)


@pytest.mark.parametrize("dtype", ["q9", "cos2", "float8", 6, None])
def test_other_forms_are_refused(dtype):
    with pytest.raises(DataError, match=r"cannot be stored as .*; expected float16, float32, q2 to q8, or cos0"):
        dataclasses.replace(SPEC, dtype=dtype)
