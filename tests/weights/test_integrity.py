"""A weights file that is not what it should be is found before anything runs, and named."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ltxbench.cli.models import app
from ltxbench.errors import UsageError, WeightsError
from ltxbench.matrix.case import Case, ExtraLora
from ltxbench.weights import notes, registry
from ltxbench.weights.cache import cache_folder
from ltxbench.weights.files import DISTILLED, DISTILLED_LORA, WeightFiles
from ltxbench.weights.finite import CHUNK_BYTES, NonFinite, scan
from ltxbench.weights.header import StoredTensor, read_header
from ltxbench.weights.integrity import checked_sha256, hub_sha256
from ltxbench.weights.resolve import digest, resolve
from ltxbench.weights.sha256 import Sha256Cache, sha256_file
from ltxbench.weights.verify import verify
from tests.weights.stored import BITS, stored

CASE = Case(name="distilled", title="distilled")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTXBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tiny: WeightFiles, tmp_path: Path) -> Path:
    """A folder of weights from somewhere, used once already."""
    assert tiny.distilled is not None
    copy = tmp_path / "weights"
    shutil.copytree(tiny.distilled.parent, copy)
    digest(resolve(str(copy), [CASE]), [CASE])
    return copy


def _refused(folder: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        digest(resolve(str(folder), [CASE]), [CASE])
    return caught.value


def _flip(path: Path, position: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def test_a_folder_that_did_not_change_is_the_same_and_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digest(resolve(str(folder), [CASE]), [CASE])
    monkeypatch.setattr("ltxbench.weights.sha256.scan", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr("ltxbench.weights.sha256.sha256_file", lambda *_: pytest.fail("read again"))
    assert digest(resolve(str(folder), [CASE]), [CASE]) == first


def test_a_flipped_bit_is_found_by_the_sum_of_the_first_time(folder: Path) -> None:
    _flip(folder / DISTILLED, -5)
    error = _refused(folder)
    assert "not the file that was used before: sha256" in error.message
    assert f"ltxbench models verify --accept {folder / DISTILLED}" in str(error.hint)


def test_a_truncated_file_is_found_by_its_header(folder: Path) -> None:
    path = folder / DISTILLED
    os.truncate(path, path.stat().st_size - 1)
    assert "it is truncated" in _refused(folder).message


def test_setting_the_times_back_hides_nothing(folder: Path) -> None:
    path = folder / DISTILLED
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-5, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-5, os.SEEK_END)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert "not the file that was used before" in _refused(folder).message


def test_a_changed_lora_is_found(tmp_path: Path, tiny: WeightFiles) -> None:
    assert tiny.distilled_lora is not None
    lora = tmp_path / "mine.safetensors"
    shutil.copyfile(tiny.distilled_lora, lora)
    case = CASE.model_copy(update={"loras": (ExtraLora(path=str(lora)),)})
    digest(tiny, [case])
    _flip(lora, -3)
    with pytest.raises(WeightsError, match=r"mine\.safetensors: not the file that was used before"):
        digest(tiny, [case])


def test_a_lora_that_is_no_safetensors_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    lora = tmp_path / "mine.safetensors"
    lora.write_bytes(b"PK\x03\x04" + bytes(60))
    case = CASE.model_copy(update={"loras": (ExtraLora(path=str(lora)),)})
    with pytest.raises(WeightsError, match="a PyTorch pickle"):
        resolve("random:small", [case])


def test_a_file_replaced_on_purpose_is_accepted_once(folder: Path) -> None:
    path = folder / DISTILLED_LORA
    verify(path)
    _flip(path, -5)
    with pytest.raises(WeightsError, match="not the file that was used before"):
        verify(path)
    verify(path, accept=True)
    verify(path)


def test_the_command_accepts_a_replaced_file(folder: Path) -> None:
    _flip(folder / DISTILLED, -5)
    result = CliRunner().invoke(app, ["verify", str(folder / DISTILLED)])
    assert isinstance(result.exception, WeightsError)
    assert CliRunner().invoke(app, ["verify", "--accept", str(folder / DISTILLED)]).exit_code == 0
    digest(resolve(str(folder), [CASE]), [CASE])
    result = CliRunner().invoke(app, ["verify", "--accept", "--no-checksum", str(folder / DISTILLED)])
    assert isinstance(result.exception, UsageError)


def test_verify_finds_a_disk_that_returns_other_bytes_under_the_same_stamp(folder: Path) -> None:
    path = folder / DISTILLED
    stored_cache = cache_folder() / "contents.json"
    sum_ = sha256_file(path)
    stored_cache.write_text(stored_cache.read_text().replace(sum_, "0" * 64))
    notes.add(notes.SUMS, {str(path): "0" * 64})
    with pytest.raises(WeightsError, match="its bytes changed without its size and times"):
        verify(path)


def test_a_torn_note_or_cache_is_forgotten_and_not_trusted(folder: Path) -> None:
    for name in ("contents.json", notes.SUMS):
        for torn in ('{"', "[]", '{"/x": [1, 2, 3, "y"]}', '{"/x": null}', "\ud800", ""):
            (cache_folder() / name).write_bytes(torn.encode("utf-8", "surrogatepass"))
            digest(resolve(str(folder), [CASE]), [CASE])


def test_the_hubs_sum_is_read_from_its_cache_and_from_its_note(tmp_path: Path) -> None:
    content = stored({"a": ("F32", [2])})
    blob = tmp_path / "blobs" / ("0" * 64)
    blob.parent.mkdir()
    blob.write_bytes(content)
    (tmp_path / "a.safetensors").symlink_to(blob)
    (tmp_path / "b.safetensors").write_bytes(content)
    note = tmp_path / ".cache" / "huggingface" / "download" / "b.safetensors.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{'1' * 40}\n{'f' * 64}\n1700000000.0\n")
    for name, expected in (("a", "0" * 64), ("b", "f" * 64)):
        path = tmp_path / f"{name}.safetensors"
        assert hub_sha256(path) == expected
        with pytest.raises(WeightsError, match=f"damaged: sha256 [0-9a-f]+, the hub's is {expected}"):
            checked_sha256(path, Sha256Cache(cache_folder()))
    note.write_text(f"{'1' * 40}\n{sha256_file(blob)}\n1700000000.0\n")
    checked_sha256(tmp_path / "b.safetensors", Sha256Cache(cache_folder()))
    note.write_text(f"{'1' * 40}\n{'f' * 40}\n1700000000.0\n")
    assert hub_sha256(tmp_path / "b.safetensors") is None


def test_the_registrys_sum_is_compared_for_official_weights_alone(
    tiny: WeightFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = registry.registry().models
    monkeypatch.setitem(models, "distilled", models["distilled"].model_copy(update={"sha256": "0" * 64}))
    digest(tiny, [CASE])
    with pytest.raises(WeightsError, match=r"damaged: sha256 [0-9a-f]+, published is 0000"):
        digest(tiny.model_copy(update={"kind": "official"}), [CASE])


PATTERNS = {
    "F64": ("<d", [float("nan"), float("inf"), -float("inf"), 1.0]),
    "F32": ("<f", [float("nan"), float("inf"), -float("inf"), 1.0]),
    "F16": ("<e", [float("nan"), float("inf"), -float("inf"), 1.0]),
}


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "F8_E5M2", "F8_E4M3", "F8_E8M0"])
def test_nan_and_infinity_are_counted_by_tensor_and_kept_apart(tmp_path: Path, dtype: str) -> None:
    size = BITS[dtype] // 8
    if dtype in PATTERNS:
        form, values = PATTERNS[dtype]
        data = b"".join(struct.pack(form, value) for value in values)
    elif dtype == "BF16":
        data = struct.pack("<4H", 0x7FC0, 0x7F80, 0xFF80, 0x3F80)
    elif dtype == "F8_E5M2":
        data = bytes([0x7F, 0x7C, 0xFC, 0x3C])
    else:
        data = bytes([0x7F if dtype == "F8_E4M3" else 0xFF, 0x38, 0x78, 0x00])
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored({"good": (dtype, [4]), "bad": (dtype, [4])}, bytes(4 * size) + data))
    found = scan(path, read_header(path))
    infinite = 0 if dtype in ("F8_E4M3", "F8_E8M0") else 2
    assert found.nonfinite == (NonFinite("bad", 1, infinite),)
    assert found.sha256 == sha256_file(path)


def test_integers_are_never_nan(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored({"a": ("U32", [4]), "b": ("U8", [4])}, b"\xff" * 20))
    assert scan(path, read_header(path)).nonfinite == ()


@settings(max_examples=100, deadline=None)
@given(bits=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=50), dtype=st.sampled_from(["BF16", "F16"]))
def test_any_bits_are_judged_as_numpy_judges_them(
    tmp_path_factory: pytest.TempPathFactory, bits: list[int], dtype: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "bits.safetensors"
    raw = np.array(bits, np.uint16)
    path.write_bytes(stored({"a": (dtype, [len(bits)])}, raw.tobytes()))
    values = (raw.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else raw.view(np.float16)
    expected = (int(np.isnan(values).sum()), int(np.isinf(values).sum()))
    (found,) = scan(path, read_header(path)).nonfinite or (NonFinite("a", 0, 0),)
    assert (found.nan, found.infinite) == expected


def test_the_last_element_of_a_tensor_of_many_pieces_is_looked_at(tmp_path: Path) -> None:
    count = CHUNK_BYTES // 2 + 3
    bits = np.zeros(count, np.uint16)
    bits[[0, CHUNK_BYTES // 2 - 1, CHUNK_BYTES // 2, count - 1]] = 0x7F80
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored({"a": ("BF16", [count])}, bits.tobytes()))
    assert scan(path, read_header(path)).nonfinite == (NonFinite("a", 0, 4),)


def test_nan_in_weights_stops_the_run_and_verify_with_the_tensors_name(folder: Path) -> None:
    path = folder / DISTILLED
    header = read_header(path)
    bad: StoredTensor = next(tensor for tensor in header.tensors if tensor.dtype == "BF16")
    with path.open("r+b") as file:
        file.seek(header.data_start + bad.start)
        file.write(struct.pack("<2H", 0x7FC0, 0x7F80))
    expected = f"a tensor holds what is no number: {bad.name} (1 NaN and 1 Inf)"
    assert expected in _refused(folder).message
    with pytest.raises(WeightsError) as caught:
        verify(path, accept=True)
    assert expected in caught.value.message
    # Remembered: the second time is no reading.
    assert expected in _refused(folder).message


def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored({"a": ("F32", [2])}))

    def growing(changed: Path, *_: object) -> str:
        changed.write_bytes(stored({"a": ("F32", [3])}))
        return "0" * 64

    monkeypatch.setattr("ltxbench.weights.sha256.sha256_file", growing)
    with pytest.raises(WeightsError, match="changed while it was read"):
        Sha256Cache(cache_folder()).of(path)
    assert Sha256Cache(cache_folder()).remembered(path) is None
