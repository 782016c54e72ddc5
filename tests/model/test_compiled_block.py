"""Blocks replayed by MLX give what Python's give; MLX compiles for a CPU as well, where it is switched on here."""

from __future__ import annotations

import gc
import shutil
import weakref
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from ltxbench.matrix.case import Quantization
from ltxbench.model import compiled_block, device_queue, joined_linear
from ltxbench.model.block import TransformerBlock
from ltxbench.model.device_queue import DeviceQueue, Then
from ltxbench.model.quantize import quantize
from ltxbench.model.transformer import VideoTransformer
from tests.model import stored_transformer
from tests.model.stored_transformer import FPS, GRID, stored

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None and not mx.cuda.is_available(), reason="MLX compiles for a CPU by g++"
)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[TransformerBlock]:
    """The blocks that Python puts together, while few rows are compiled."""
    ran: list[TransformerBlock] = []
    call = TransformerBlock.__call__

    def spied(self: TransformerBlock, *args: Any, **options: Any) -> mx.array:
        ran.append(self)
        return call(self, *args, **options)

    monkeypatch.setattr(TransformerBlock, "__call__", spied)
    monkeypatch.setattr(compiled_block, "available", lambda: True)
    return ran


def velocity(
    transformer: VideoTransformer, *, skip: tuple[int, ...] = (), timesteps: str = "timesteps", rows: int | None = None
) -> np.ndarray:
    inputs = stored("transformer")
    conditioning = transformer.prepare(inputs["inputs.context"], GRID, FPS)
    latent, levels = inputs["inputs.latent"][:rows], inputs[f"inputs.{timesteps}"][:rows]
    return np.array(transformer(latent, levels, conditioning, skip_self_attention=skip))


def direct(transformer: VideoTransformer, monkeypatch: pytest.MonkeyPatch, **options: Any) -> np.ndarray:
    with monkeypatch.context() as patch:
        patch.setattr(compiled_block, "COMPILED_ROWS", 0)
        return velocity(transformer, **options)


@pytest.mark.parametrize("joins", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"timesteps": "timesteps_by_token"}, {"skip": (1,)}, {"rows": 1}], ids=lambda each: str(each)
)
def test_compiled_blocks_give_the_same_velocity(
    joins: bool, options: dict[str, Any], runs: list[TransformerBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_linear, "joins", lambda: joins)
    transformer = stored_transformer.transformer()
    transformer.join_products()
    expected = direct(transformer, monkeypatch, **options)
    for _ in range(2):
        ours = velocity(transformer, **options)
        assert np.linalg.norm(ours - expected) <= 1e-6 * np.linalg.norm(expected)


def test_python_puts_a_block_together_once_for_each_shape(runs: list[TransformerBlock]) -> None:
    transformer = stored_transformer.transformer()
    for _ in range(3):
        velocity(transformer)
    assert runs == transformer.transformer_blocks
    velocity(transformer, rows=1)
    assert runs == transformer.transformer_blocks * 2
    velocity(transformer, skip=(0,))
    assert runs == [*transformer.transformer_blocks * 2, transformer.transformer_blocks[0]]


@pytest.mark.parametrize("joins", [False, True])
@pytest.mark.parametrize("layer", ["to_q", "to_out"])
def test_weights_that_were_changed_count_at_once_joined_or_not(
    joins: bool, layer: str, runs: list[TransformerBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_linear, "joins", lambda: joins)
    transformer = stored_transformer.transformer()
    transformer.join_products()
    before = velocity(transformer)
    attention = transformer.transformer_blocks[1].attn1
    linear = attention.to_q if layer == "to_q" else attention.to_out[0]
    linear.weight = linear.weight * 3
    after = velocity(transformer)
    assert np.linalg.norm(after - before) > 1e-3 * np.linalg.norm(before)
    for _ in range(2):
        expected = direct(transformer, monkeypatch)
        assert np.linalg.norm(velocity(transformer) - expected) <= 1e-6 * np.linalg.norm(expected)
        transformer.join_products()


def test_what_is_joined_stays_joined_whatever_is_compiled(
    runs: list[TransformerBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_linear, "joins", lambda: True)
    transformer = stored_transformer.transformer()
    transformer.join_products()
    joined = [block.attn1.joined for block in transformer.transformer_blocks]
    assert None not in joined
    for rows in (None, 1, None):
        velocity(transformer, rows=rows)
        assert [block.attn1.joined for block in transformer.transformer_blocks] == joined
    assert runs == transformer.transformer_blocks * 2


def test_quantized_blocks_and_many_rows_are_not_compiled(
    runs: list[TransformerBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    quantized = stored_transformer.transformer()
    quantize(quantized, Quantization.QINT8)
    large = stored_transformer.transformer()
    for transformer, rows in ((quantized, None), (large, 0)):
        runs.clear()
        with monkeypatch.context() as patch:
            if rows is not None:
                patch.setattr(compiled_block, "COMPILED_ROWS", rows)
            for _ in range(2):
                velocity(transformer)
        assert runs == transformer.transformer_blocks * 2


def test_a_compiled_block_is_handed_over_whole(runs: list[TransformerBlock], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the queue of a GPU on the device at hand."""
    transformer, pieces = stored_transformer.transformer(), list[int]()
    hand_over = DeviceQueue._hand_over

    def spied(queue: DeviceQueue, piece: tuple[mx.array, ...], then: Then | None) -> None:
        pieces.append(len(piece))
        hand_over(queue, piece, then)

    inputs = stored("transformer")
    conditioning = transformer.prepare(inputs["inputs.context"], GRID, FPS)
    monkeypatch.setattr(device_queue, "on_gpu", lambda: True)
    monkeypatch.setattr(DeviceQueue, "_hand_over", spied)
    mx.eval(transformer(inputs["inputs.latent"], inputs["inputs.timesteps"], conditioning))
    assert pieces == [1] * len(transformer.transformer_blocks)


def test_the_weights_go_with_the_transformer(runs: list[TransformerBlock]) -> None:
    transformer = stored_transformer.transformer()
    velocity(transformer)
    blocks = [weakref.ref(block) for block in transformer.transformer_blocks]
    runs.clear()
    gc.disable()  # tens of gigabytes must not wait for the garbage collector
    try:
        del transformer
        assert [block() for block in blocks] == [None] * len(blocks)
    finally:
        gc.enable()
