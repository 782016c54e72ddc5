"""Prompt enhancement: Gemma itself writes the prompt out before it is encoded.

Official: GemmaTextEncoder.enhance_t2v in ltx_core.text_encoders.gemma and clean_response in ltx_pipelines. What is
the same: the chat template with a system and a user role, the second BOS (the template writes one and the tokenizer
adds its own), temperature 0.7 over the 50 likeliest tokens (transformers' default), at most 512 new tokens, the
cleaning of the answer. What is not: the instruction is this project's own, with the aim of the official one
(gemma_t2v_system_prompt.txt, sha256 0f98f02f9fffae27ee3f576685d6d9f9ef13194a0c2068aacdd97f86ea96efd2); the input
isn't padded to a multiple of 8; and tokens are drawn by NumPy's Philox in float64, so that a seed gives the same text
wherever the logits agree. torch's text for a seed can't be had.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from ltxbench.model.gemma import TextEncoder
from ltxbench.model.tokenizer import PromptTokenizer

TEMPERATURE = 0.7
TOP_K = 50
MAX_NEW_TOKENS = 512

INSTRUCTION = """\
You write prompts for a model that turns text into video with sound. You are given a short idea and answer with one \
paragraph, in English, that such a model can follow from the first frame to the last.

Keep to the idea: everything that it names appears in your paragraph, and nothing that contradicts it. Where it is \
vague, decide on particulars that can be seen or heard: the place, the light, the materials, what people wear and \
how they look. Add no people who were not asked for.

Begin with the look, as in "Style: cinematic, realistic," unless the idea names another, then tell what happens in \
the present tense and in order, linking the actions in time. Say what is heard along with what causes it. Words are \
spoken only if the idea has someone speak or sing; then quote them exactly and describe the voice, and leave words \
that were given as they are.

Leave out moves of the camera, cuts and times that were not asked for, and anything that is neither seen nor heard. \
Prefer plain words to strong ones. An idea that is already a full description in this form changes little.

Answer with the paragraph alone: no title, no list, no markup, no question."""

_ASCII = str.maketrans(
    {"‘": "'", "’": "'", "′": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "\N{NO-BREAK SPACE}": " "}
)

OnToken = Callable[[int, int], None]


@dataclass(frozen=True)
class Enhancer:
    """A loaded Gemma that writes prompts."""

    tokenizer: PromptTokenizer
    encoder: TextEncoder

    @classmethod
    def load(cls, folder: Path, dtype: mx.Dtype) -> Enhancer:
        """All weights in memory. Raises WeightsError when the folder isn't a complete Gemma 3 with its tokenizer."""
        enhancer = cls(PromptTokenizer.load(folder), TextEncoder.load(folder, dtype))
        mx.eval(enhancer.encoder.model.parameters())
        return enhancer

    def __call__(
        self, prompt: str, seed: int, max_new_tokens: int = MAX_NEW_TOKENS, *, on_token: OnToken | None = None
    ) -> str:
        """The prompt written out; the same for the same weights, prompt and seed.

        `on_token(done, max_new_tokens)` is called after each token. An answer without a single letter is none: the
        prompt is then returned as it came. Raises UsageError for a prompt that isn't valid Unicode.
        """
        ids = self.tokenizer.ids(chat(prompt, bos=self.tokenizer.bos))
        answer = generate(self.tokenizer, self.encoder, ids, seed, max_new_tokens, on_token=on_token)
        return clean(self.tokenizer.text(answer)) or prompt


def enhance(
    folder: Path, prompt: str, seed: int, max_new_tokens: int = MAX_NEW_TOKENS, dtype: mx.Dtype = mx.bfloat16
) -> str:
    """`prompt` as written out by the Gemma in `folder`, which is in memory only meanwhile."""
    return Enhancer.load(folder, dtype)(prompt, seed, max_new_tokens)


def chat(prompt: str, *, bos: str = "<bos>", instruction: str = INSTRUCTION) -> str:
    """Gemma 3's chat template: the system text is folded into the user's turn, and the model's turn is opened."""
    user = f"user prompt: {prompt}".strip()
    return f"{bos}<start_of_turn>user\n{instruction}\n\n{user}<end_of_turn>\n<start_of_turn>model\n"


def generate(
    tokenizer: PromptTokenizer,
    encoder: TextEncoder,
    ids: list[int],
    seed: int,
    max_new_tokens: int,
    *,
    on_token: OnToken | None = None,
) -> list[int]:
    """The ids that follow, up to the end of the turn or the text, which is left out."""
    ends = {*encoder.config.eos_ids, tokenizer.eos_id, tokenizer.id_of("<end_of_turn>")}
    random = np.random.Generator(np.random.Philox(seed))
    caches = encoder.caches()
    answer: list[int] = []
    new = ids
    while len(answer) < max_new_tokens:
        logits = np.asarray(encoder.next_logits(mx.array([new], mx.int32), caches))
        token = draw(logits, random)
        if token in ends:
            break
        answer.append(token)
        new = [token]
        if on_token is not None:
            on_token(len(answer), max_new_tokens)
    return answer


def draw(
    logits: npt.NDArray[np.float32],
    random: np.random.Generator,
    *,
    temperature: float = TEMPERATURE,
    top_k: int = TOP_K,
) -> int:
    """One id out of [vocabulary] logits, from one uniform number, likelier ids first and the lower of two alike."""
    likeliest = np.argsort(-logits, kind="stable")[:top_k]
    scaled = logits[likeliest].astype(np.float64) / temperature
    cumulative = np.cumsum(np.exp(scaled - scaled[0]))
    place = np.searchsorted(cumulative, random.random() * cumulative[-1], side="right")
    return int(likeliest[min(int(place), len(likeliest) - 1)])


def clean(text: str) -> str:
    """One printable line that begins with a letter, typographic quotes and dashes in ASCII; empty without a letter."""
    plain = " ".join(text.translate(_ASCII).split())
    printable = "".join(c for c in plain if c != "\N{REPLACEMENT CHARACTER}" and unicodedata.category(c)[0] != "C")
    start = next((i for i, c in enumerate(printable) if c.isalpha()), len(printable))
    return " ".join(printable[start:].split())
