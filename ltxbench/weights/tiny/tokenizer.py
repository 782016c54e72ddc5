"""A tokenizer of Gemma's kind: BPE over `▁` for spaces with byte fallback, so that any Unicode text has tokens.

It knows some 200 words, so that what the random Gemma writes is word salad and not byte salad.
"""

from __future__ import annotations

import string
from functools import cache
from typing import Any

SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>")
EOS, END_OF_TURN = 1, 6
SPACE = "▁"

_WORDS = """
a above across again against air all along amber among an ancient and another arches around as at autumn
background beam beaver behind below bend beneath beside between blue branches bright brown builds calm camera
carries clear close clouds cold colour cool cracks crosses current curves dam dark dawn deep details dense dips
distance drifts drops dry dusk each earth edge enters evening every fades falls far fills fine floats flows fog
foliage follows forest frame from fur gentle glass glides glows gold grass green grey hangs hazy heavy high
hills holds in into ivory large leaves lifts light lights line logs long low meadow mist moon morning moss
mountain mouth moves mud narrow near night of off on open orange over pale past path paws pebbles pine places
pond pulls quiet rain red reeds reflections rests returns ripples rises river rocks rolls rough round rushing
sand scene shade shadow sharp shimmers shines shot silver sky slips slow small smoke smooth snow soft sound
splashes spreads steady stems still stone stream sun surface sways swims tail tall teeth textures the then thick
thin through to top trees trembles trunk turns twigs under valley view violet warm water waves wet while white
wide willow wind winter wood wooden young
"""
WORDS = tuple(_WORDS.split())


@cache
def vocabulary() -> dict[str, int]:
    """Token to id: specials, the 256 bytes, single characters, then every beginning of every word."""
    tokens = list(SPECIAL) + [f"<0x{byte:02X}>" for byte in range(256)] + [SPACE, "\n"]
    tokens += [character for character in string.printable if character.isprintable() and character != " "]
    tokens += [left + right for left, right in merges()]
    return {token: index for index, token in enumerate(tokens)}


@cache
def merges() -> tuple[tuple[str, str], ...]:
    """Pairs that grow a word letter by letter from its space; every word is reached whatever stands around it."""
    pairs = {}
    for word in WORDS:
        for end in range(len(word)):
            pairs[SPACE + word[: end + 1]] = (SPACE + word[:end], word[end])
    return tuple(pairs.values())


def word_ids() -> list[int]:
    """Ids of the complete words."""
    ids = vocabulary()
    return [ids[SPACE + word] for word in WORDS]


def tokenizer_json() -> dict[str, Any]:
    """What the package `tokenizers` reads."""
    ids = vocabulary()
    bos = SPECIAL[2]
    begin: dict[str, Any] = {"SpecialToken": {"id": bos, "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": ids[token],
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token in SPECIAL
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [ids[bos]], "tokens": [bos]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": ids,
            "merges": [list(pair) for pair in merges()],
        },
    }


CHAT_TEMPLATE = """\
{%- macro text(content) -%}
{%- if content is string -%}{{ content | trim }}
{%- else -%}{%- for part in content if part.type == 'text' -%}{{ part.text | trim }}{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{{- bos_token -}}
{%- set system = namespace(text='') -%}
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{%- set system.text = text(message.content) ~ '\\n\\n' -%}
{%- else -%}
{{- '<start_of_turn>' ~ ('model' if message.role == 'assistant' else message.role) ~ '\\n' -}}
{{- system.text ~ text(message.content) ~ '<end_of_turn>\\n' -}}
{%- set system.text = '' -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}
"""


def tokenizer_config() -> dict[str, Any]:
    return {
        "tokenizer_class": "GemmaTokenizer",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 131072,
        "chat_template": CHAT_TEMPLATE,
    }
