"""Safetensors files are opened strictly: a header that lies, a torn file or a pickle ends with a message."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ltxbench.errors import WeightsError
from ltxbench.model.checkpoint import Checkpoint, load_strict

GOOD = {
    "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    "b": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8, 16]},
}


def _bytes(header: object, data: bytes = bytes(16)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _changed(**change: Any) -> dict[str, Any]:
    return GOOD | {"b": GOOD["b"] | change}


ATTACKS: dict[str, Callable[[], bytes]] = {
    "overlap": lambda: _bytes(_changed(data_offsets=[4, 12]), bytes(12)),
    "gap": lambda: _bytes(_changed(data_offsets=[12, 20]), bytes(20)),
    "trailing bytes": lambda: _bytes(GOOD, bytes(17)),
    "truncated": lambda: _bytes(GOOD, bytes(15)),
    "duplicate key": lambda: _bytes(b'{"a":%s,"a":%s}' % ((json.dumps(GOOD["a"]).encode(),) * 2), bytes(8)),
    "offsets wrap": lambda: _bytes(_changed(data_offsets=[8, 2**64 + 16])),
    "negative": lambda: _bytes(_changed(data_offsets=[8, -1])),
    "end before start": lambda: _bytes(_changed(data_offsets=[16, 8])),
    "shape overflows": lambda: _bytes(_changed(shape=[2**62, 2**62])),
    "shape and size differ": lambda: _bytes(_changed(shape=[2, 3])),
    "unknown type": lambda: _bytes(_changed(dtype="PICKLE")),
    "header of 101 MB": lambda: struct.pack("<Q", 101_000_000) + b"{" + b" " * 100,
    "header longer than the file": lambda: struct.pack("<Q", 2**40) + b"{}",
    "no JSON": lambda: _bytes(b"{]"),
    "no UTF-8": lambda: _bytes(b'{"\xff":1}'),
    "a list": lambda: _bytes([1]),
    "empty": lambda: b"",
    "seven bytes": lambda: bytes(7),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_header_that_lies_is_refused(tmp_path: Path, attack: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(ATTACKS[attack]())
    with pytest.raises(WeightsError, match="not a valid safetensors file"):
        Checkpoint(path)


def test_a_good_file_is_read_with_its_types(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(_bytes({"__metadata__": {"config": '{"n": 1}'}} | GOOD))
    checkpoint = Checkpoint(path)
    assert (checkpoint.config, checkpoint.shapes, checkpoint.dtypes) == (
        {"n": 1},
        {"a": (2,), "b": (2, 2)},
        {"a": "F32", "b": "BF16"},
    )
    tensors = checkpoint.tensors("")
    assert (tensors["a"].dtype, tensors["b"].dtype) == (mx.float32, mx.bfloat16)
    assert checkpoint.tensors("", skip=lambda key: key == "a").keys() == {"b"}


def test_a_header_that_begins_like_a_pickle_is_no_pickle(tmp_path: Path) -> None:
    text = json.dumps(GOOD).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(_bytes(text + b" " * (0x0280 - len(text))))  # a length of 80 02 00 ...
    assert Checkpoint(path).shapes.keys() == {"a", "b"}


def _zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    return target.getvalue()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["x.pt", "x.bin", "x.safetensors"])
def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path, protocol: int, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps({"a": 1}, protocol=protocol))
    with pytest.raises(WeightsError, match="a PyTorch pickle"):
        Checkpoint(tmp_path / name)
    (tmp_path / name).write_bytes(_zip())
    with pytest.raises(WeightsError, match="a PyTorch pickle"):
        Checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("config", "message"), [("{", "not JSON"), ("[1]", "not an object"), ("[" * 100_000, "not JSON")]
)
def test_a_configuration_that_is_no_object_is_refused(tmp_path: Path, config: str, message: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(_bytes({"__metadata__": {"config": config}} | GOOD))
    with pytest.raises(WeightsError, match=message):
        Checkpoint(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(WeightsError, match="no such weights file"):
            Checkpoint(path)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_header_never_gets_past_as_something_else(tmp_path: Path, position: int, bit: int) -> None:
    good = bytearray(_bytes(GOOD))
    position %= len(good) - 16
    good[position] ^= 1 << bit
    path = tmp_path / "x.safetensors"
    path.write_bytes(good)
    try:
        checkpoint = Checkpoint(path)
        arrays = checkpoint.tensors("", dtypes=tuple(checkpoint.dtypes.values()))
    except WeightsError:
        return
    assert {key: array.shape for key, array in arrays.items()} == checkpoint.shapes


def test_a_type_that_is_not_asked_for_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(_bytes(_changed(dtype="F8_E4M3", shape=[8])))
    with pytest.raises(WeightsError, match="tensor b is F8_E4M3"):
        Checkpoint(path).tensors("")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": mx.zeros((2, 3))}, "tensor bias is missing"),
        ({"weight": mx.zeros((2, 3)), "bias": mx.zeros((2,)), "scale": mx.zeros((1,))}, "scale is not part"),
        ({"weight": mx.zeros((3, 2)), "bias": mx.zeros((2,))}, r"weight has shape \(3, 2\), expected \(2, 3\)"),
        ({"weight": mx.zeros((2, 3), mx.int32), "bias": mx.zeros((2,))}, "which its layer cannot hold"),
    ],
)
def test_a_module_takes_exactly_its_parameters(tensors: dict[str, mx.array], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        load_strict(nn.Linear(3, 2), tensors, mx.float32, source="here")
