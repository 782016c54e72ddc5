"""The JSON of a Gemma folder from a stranger: read as data, within bounds, and never run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ltxbench.errors import WeightsError
from ltxbench.weights.files import WeightFiles
from ltxbench.weights.gemma_folder import BOUNDS, CAPS, check_gemma
from ltxbench.weights.verify import verify


@pytest.fixture
def gemma(tiny: WeightFiles, tmp_path: Path) -> Path:
    assert tiny.gemma is not None
    shutil.copytree(tiny.gemma, tmp_path / "gemma")
    return tmp_path / "gemma"


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _refused(gemma: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        check_gemma(gemma)
    assert caught.value.message.isprintable()
    return caught.value.message


def test_the_tiny_folder_passes(gemma: Path) -> None:
    check_gemma(gemma)


@pytest.mark.parametrize("name", CAPS)
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[]", "not a JSON object"),
        (b"{", "not JSON: "),
        (b"\xff", "byte 0 is not UTF-8"),
        (b'{"a": 1, "a": 2}', "`a` is listed twice"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": ' + b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number of absurd length"),
    ],
)
def test_a_file_that_is_no_object_is_refused(gemma: Path, name: str, content: bytes, why: str) -> None:
    (gemma / name).write_bytes(content)
    message = _refused(gemma)
    assert name in message
    assert why in message


def test_a_file_larger_than_any_of_its_kind_is_not_read(gemma: Path) -> None:
    for name, most in CAPS.items():
        path = gemma / name
        kept = path.read_bytes() if path.exists() else None
        with path.open("wb") as file:
            file.truncate(most + 1)
        assert f"more than {most:,} bytes" in _refused(gemma)
        path.unlink() if kept is None else path.write_bytes(kept)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", [0, -1, 10**9, 10**30, 1.5, "64", True, [1], {}])
def test_a_size_that_would_fill_the_memory_is_refused(gemma: Path, name: str, value: object) -> None:
    _edit(gemma / "config.json", lambda config: config.update({name: value}))
    assert f"`{name}` is " in _refused(gemma)
    _edit(gemma / "config.json", lambda config: config.update({name: None, "text_config": {name: value}}))
    assert f"`{name}` is " in _refused(gemma)


@pytest.mark.parametrize("name", ["text_config", "rope_scaling", "rope_parameters", "quantization"])
@pytest.mark.parametrize("value", [[1], "x", 1])
def test_an_object_that_is_none_is_refused(gemma: Path, name: str, value: object) -> None:
    _edit(gemma / "config.json", lambda config: config.update({name: value}))
    assert f"`{name}` is not an object" in _refused(gemma)


def test_ropes_that_are_no_objects_are_refused(gemma: Path) -> None:
    _edit(gemma / "config.json", lambda config: config.update(rope_parameters={"full_attention": [1]}))
    assert "does not map kinds of attention to objects" in _refused(gemma)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda content: content.pop("model"), "`model`: Field required"),
        (lambda content: content.update(model=[]), "`model`: "),
        (lambda content: content["model"].update(vocab=1), "it has no vocabulary"),
        (lambda content: content["model"]["vocab"].update(x="1"), "does not map tokens to whole numbers"),
        (lambda content: content["model"]["vocab"].update(x=2**40), "does not map tokens to whole numbers"),
        (lambda content: content["model"]["vocab"].update(x=-1), "does not map tokens to whole numbers"),
        (lambda content: content["model"]["vocab"].update(x=2**20), "token 1,048,576 has no embedding"),
        (lambda content: content["added_tokens"][0].update(id=2**20), "token 1,048,576 has no embedding"),
        (lambda content: content["added_tokens"][0].update(id=-1), "`added_tokens.0.id`"),
        (lambda content: content.update(added_tokens="x"), "`added_tokens`"),
        (lambda content: content.update(pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a+)+$"}}), "regular"),
        (lambda content: content.update(normalizer={"a": [{"b": {"Regex": "x"}}]}), "a regular expression"),
    ],
)
def test_a_tokenizer_that_could_hang_or_reach_beyond_the_embedding_is_refused(
    gemma: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    _edit(gemma / "tokenizer.json", change)
    assert why in _refused(gemma)


@pytest.mark.parametrize("place", ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "x.bin", 1, None, ".."])
def test_an_index_that_leads_out_of_the_folder_is_refused(gemma: Path, place: object) -> None:
    (gemma / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": place}}))
    assert "weight_map does not map tensors to safetensors files of this folder" in _refused(gemma)


def test_code_beside_the_weights_is_never_run(gemma: Path, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    for name in ("modeling_evil", "configuration_evil", "tokenization_evil", "model", "__init__"):
        (gemma / f"{name}.py").write_text(f"open({str(proof)!r}, 'w')\n")
    (gemma / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    evil = {
        "AutoConfig": "configuration_evil.E",
        "AutoModel": "modeling_evil.E",
        "AutoTokenizer": "tokenization_evil.E",
    }
    for name in ("config.json", "tokenizer_config.json"):
        _edit(
            gemma / name, lambda content: content.update(auto_map=evil, model_file="model.py", trust_remote_code=True)
        )
    verify(gemma)
    assert not proof.exists()
