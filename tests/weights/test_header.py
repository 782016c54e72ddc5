"""What is wrong with a safetensors file is said with the tensor's name and in bytes."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from ltxbench.errors import WeightsError
from ltxbench.weights.header import MAX_HEADER_BYTES, Header, StoredTensor, read_header
from tests.weights.stored import entries, stored, with_header

GOOD = entries({"a": ("F32", [2]), "b": ("BF16", [2, 2])})


def _header(tmp_path: Path, content: bytes, name: str = "x.safetensors") -> Header:
    path = tmp_path / name
    path.write_bytes(content)
    return read_header(path)


def _refused(tmp_path: Path, content: bytes, name: str = "x.safetensors") -> str:
    with pytest.raises(WeightsError) as caught:
        _header(tmp_path, content, name)
    assert caught.value.hint
    assert caught.value.message.isprintable()
    return caught.value.message


def changed(**change: object) -> dict[str, object]:
    return GOOD | {"b": GOOD["b"] | change}


def test_a_good_header_is_read_in_the_order_of_its_data(tmp_path: Path) -> None:
    content = with_header({"__metadata__": {"k": "v"}, "b": GOOD["b"], "a": GOOD["a"]}, bytes(16))
    header = _header(tmp_path, content)
    assert header.tensors == (StoredTensor("a", "F32", (2,), 0, 8), StoredTensor("b", "BF16", (2, 2), 8, 16))
    assert header.metadata == {"k": "v"}
    assert header.data_start == len(content) - 16


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (with_header(changed(data_offsets=[4, 12]), bytes(12)), "tensor `a` and `b` overlap by 4 bytes"),
        (with_header(changed(data_offsets=[12, 20]), bytes(20)), "4 bytes between tensor `a` and tensor `b`"),
        (with_header(GOOD, bytes(17)), "1 bytes after the last tensor belong to none"),
        (with_header(GOOD, bytes(15)), "it is truncated: 15 bytes of data, and the header describes 16"),
        (with_header(b'{"a":1,"a":2}'), "header: `a` is listed twice"),
        (with_header(changed(data_offsets=[8, 2**64 + 16])), "`b` has no data_offsets of two whole numbers"),
        (with_header(changed(data_offsets=[8, -1])), "`b` has no data_offsets of two whole numbers"),
        (with_header(changed(data_offsets=[16, 8])), "`b` ends before it starts: 16 to 8"),
        (with_header(changed(shape=[2**62, 2**62]), bytes(16)), "`b` has a shape of more elements than 64 bits"),
        (with_header(changed(shape=[2**63, 2, 0]), bytes(16)), "`b` has a shape of more elements than 64 bits"),
        (with_header(changed(shape=[2**63] * 200_000), bytes(16)), "`b` has a shape of more elements than 64 bits"),
        (with_header(changed(shape=[2.0]), bytes(16)), "`b` has no shape of whole numbers"),
        (with_header(changed(shape=[2, 3]), bytes(16)), "`b` is BF16 `[2, 3]` in 8 bytes, which does not add up"),
        (with_header(changed(dtype="PICKLE"), bytes(16)), "`b` is of type `PICKLE`, which safetensors does not know"),
        ((101_000_000).to_bytes(8, "little") + b"{" + bytes(100), f"at most {MAX_HEADER_BYTES:,} are allowed"),
        ((2**40).to_bytes(8, "little") + b"{}", "at most 100,000,000 are allowed"),
        ((2**20).to_bytes(8, "little") + b"{}", "it ends within its header: 10 bytes of at least 1,048,584"),
        (with_header(b"{]"), "not JSON: "),
        (with_header(b'{"\xff":1}'), "byte 2 is not UTF-8"),
        (with_header(b"[1]"), "its header is not a JSON object"),
        (with_header(b"[" * 100_000), "nested too deep"),
        (with_header(b'{"a":' + b"9" * 5000 + b"}"), "a number of absurd length"),
        (with_header(b'{"a":NaN}'), "NaN is no JSON"),
        (b"", "it has 0 bytes"),
        (bytes(7), "it has 7 bytes"),
        (with_header({"a\x1b[31m": GOOD["a"]}, bytes(7)), "it is truncated"),
        (with_header({"\x0e": GOOD["a"], "b": GOOD["b"] | {"data_offsets": [12, 20]}}, bytes(20)), r"`\x0e` and"),
    ],
)  # fmt: skip
def test_what_the_package_refuses_is_refused_in_words(tmp_path: Path, content: bytes, why: str) -> None:
    message = _refused(tmp_path, content)
    assert ": not a valid safetensors file: " in message
    assert why in message


@pytest.mark.parametrize(
    ("header", "size_bytes", "why"),
    [
        (b'{"a":["F32",[2],[0,8]]}', 8, "`a` is not an object of dtype, shape and data_offsets alone"),
        (b'{"a":{"dtype":{"F32":null},"shape":[2],"data_offsets":[0,8]}}', 8, "written in an unusual form"),
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', 8, "alone"),
        (b'{"a":%b,"a":%b}' % ((json.dumps(GOOD["a"]).encode(),) * 2), 8, "`a` is listed twice"),
        (b'{"__metadata__":{"k":"v","k":"w"}}', 0, "`k` is listed twice"),
        (json.dumps({"a\x1b[31m": GOOD["a"]}).encode(), 8, r"a tensor is called `a\x1b[31m`"),
        (json.dumps({"a" * 1001: GOOD["a"]}).encode(), 8, "at most 1,000 printable characters"),
        (b'{"a":{"dtype":"F32","shape":[2147483648,0],"data_offsets":[0,0]}}', 0, "a shape that MLX cannot hold"),
        (b'{"a":{"dtype":"F32","shape":[%b1],"data_offsets":[0,4]}}' % (b"1," * 16), 4, "MLX cannot hold"),
    ],
)
def test_what_the_package_accepts_and_others_misread_is_refused(
    tmp_path: Path, header: bytes, size_bytes: int, why: str
) -> None:
    from safetensors import safe_open

    content = with_header(header, bytes(size_bytes))
    (tmp_path / "accepted").write_bytes(content)
    with safe_open(tmp_path / "accepted", framework="numpy"):
        pass
    assert why in _refused(tmp_path, content)


def _zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    return target.getvalue()


@pytest.mark.parametrize("name", ["x.bin", "x.pt", "x.ckpt", "x.safetensors"])
@pytest.mark.parametrize("content", [_zip(), *(pickle.dumps({"a": 1}, protocol=protocol) for protocol in (2, 3, 4, 5))])
def test_a_pickle_gets_its_own_message_whatever_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    assert ": a PyTorch pickle, which can run code when it is opened" in _refused(tmp_path, content, name)


@pytest.mark.parametrize("suffix", ["bin", "pt", "pth", "ckpt", "PKL"])
def test_a_pickle_without_a_mark_is_known_by_its_name(tmp_path: Path, suffix: str) -> None:
    assert "by its name a PyTorch pickle" in _refused(tmp_path, pickle.dumps([1], protocol=0), f"x.{suffix}")


def test_a_safetensors_file_of_another_name_is_read(tmp_path: Path) -> None:
    assert _header(tmp_path, stored({"a": ("F32", [2])}), "pytorch_model.bin").tensors[0].name == "a"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"GGUF" + bytes(60), "a GGUF file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file"),
        (b"\x93NUMPY" + bytes(60), "a NumPy array"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "a web page, not weights"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path: Path, content: bytes, what: str) -> None:
    assert f": {what}" in _refused(tmp_path, content)


def test_a_pipe_a_folder_and_a_device_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(WeightsError, match=r"a folder, a pipe or a device|Is a directory"):
            read_header(path)
    with pytest.raises(WeightsError, match="no such weights file"):
        read_header(tmp_path / "none")
