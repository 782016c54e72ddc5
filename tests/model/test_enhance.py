from __future__ import annotations

import unicodedata
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.model.enhance import INSTRUCTION, Enhancer, chat, clean, draw, enhance, generate
from ltxbench.weights.tiny.tokenizer import vocabulary
from tests.model.text_inputs import gemma_config, save_gemma

CONFIG = gemma_config(
    vocab_size=len(vocabulary()), num_hidden_layers=2, sliding_window_pattern=2, sliding_window=16, eos_token_id=[1, 6]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_gemma(tmp_path_factory.mktemp("gemma"), CONFIG)


@pytest.fixture(scope="module")
def enhancer(folder: Path) -> Enhancer:
    return Enhancer.load(folder, mx.float32)


def test_the_chat_folds_the_instruction_into_the_users_turn() -> None:
    assert chat("a dam ", instruction="Be brief.") == (
        "<bos><start_of_turn>user\nBe brief.\n\nuser prompt: a dam<end_of_turn>\n<start_of_turn>model\n"
    )
    assert INSTRUCTION in chat("")


def test_the_chat_begins_with_two_bos_and_its_turns_are_single_tokens(enhancer: Enhancer) -> None:
    ids = enhancer.tokenizer.ids(chat("a dam"))
    assert ids[:3] == [2, 2, enhancer.tokenizer.id_of("<start_of_turn>")]
    assert ids.count(enhancer.tokenizer.id_of("<end_of_turn>")) == 1


def test_a_seed_is_one_text_and_another_seed_another(folder: Path, enhancer: Enhancer) -> None:
    first = enhancer("a beaver", 42, 12)
    assert enhance(folder, "a beaver", 42, 12, mx.float32) == first
    assert enhancer("a beaver", 43, 12) != first


@pytest.mark.parametrize("prompt", ["", "a beaver", "🦫 ‮ x \x00", "river " * 30])
def test_gibberish_of_random_weights_is_still_one_printable_line(prompt: str, enhancer: Enhancer) -> None:
    text = enhancer(prompt, 3, 16)
    longest = max(map(len, vocabulary()))
    assert text == prompt or (text[0].isalpha() and len(text) <= 16 * longest)
    if text != prompt:
        assert not any(unicodedata.category(c)[0] == "C" for c in text)
    text.encode("utf-8")


def test_every_token_is_reported_and_their_number_bounded(enhancer: Enhancer) -> None:
    seen: list[tuple[int, int]] = []
    ids = enhancer.tokenizer.ids(chat("a dam", instruction="Be brief."))
    answer = generate(
        enhancer.tokenizer, enhancer.encoder, ids, 0, 12, on_token=lambda done, total: seen.append((done, total))
    )
    assert len(answer) <= 12
    assert seen == [(done, 12) for done in range(1, len(answer) + 1)]
    assert generate(enhancer.tokenizer, enhancer.encoder, ids, 0, 0) == []


def test_the_caches_give_the_same_logits_as_the_whole_text(enhancer: Enhancer) -> None:
    ids = enhancer.tokenizer.ids("the beaver builds a dam across the cold river")[:24]
    caches = enhancer.encoder.caches()
    stepwise = enhancer.encoder.next_logits(mx.array([ids[:10]]), caches)
    for token in ids[10:]:
        stepwise = enhancer.encoder.next_logits(mx.array([[token]]), caches)
    whole = enhancer.encoder.next_logits(mx.array([ids]), enhancer.encoder.caches())
    np.testing.assert_allclose(np.asarray(stepwise), np.asarray(whole), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("end", [1, 6])
def test_generation_ends_with_the_turn_or_the_text(end: int, folder: Path) -> None:
    enhancer = Enhancer.load(folder, mx.float32)

    class Ending(type(enhancer.encoder)):  # type: ignore[misc]
        calls = 0

        def next_logits(self, ids: mx.array, caches: object) -> mx.array:
            self.calls += 1
            logits = np.full(len(vocabulary()), -1e9, np.float32)
            logits[end if self.calls == 4 else 300] = 0
            return mx.array(logits)

    encoder = Ending(enhancer.encoder.model, enhancer.encoder.config)
    assert generate(enhancer.tokenizer, encoder, [2], 0, 50) == [300, 300, 300]
    assert encoder.calls == 4


def test_draws_follow_the_probabilities_at_the_temperature() -> None:
    logits = np.log(np.array([0.1, 0.6, 0.3], np.float32))
    random = np.random.Generator(np.random.Philox(5))
    drawn = np.bincount([draw(logits, random, temperature=0.7) for _ in range(20_000)], minlength=3) / 20_000
    expected = np.array([0.1, 0.6, 0.3]) ** (1 / 0.7)
    np.testing.assert_allclose(drawn, expected / expected.sum(), atol=0.01)


def test_only_the_likeliest_ids_are_drawn() -> None:
    logits = np.arange(100, dtype=np.float32) / 1000
    random = np.random.Generator(np.random.Philox(0))
    assert {draw(logits, random, top_k=3) for _ in range(200)} == {97, 98, 99}
    assert {draw(np.array([0.0, -np.inf, 0.0], np.float32), random) for _ in range(50)} == {0, 2}


def test_a_drawn_sequence_is_the_same_on_every_machine() -> None:
    random = np.random.Generator(np.random.Philox(42))
    logits = np.cos(np.arange(64)).astype(np.float32) * 3
    assert [draw(logits, random) for _ in range(8)] == [44, 44, 19, 51, 25, 38, 63, 7]


@pytest.mark.parametrize(
    ("answer", "prompt"),
    [
        ("“It’s a dam” – he said — ‘now’", "It's a dam\" - he said - 'now'"),
        ("** 1. Style: real,\n a\u00a0dam\t\u0007.", "Style: real, a dam ."),
        ("−3′ x\ufffd\u202e", "x"),
        ("ビーバー", "ビーバー"),
        ("123 …!", ""),
        ("", ""),
    ],
)
def test_an_answer_is_cleaned(answer: str, prompt: str) -> None:
    assert clean(answer) == prompt


def test_an_answer_without_a_letter_leaves_the_prompt_as_it_was(enhancer: Enhancer) -> None:
    assert enhancer("  My prompt ", 0, 0) == "  My prompt "
