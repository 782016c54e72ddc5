"""Loading, fusing and quantizing: the right weights, and a peak that stays near what remains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import mlx.core as mx
import mlx.nn as nn
import pytest

from ltxbench.errors import UsageError
from ltxbench.matrix.case import Case, LoraUse, Model, Quantization, QuantizedLayers
from ltxbench.model import joined_linear
from ltxbench.model.checkpoint import named_parameters
from ltxbench.model.lora import fuse
from ltxbench.model.quantize import quantize
from ltxbench.model.transformer import VideoTransformer
from ltxbench.run import mlx_loading
from ltxbench.run.mlx_loading import fuse_distilled_lora, load_transformer, materialize, parts
from ltxbench.run.records import Phase
from ltxbench.weights.files import RandomWeights
from ltxbench.weights.random import sizes
from ltxbench.weights.random.sizes import SMALL
from ltxbench.weights.source import RandomSource

DEEP = replace(SMALL, heads=2, blocks=12)
"""Blocks of 0.5 MB, enough of them that a part is a small share of the whole."""


class Watch:
    """A recorder that keeps the order of phases and the peak of each."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self.stated: dict[str, object] = {}
        self.peak_bytes = 0

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        mx.reset_peak_memory()
        yield
        mx.synchronize()
        self.phases.append(phase)
        self.peak_bytes = max(self.peak_bytes, mx.get_peak_memory())

    def step(self, **_):
        raise AssertionError("no denoising here")

    def facts(self, **facts: object) -> None:
        self.stated |= facts


@pytest.fixture
def source(monkeypatch) -> RandomSource:
    monkeypatch.setitem(sizes.PRESETS, "deep", DEEP)
    return RandomSource(RandomWeights(seed=1, size="deep"))


@pytest.fixture(autouse=True)
def apart(monkeypatch) -> None:
    """Products are not joined, as anywhere but on CUDA, unless a test says so."""
    monkeypatch.setattr(joined_linear, "joins", lambda: False)


@pytest.fixture
def small_parts(monkeypatch) -> None:
    monkeypatch.setattr(mlx_loading, "PART_BYTES", 600_000)
    monkeypatch.setattr(mlx_loading, "EVALUATED_BYTES", 200_000)


def case(**fields: object) -> Case:
    return Case.model_validate({"name": "a", "title": "A", "model": Model.DEV, **fields})


def size_bytes(module: nn.Module) -> int:
    return sum(array.nbytes for array in named_parameters(module).values())


def load(source: RandomSource, case: Case, dtype: mx.Dtype = mx.bfloat16) -> tuple[VideoTransformer, Watch, int]:
    """With the peak in bytes above what was allocated before."""
    watch = Watch()
    mx.synchronize()
    mx.clear_cache()
    before = mx.get_active_memory()
    transformer = load_transformer(case, source, source.unified(case.model), watch, dtype)
    return transformer, watch, watch.peak_bytes - before


@pytest.mark.parametrize("quantization", list(Quantization))
@pytest.mark.parametrize("lora", [LoraUse.NONE, LoraUse.ALL])
@pytest.mark.usefixtures("small_parts")
def test_part_by_part_gives_what_the_whole_at_once_gives(source, quantization, lora):
    chosen = case(quantization=quantization, distilled_lora=lora)
    loaded, _, _ = load(source, chosen, mx.float32)
    whole = VideoTransformer.from_checkpoint(source.unified(Model.DEV), mx.float32)
    if lora is LoraUse.ALL:
        fuse(whole, source.distilled_lora())
    quantize(whole, quantization)
    expected, found = named_parameters(whole), named_parameters(loaded)
    assert expected.keys() == found.keys()
    assert all(mx.array_equal(expected[name], found[name]).item() for name in expected)


@pytest.mark.parametrize(("quantization", "most"), [(Quantization.QINT8, 0.75), (Quantization.INT4, 0.5)])
@pytest.mark.parametrize("lora", [LoraUse.NONE, LoraUse.ALL])
@pytest.mark.usefixtures("small_parts")
def test_a_quantized_transformer_is_never_there_in_full_precision(source, quantization, lora, most):
    full_bytes = size_bytes(VideoTransformer.from_checkpoint(source.unified(Model.DEV), mx.bfloat16))
    _, watch, peak_bytes = load(source, case(quantization=quantization, distilled_lora=lora))
    assert peak_bytes < most * full_bytes
    assert watch.phases.count(Phase.QUANTIZE) > 5


@pytest.mark.parametrize("lora", [LoraUse.NONE, LoraUse.ALL])
@pytest.mark.usefixtures("small_parts")
def test_an_unquantized_one_needs_little_more_than_itself(source, lora):
    transformer, _, peak_bytes = load(source, case(distilled_lora=lora))
    pairs_bytes = sum(array.nbytes for array in source.distilled_lora().tensors("").values())
    assert pairs_bytes > 0.4 * size_bytes(transformer)
    assert peak_bytes < 1.2 * size_bytes(transformer)


