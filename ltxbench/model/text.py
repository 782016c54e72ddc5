"""Prompt to the context of the video transformer: tokens, Gemma, features, connector.

In two steps, so that Gemma can be freed before the checkpoint's own weights are loaded: `read_prompt` needs the
tokenizer and Gemma, `TextProjection` the feature extractor and the connector.

Gemma attends causally and does not see padding, padded rows are zero in the features and replaced in the connector:
columns that are padding for every prompt of a batch are left out of the computation, and the positions of the others
kept. It is the same function; a prompt of 60 tokens takes a seventeenth of the work of its 1024 padded ones.
Official: ltx_core.text_encoders.gemma (base_encoder, embeddings_processor).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np

from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.connector import Connector
from ltxbench.model.features import FeatureExtractor, normalize
from ltxbench.model.gemma import TextEncoder
from ltxbench.model.tokenizer import MAX_TOKENS, PromptTokenizer, Tokens


@dataclass(frozen=True)
class PromptStates:
    """What Gemma makes of one prompt: all that is needed of it."""

    normalized: mx.array
    """[1, S, width·(layers + 1)], the padding that all prompts share left out."""
    mask: mx.array
    """int32 [1, S]."""
    length: int
    """Positions with padding: the text length T of the model."""

    @property
    def valid_tokens(self) -> int:
        return int(np.asarray(self.mask).sum())


@dataclass(frozen=True)
class PromptContext:
    context: mx.array
    """[1, T, width of the connector]: all T positions count, none is masked."""
    valid_tokens: int
    """How many of the T are tokens of the prompt, BOS included; the rest came from registers."""


class TextProjection:
    """The unified checkpoint's part: feature extractor and connector."""

    def __init__(self, features: FeatureExtractor, connector: Connector) -> None:
        self.features = features
        self.connector = connector

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, dtype: mx.Dtype) -> TextProjection:
        return cls(FeatureExtractor.from_checkpoint(checkpoint, dtype), Connector.from_checkpoint(checkpoint, dtype))

    def __call__(self, states: PromptStates) -> PromptContext:
        context = self.connector(self.features(states.normalized), states.mask, states.length)
        return PromptContext(context, states.valid_tokens)


def read_prompt(
    tokenizer: PromptTokenizer, encoder: TextEncoder, prompt: str, length: int = MAX_TOKENS
) -> PromptStates:
    """Tokenizes the prompt and runs Gemma; lazy until evaluated."""
    return gemma_states(encoder, tokenizer(prompt, length))


def gemma_states(encoder: TextEncoder, tokens: Tokens) -> PromptStates:
    ids, mask = tokens
    length = ids.shape[1]
    # The first column that is a token of any prompt; of padding alone the last column stays.
    columns = np.flatnonzero(np.asarray(mask).any(axis=0))
    start = int(columns[0]) if columns.size else length - 1
    ids, mask = ids[:, start:], mask[:, start:]
    return PromptStates(normalize(encoder.hidden_states(ids, mask, offset=start), mask), mask, length)


def encode_prompt(
    tokenizer: PromptTokenizer, encoder: TextEncoder, projection: TextProjection, prompt: str, length: int = MAX_TOKENS
) -> PromptContext:
    """One prompt with all weights at hand."""
    return projection(read_prompt(tokenizer, encoder, prompt, length))


def encode_prompts(
    gemma: Path, checkpoint: Checkpoint, prompts: Sequence[str], dtype: mx.Dtype, length: int = MAX_TOKENS
) -> list[PromptContext]:
    """Prompt and negative prompt, say; Gemma is gone from memory before the projection is loaded, and both after.

    Raises WeightsError for either source, UsageError for a prompt that is not valid Unicode.
    """
    tokenizer, encoder = PromptTokenizer.load(gemma), TextEncoder.load(gemma, dtype)
    states = [read_prompt(tokenizer, encoder, prompt, length) for prompt in prompts]
    mx.eval([state.normalized for state in states])
    del encoder
    mx.clear_cache()
    projection = TextProjection.from_checkpoint(checkpoint, dtype)
    contexts = [projection(state) for state in states]
    mx.eval([context.context for context in contexts])
    return contexts
