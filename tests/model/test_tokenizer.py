from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ltxbench.errors import UsageError, WeightsError
from ltxbench.model.tokenizer import PromptTokenizer, read_json
from ltxbench.weights.tiny.tokenizer import tokenizer_config, tokenizer_json

PAD, EOS, BOS = 0, 1, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gemma")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config()))
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PromptTokenizer:
    return PromptTokenizer.load(folder)


def test_a_prompt_is_padded_on_the_left_behind_which_it_begins_with_bos(tokenizer: PromptTokenizer) -> None:
    ids, mask = tokenizer("a river", 8)
    assert ids.shape == mask.shape == (1, 8)
    (row,), (seen,) = ids.tolist(), mask.tolist()
    count = sum(seen)
    assert seen == [0] * (8 - count) + [1] * count
    assert row[: 8 - count] == [PAD] * (8 - count)
    assert row[8 - count] == BOS
    assert tokenizer.text(row) == "a river"


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_bos_alone(prompt: str, tokenizer: PromptTokenizer) -> None:
    ids, mask = tokenizer(prompt)
    assert ids.shape == (1, 1024)
    assert ids.tolist()[0][-2:] == [PAD, BOS]
    assert int(mask.sum()) == 1


def test_of_a_long_prompt_the_beginning_is_kept(tokenizer: PromptTokenizer) -> None:
    long = "river dam " * 50
    whole = tokenizer.ids(long.strip())
    ids, mask = tokenizer(long, 16)
    assert ids.tolist() == [whole[:16]]
    assert mask.tolist() == [[1] * 16]
    assert tokenizer.ids(long.strip()) == whole


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_has_tokens_that_give_it_back(tokenizer: PromptTokenizer, prompt: str) -> None:
    ids, mask = tokenizer(prompt, 32)
    assert ids.shape == mask.shape == (1, 32)
    assert 1 <= int(mask.sum()) <= 32
    whole = tokenizer.ids(prompt)
    assert whole[0] == BOS
    if not any(token in prompt for token in ("<", "▁")):
        assert tokenizer.text(whole[1:]) == prompt


def test_half_a_surrogate_pair_is_refused_with_a_message(tokenizer: PromptTokenizer) -> None:
    with pytest.raises(UsageError, match="not valid Unicode"):
        tokenizer("a \ud83e beaver")


def test_names_of_the_special_tokens_come_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    tokenizer = PromptTokenizer.load(tmp_path)
    assert (tokenizer.pad_id, tokenizer.eos_id, tokenizer.bos_id) == (PAD, EOS, BOS)
    config = {**tokenizer_config(), "pad_token": {"content": "<mask>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert PromptTokenizer.load(tmp_path).pad_id == 4
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "pad_token": None}))
    assert PromptTokenizer.load(tmp_path).pad_id == EOS


def test_padding_and_truncation_stored_in_the_file_do_not_count(tmp_path: Path, tokenizer: PromptTokenizer) -> None:
    stored = Tokenizer.from_str(json.dumps(tokenizer_json()))
    stored.enable_truncation(4)
    stored.enable_padding(length=64)
    stored.save(str(tmp_path / "tokenizer.json"))
    prompt = "the beaver builds a dam"
    assert PromptTokenizer.load(tmp_path)(prompt, 16).ids.tolist() == tokenizer(prompt, 16).ids.tolist()


def test_bos_is_there_even_if_the_file_says_nothing_of_it(tmp_path: Path, tokenizer: PromptTokenizer) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({**tokenizer_json(), "post_processor": None}))
    assert PromptTokenizer.load(tmp_path)("a dam", 16).ids.tolist() == tokenizer("a dam", 16).ids.tolist()


@pytest.mark.parametrize("content", ["", "{}", "[1", '{"model": {"type": "BPE"}}', "\x00\xff"])
def test_a_file_that_is_no_tokenizer_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(WeightsError, match="not a tokenizer"):
        PromptTokenizer.load(tmp_path)


def test_a_missing_file_and_a_broken_configuration_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"tokenizer\.json: no such file"):
        PromptTokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    for text in ("{", "[]"):
        (tmp_path / "tokenizer_config.json").write_text(text)
        with pytest.raises(WeightsError, match=r"tokenizer_config\.json: not"):
            PromptTokenizer.load(tmp_path)


def test_a_configuration_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(WeightsError, match="nested too deep"):
        read_json(tmp_path / "deep.json")


def test_a_vocabulary_without_bos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>"}))
    with pytest.raises(WeightsError, match="no beginning-of-sequence token"):
        PromptTokenizer.load(tmp_path)
