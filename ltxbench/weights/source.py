"""Where the pipeline gets each part from: files on disk, or the same interface drawn from a seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import mlx.core as mx
from tokenizers import Tokenizer

from ltxbench.matrix.case import Model
from ltxbench.model.checkpoint import Checkpoint, open_unified
from ltxbench.model.gemma import TextEncoder
from ltxbench.model.tokenizer import PromptTokenizer
from ltxbench.weights.files import RandomWeights, WeightFiles, required
from ltxbench.weights.random.checkpoint import RandomCheckpoint
from ltxbench.weights.random.parts import FILES, gemma_config
from ltxbench.weights.random.sizes import sizes_of
from ltxbench.weights.tiny import config
from ltxbench.weights.tiny.tokenizer import tokenizer_config, tokenizer_json


class WeightSource(Protocol):
    """Everything is opened when it is asked for, and nothing is in memory before it is evaluated.

    Raises WeightsError for a part that the weights lack or that is not what it should be.
    """

    def unified(self, model: Model) -> Checkpoint: ...

    def distilled_lora(self) -> Checkpoint: ...

    def upscaler(self) -> Checkpoint: ...

    def tokenizer(self) -> PromptTokenizer: ...

    def text_encoder(self, dtype: mx.Dtype) -> TextEncoder: ...


def open_source(files: WeightFiles) -> WeightSource:
    return FileSource(files) if files.random is None else RandomSource(files.random)


@dataclass(frozen=True)
class FileSource:
    files: WeightFiles

    def unified(self, model: Model) -> Checkpoint:
        path = self.files.distilled if model is Model.DISTILLED else self.files.dev
        return open_unified(required(path, f"the {model} model", self.files))

    def distilled_lora(self) -> Checkpoint:
        return Checkpoint(required(self.files.distilled_lora, "the distilled LoRA", self.files))

    def upscaler(self) -> Checkpoint:
        return Checkpoint(required(self.files.upscaler, "the spatial upscaler", self.files))

    def tokenizer(self) -> PromptTokenizer:
        return PromptTokenizer.load(self._gemma)

    def text_encoder(self, dtype: mx.Dtype) -> TextEncoder:
        return TextEncoder.load(self._gemma, dtype)

    @property
    def _gemma(self) -> Path:
        return required(self.files.gemma, "Gemma", self.files)


class RandomSource:
    """The tokenizer is `tiny`'s, of which every text has tokens."""

    def __init__(self, weights: RandomWeights) -> None:
        self.weights = weights
        self.sizes = sizes_of(weights.size)

    def unified(self, model: Model) -> Checkpoint:
        return self._checkpoint(model.value, config.unified(self.sizes))

    def distilled_lora(self) -> Checkpoint:
        return self._checkpoint("distilled-lora", {})

    def upscaler(self) -> Checkpoint:
        return self._checkpoint("upscaler", config.upscaler(self.sizes))

    def tokenizer(self) -> PromptTokenizer:
        return PromptTokenizer(Tokenizer.from_str(json.dumps(tokenizer_json())), tokenizer_config(), "random Gemma")

    def text_encoder(self, dtype: mx.Dtype) -> TextEncoder:
        tensors = self._checkpoint("gemma", {}).tensors("", dtypes=("BF16", "U32"))
        return TextEncoder.from_tensors(gemma_config(self.sizes), tensors, dtype, source="random Gemma")

    def _checkpoint(self, name: str, config: dict[str, object]) -> Checkpoint:
        return RandomCheckpoint(f"random {name} weights", FILES[name](self.sizes), config, self.weights.seed)