@pytest.mark.parametrize("joins", [False, True])
@pytest.mark.usefixtures("small_parts")
def test_the_lora_of_stage_2_is_let_go_pair_by_pair(source, joins, monkeypatch):
    monkeypatch.setattr(joined_linear, "joins", lambda: joins)
    transformer, _, _ = load(source, case(distilled_lora=LoraUse.STAGE_2))
    watch = Watch()
    before = mx.get_active_memory()
    fuse_distilled_lora(case(distilled_lora=LoraUse.STAGE_2), source, transformer, watch)
    assert watch.phases == [Phase.LORA]
    assert watch.peak_bytes - before < 0.2 * size_bytes(transformer)
    assert watch.stated == {"distilled_lora_matched": 127, "distilled_lora_skipped": 0}


def test_each_phase_is_told_in_a_stretch_of_its_own_for_every_part(source, small_parts):
    _, watch, _ = load(source, case(quantization=Quantization.QINT8, distilled_lora=LoraUse.ALL))
    first, second, *stretches = watch.phases
    assert (first, second) == (Phase.LOAD, Phase.LORA)
    assert stretches == [Phase.LOAD, Phase.LORA, Phase.QUANTIZE] * (len(stretches) // 3)
    assert watch.stated["quantized_layers"] == 127


def joined(transformer: VideoTransformer) -> list[bool]:
    attentions = [block.attn1 for block in transformer.transformer_blocks]
    return [attention.joined is not None for attention in attentions]


@pytest.mark.parametrize("quantization", list(Quantization))
@pytest.mark.parametrize("lora", [LoraUse.NONE, LoraUse.ALL])
@pytest.mark.usefixtures("small_parts")
def test_joining_products_ends_the_loading_and_changes_no_weight(source, quantization, lora, monkeypatch):
    chosen = case(quantization=quantization, distilled_lora=lora)
    apart, before, _ = load(source, chosen)
    monkeypatch.setattr(joined_linear, "joins", lambda: True)
    transformer, watch, _ = load(source, chosen)
    assert all(joined(transformer))
    assert watch.phases == [*before.phases, Phase.LOAD]
    expected, found = named_parameters(apart), named_parameters(transformer)
    assert expected.keys() == found.keys()
    assert all(mx.array_equal(expected[name], found[name]).item() for name in expected)


@pytest.mark.usefixtures("small_parts")
def test_joining_products_needs_little_more_memory(source, monkeypatch):
    monkeypatch.setattr(joined_linear, "joins", lambda: True)
    transformer, _, peak_bytes = load(source, case())
    assert all(joined(transformer))
    assert peak_bytes < 1.1 * size_bytes(transformer)


@pytest.mark.parametrize("quantization", list(Quantization))
@pytest.mark.usefixtures("small_parts")
def test_the_lora_of_stage_2_leaves_all_products_joined_and_nothing_of_the_old_ones(source, quantization, monkeypatch):
    chosen = case(distilled_lora=LoraUse.STAGE_2, quantization=quantization)

    def fused_in_stage_2() -> VideoTransformer:
        transformer, _, _ = load(source, chosen)
        before = mx.get_active_memory()
        fuse_distilled_lora(chosen, source, transformer, Watch())
        assert mx.get_active_memory() - before < 0.01 * size_bytes(transformer)
        return transformer

    apart = fused_in_stage_2()
    monkeypatch.setattr(joined_linear, "joins", lambda: True)
    transformer = fused_in_stage_2()
    assert all(joined(transformer))
    expected, found = named_parameters(apart), named_parameters(transformer)
    assert all(mx.array_equal(expected[name], found[name]).item() for name in expected)


def test_bf16_without_a_lora_is_only_loaded(source):
    _, watch, _ = load(source, case())
    assert set(watch.phases) == {Phase.LOAD}
    assert "quantized_layers" not in watch.stated


def test_only_the_blocks_are_quantized_when_the_case_says_so(source, small_parts):
    chosen = case(quantization=Quantization.INT4, quantized_layers=QuantizedLayers.BLOCKS)
    transformer, watch, _ = load(source, chosen)
    assert isinstance(transformer.transformer_blocks[11].ff.net[2], nn.QuantizedLinear)
    assert not isinstance(transformer.proj_out, nn.QuantizedLinear)
    assert watch.stated["quantized_layers"] == 120


def test_parts_cover_every_layer_once_and_keep_to_the_limit(source):
    transformer = VideoTransformer.from_checkpoint(source.unified(Model.DEV), mx.bfloat16)
    divided = parts(transformer, 300_000)
    owners = [owner for part in divided for owner in part]
    assert sorted(owners) == sorted({name.rpartition(".")[0] for name in named_parameters(transformer)})
    sizes_bytes = {
        part: sum(a.nbytes for n, a in named_parameters(transformer).items() if n.rpartition(".")[0] in part)
        for part in divided
    }
    assert all(size <= 300_000 or len(part) == 1 for part, size in sizes_bytes.items())
    assert len(divided) > 5


def test_materialize_leaves_nothing_to_be_done(source):
    transformer = VideoTransformer.from_checkpoint(source.unified(Model.DEV), mx.bfloat16)
    materialize(transformer)
    active = mx.get_active_memory()
    mx.eval(transformer.parameters())
    assert mx.get_active_memory() == active


def test_a_block_that_the_model_lacks_is_told_before_anything_is_read(source):
    with pytest.raises(UsageError, match="block 12, but the model has 12"):
        load(source, case(stg=1.0, stg_blocks=(12,)))
