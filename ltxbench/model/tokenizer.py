"""Prompt to Gemma token ids, by the `tokenizers` package alone: importing transformers costs seconds.

Official: ltx_core.text_encoders.gemma.tokenizer (which asks transformers' AutoTokenizer for the same ids).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from ltxbench.errors import UsageError, WeightsError

MAX_TOKENS = 1024


class Tokens(NamedTuple):
    """One prompt, padded on the left."""

    ids: mx.array
    """int32 [1, T]."""
    mask: mx.array
    """int32 [1, T]: 1 for a token of the prompt, 0 for padding."""


class PromptTokenizer:
    """Reads `tokenizer.json`, and beside it `tokenizer_config.json` where there is one."""

    def __init__(self, tokenizer: Tokenizer, config: Mapping[str, Any], source: str) -> None:
        def special(role: str, default: str) -> str | None:
            token = config.get(f"{role}_token", default)
            content = token.get("content") if isinstance(token, Mapping) else token
            return content if isinstance(content, str) and tokenizer.token_to_id(content) is not None else None

        bos, eos = special("bos", "<bos>"), special("eos", "<eos>")
        if bos is None:
            raise WeightsError(f"{source}: the vocabulary has no beginning-of-sequence token")
        pad = special("pad", "<pad>") or eos
        if pad is None:
            raise WeightsError(f"{source}: the vocabulary has neither a padding nor an end-of-sequence token")
        self.bos = bos
        self.bos_id = tokenizer.token_to_id(bos)
        self.eos_id = tokenizer.token_to_id(eos) if eos is not None else None
        self.pad_id = tokenizer.token_to_id(pad)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # The file's own post-processor puts BOS in front, whatever add_bos_token says, as in transformers. A file that
        # has none gets one: Gemma never saw a text without BOS, and an empty prompt would be no token at all.
        if tokenizer.post_processor is None:
            tokenizer.post_processor = TemplateProcessing(
                single=[bos, "$A"], special_tokens=[(bos, tokenizer.token_to_id(bos))]
            )
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> PromptTokenizer:
        """Raises WeightsError when the folder has no readable tokenizer.json."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise WeightsError(f"{path}: no such file", hint="The Gemma folder needs the tokenizer beside the weights.")
        config = read_json(folder / "tokenizer_config.json")
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # noqa: BLE001 - the package raises bare Exception, and nothing narrower
            raise WeightsError(f"{path}: not a tokenizer ({error})") from None
        return cls(tokenizer, config, str(path))

    def __call__(self, prompt: str, length: int = MAX_TOKENS) -> Tokens:
        """Strips, puts BOS in front, keeps the first `length` tokens, pads on the left to exactly `length`."""
        self._tokenizer.enable_truncation(length)
        ids = self.ids(prompt.strip())
        self._tokenizer.no_truncation()
        padding = length - len(ids)
        return Tokens(
            mx.array([[self.pad_id] * padding + ids], mx.int32),
            mx.array([[0] * padding + [1] * len(ids)], mx.int32),
        )

    def ids(self, text: str) -> list[int]:
        """The ids of the text as it stands, with BOS in front; special tokens written out in it are recognised."""
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(
                "the prompt is not valid Unicode: it holds half of a surrogate pair", hint="Remove that character."
            ) from None
        return list(self._tokenizer.encode(text).ids)

    def text(self, ids: list[int]) -> str:
        """Special tokens are left out; bytes that form no character become U+FFFD."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def id_of(self, token: str) -> int | None:
        found = self._tokenizer.token_to_id(token)
        return int(found) if found is not None else None


def read_json(path: Path) -> dict[str, Any]:
    """The object stored in a JSON file; empty when there is no such file. Raises WeightsError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise WeightsError(f"{path}: not readable as JSON (nested too deep)") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: not a JSON object")
    return content
