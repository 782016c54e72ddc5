"""The tiny weights: made once, the same everywhere, never torn."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from tokenizers import Tokenizer

from ltxbench.errors import ResourceError
from ltxbench.model import layout
from ltxbench.weights.files import WeightFiles
from ltxbench.weights.resolve import digest
from ltxbench.weights.tiny import ensure_tiny, store
from ltxbench.weights.tiny.numbers import as_bfloat16, bfloat16_bits, normal, outer_sum
from ltxbench.weights.tiny.sizes import SIZES, VERSION
from ltxbench.weights.tiny.tokenizer import WORDS, tokenizer_json, vocabulary

DIGEST = "42eff80a9c420d49fa1a85ca1474b969c7f0bdb69ab5a1f268d5437fdcfb4de3"
"""Of VERSION; other bytes need another version, or old caches are taken for new ones."""


@pytest.fixture
def built(tmp_path: Path, tiny: WeightFiles) -> Path:
    """A cache of its own, with tiny in it."""
    assert tiny.dev is not None
    shutil.copytree(tiny.dev.parent, tmp_path / tiny.dev.parent.name)
    return tmp_path


def test_the_same_bytes_come_out_on_every_machine(tiny: WeightFiles) -> None:
    assert (VERSION, digest(tiny)) == (1, DIGEST)


def test_a_second_call_reuses_the_files(built: Path) -> None:
    file = ensure_tiny(built).dev
    assert file is not None
    before = file.stat().st_mtime_ns
    assert ensure_tiny(built).dev == file
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "no marker", "torn marker", "other version"])
def test_a_damaged_folder_is_made_anew(built: Path, damage: str) -> None:
    files = ensure_tiny(built)
    assert files.dev is not None
    good, marker = files.dev.read_bytes(), files.dev.parent / store.MARKER
    if damage == "flip":
        files.dev.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    elif damage == "truncate":
        files.dev.write_bytes(good[:-1])
    elif damage == "remove":
        files.dev.unlink()
    elif damage == "no marker":
        marker.unlink()
    elif damage == "torn marker":
        marker.write_text(marker.read_text()[:-30])
    else:
        content = json.loads(marker.read_text())
        content["generator"]["version"] += 1
        marker.write_text(json.dumps(content))
    again = ensure_tiny(built)
    assert again.dev is not None
    assert again.dev.read_bytes() == good
    assert sorted(path.name for path in built.iterdir()) == [f"tiny-v{VERSION}", f"tiny-v{VERSION}.lock"]


def test_what_a_killed_builder_left_is_cleared_away(built: Path) -> None:
    stray = built / f".tiny-v{VERSION}-abcdef"
    stray.mkdir()
    (stray / "half").write_bytes(b"x")
    shutil.rmtree(built / f"tiny-v{VERSION}")
    ensure_tiny(built)
    assert not stray.exists()


def _build(cache: str) -> str:
    return digest(ensure_tiny(Path(cache)))


def test_two_processes_at_once_build_one_good_set(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        digests = pool.map(_build, [str(tmp_path)] * 2)
    assert digests == [DIGEST, DIGEST]


def test_a_cache_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written") as caught:
        ensure_tiny(tmp_path / "file" / "cache")
    assert "LTXBENCH_CACHE" in str(caught.value.hint)


def test_the_unified_files_hold_every_group_and_no_unknown_key(tiny: WeightFiles) -> None:
    for path in (tiny.dev, tiny.distilled):
        assert path is not None
        with safe_open(path, framework="numpy") as file:
            config = json.loads(file.metadata()["config"])
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118 - no mapping
            types = {key: file.get_slice(key).get_dtype() for key in shapes}
        layout.check_unified(str(path), shapes, config, {})
        assert {layout.group_of(key) for key in shapes} == set(layout.Group) - {layout.Group.UNKNOWN}
        assert all(types[key] == ("F32" if "scale_shift_table" in key else "BF16") for key in shapes)


def test_the_geometry_is_the_published_one(tiny: WeightFiles) -> None:
    assert tiny.dev is not None
    with safe_open(tiny.dev, framework="numpy") as file:
        config = json.loads(file.metadata()["config"])
        registers = file.get_slice("model.diffusion_model.video_embeddings_connector.learnable_registers").get_shape()
    assert config["transformer"]["in_channels"] == config["vae"]["latent_channels"] == 128
    assert (registers[0], config["vae"]["patch_size"], len(config["vae"]["decoder_blocks"])) == (128, 4, 7)
    assert config["transformer"]["rope_type"] == "split"
    assert config["transformer"]["frequencies_precision"] == "float64"
    assert SIZES.width % 64 == 0


def test_rounding_to_bfloat16_is_to_nearest_even() -> None:
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-16, -3.1415927], np.float32)
    assert as_bfloat16(values).tolist() == [1.0, 1.0, 1 + 2**-6, 1 + 2**-7, -3.140625]
    assert bfloat16_bits(np.array([-0.0], np.float32)).tolist() == [0x8000]


def test_the_normal_numbers_are_normal() -> None:
    values = normal("a label", (200_000,))
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert abs((values**4).mean() - 2.7) < 0.1  # Irwin-Hall of four: kurtosis 2.7, a normal's is 3
    assert not np.array_equal(values, normal("another label", (200_000,)))


def test_the_product_without_blas_is_the_product() -> None:
    b, a = normal("b", (7, 5)), normal("a", (5, 9))
    np.testing.assert_allclose(outer_sum(b, a), b.astype(np.float64) @ a, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_str(json.dumps(tokenizer_json()))


@settings(deadline=None, max_examples=200)
@given(text=st.text())
def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer, text: str) -> None:
    text = text.replace("▁", "").encode("utf-8", "ignore").decode()
    encoded = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(encoded.ids, skip_special_tokens=False) == text
    assert vocabulary()["<unk>"] not in encoded.ids


def test_special_tokens_have_the_numbers_of_gemma(tokenizer: Tokenizer) -> None:
    assert [tokenizer.token_to_id(token) for token in ("<pad>", "<eos>", "<bos>", "<unk>")] == [0, 1, 2, 3]
    assert tokenizer.encode("<start_of_turn>user<end_of_turn>").ids[0] == 2
    assert tokenizer.encode("<end_of_turn>", add_special_tokens=False).ids == [vocabulary()["<end_of_turn>"]]


def test_every_word_is_one_token(tokenizer: Tokenizer) -> None:
    text = "".join(f" {word}" for word in WORDS)
    assert len(tokenizer.encode(text, add_special_tokens=False).ids) == len(WORDS)


def test_reuse_is_quick(built: Path) -> None:
    ensure_tiny(built)
    start = time.process_time()
    ensure_tiny(built)
    assert time.process_time() - start < 0.5
