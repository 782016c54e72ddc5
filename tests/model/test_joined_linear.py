"""One product for queries, keys and values; MLX computes it on a CPU as well, where it is switched on here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from ltxbench.matrix.case import Quantization
from ltxbench.model import joined_linear, quantized_linear
from ltxbench.model.attention import Attention
from ltxbench.model.checkpoint import Checkpoint, named_parameters
from ltxbench.model.joined_linear import JoinedLinear, join
from ltxbench.model.lora import fuse
from ltxbench.model.positions import token_positions
from ltxbench.model.quantize import quantize
from ltxbench.model.rope import Rope
from tests.model import stored_transformer
from tests.model.stored_transformer import FPS, GRID, stored

HEADS, HEAD_DIM, TOKENS = 2, 64, 24
DIM = HEADS * HEAD_DIM
KINDS = ["float32", "bfloat16", "qint8", "int4", "qint8 unpacked", "int4 unpacked"]


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn1 = Attention(DIM, HEADS, HEAD_DIM, eps=1e-6)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each joined product that is taken."""
    rows: list[int] = []
    multiply = JoinedLinear.__call__
    monkeypatch.setattr(
        JoinedLinear, "__call__", lambda self, x: (rows.append(x.size // x.shape[-1]), multiply(self, x))[1]
    )
    return rows


def model(kind: str, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The same one on every call."""
    mx.random.seed(5)
    name, *unpacked = kind.split()
    made = Model()
    made.set_dtype(mx.float32 if name == "float32" else mx.bfloat16)
    monkeypatch.setattr(quantized_linear, "unpacks", lambda: bool(unpacked))
    if name in ("qint8", "int4"):
        quantize(made, Quantization(name))
    mx.eval(made.parameters())
    return made


def attend(model: Model) -> np.ndarray:
    rotation = Rope(HEADS, HEAD_DIM, (20, 2048, 2048)).rotation(token_positions((2, 3, 4), 24))
    x = mx.random.normal((2, TOKENS, DIM), key=mx.random.key(1)).astype(model.attn1.q_norm.weight.dtype)
    return np.array(model.attn1(x, rotation).astype(mx.float32))


def assert_near(ours: np.ndarray, reference: np.ndarray, kind: str) -> None:
    """To rounding: a wider product may be summed in another order."""
    assert np.linalg.norm(ours - reference) <= (1e-6 if kind == "float32" else 5e-3) * np.linalg.norm(reference)


def lora(folder: Path, *layers: str) -> Checkpoint:
    rng, tensors = np.random.default_rng(3), {}
    for layer in layers:
        for half, shape in (("A", (4, DIM)), ("B", (DIM, 4))):
            values = mx.array(rng.normal(size=shape) / 4, mx.bfloat16)
            tensors[f"diffusion_model.attn1.{layer}.lora_{half}.weight"] = values
    mx.save_safetensors(str(folder / "lora.safetensors"), tensors)
    return Checkpoint(folder / "lora.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_one_product_gives_what_three_give(kind: str, products: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    joined = model(kind, monkeypatch)
    apart = attend(joined)
    assert not products
    joined.attn1.join()
    assert_near(attend(joined), apart, kind)
    assert products == [2 * TOKENS]


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_values_of_parameters_stay_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    joined, apart = model(kind, monkeypatch), named_parameters(model(kind, monkeypatch))
    modules = [path for path, _ in joined.named_modules()]
    joined.attn1.join()
    assert [path for path, _ in joined.named_modules()] == modules
    ours = named_parameters(joined)
    assert list(ours) == list(apart)
    assert all(ours[name].dtype == apart[name].dtype for name in apart)
    assert all(mx.array_equal(ours[name], apart[name]) for name in apart)


@pytest.mark.parametrize("kind", KINDS)
def test_no_weight_is_held_twice(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = model(kind, monkeypatch)
    mx.synchronize()
    mx.clear_cache()
    before = mx.get_active_memory()
    joined.attn1.join()
    assert joined.attn1._joined is not None
    # Three weights would be held besides; a buffer may be somewhat larger than what it holds.
    assert mx.get_active_memory() - before < joined.attn1.to_q.weight.nbytes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [("to_q",), ("to_k", "to_v"), ("to_q", "to_k", "to_v", "to_out.0")])
def test_a_lora_makes_the_same_weights_before_and_after_and_is_never_missed(
    kind: str, layers: tuple[str, ...], products: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = lora(tmp_path, *layers)
    apart, before, after = (model(kind, monkeypatch) for _ in range(3))
    plain = attend(apart)
    fuse(apart, checkpoint)
    expected = attend(apart)
    assert np.linalg.norm(expected - plain) > 0.05 * np.linalg.norm(plain)

    fuse(before, checkpoint)
    before.attn1.join()
    assert_near(attend(before), expected, kind)
    assert len(products) == 1

    after.attn1.join()
    fuse(after, checkpoint)
    assert_near(attend(after), expected, kind)
    assert len(products) == 1
    after.attn1.join()
    assert_near(attend(after), expected, kind)
    assert len(products) == 2
    ours, theirs = named_parameters(after), named_parameters(apart)
    assert all(mx.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_quantization_after_joining_is_not_missed_either(
    products: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = model("bfloat16", monkeypatch)
    joined.attn1.join()
    quantize(joined, Quantization.INT4)
    assert_near(attend(joined), attend(model("int4", monkeypatch)), "int4")
    assert not products


def test_joining_again_does_nothing_to_unchanged_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = model("float32", monkeypatch)
    joined.attn1.join()
    first, weight = joined.attn1._joined, joined.attn1.to_q.weight
    joined.attn1.join()
    assert joined.attn1._joined is first
    assert joined.attn1.to_q.weight is weight


def test_values_are_attended_to_where_the_one_product_left_them(monkeypatch: pytest.MonkeyPatch) -> None:
    joined, seen = model("float32", monkeypatch), list[mx.array]()
    joined.attn1.join()
    attention = mx.fast.scaled_dot_product_attention
    monkeypatch.setattr(
        mx.fast,
        "scaled_dot_product_attention",
        lambda q, k, v, scale: (seen.append(v), attention(q, k, v, scale=scale))[1],
    )
    attend(joined)
    rows_bytes = 3 * DIM * 4
    assert memoryview(seen[0]).strides == (TOKENS * rows_bytes, HEAD_DIM * 4, rows_bytes, 4)


def without_bias(layer: nn.Module) -> nn.Module:
    del layer["bias"]
    return layer


def quantized(layer: nn.Module, bits: int, group_size: int = 64) -> nn.Module:
    return nn.QuantizedLinear.from_linear(layer, group_size, bits)


def in_bfloat16(layer: nn.Module) -> nn.Module:
    layer.set_dtype(mx.bfloat16)
    return layer


class Other(nn.Linear):
    pass


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [nn.Linear(DIM, DIM), nn.Linear(DIM, DIM), without_bias(nn.Linear(DIM, DIM))],
        lambda: [nn.Linear(DIM, DIM), nn.Linear(DIM, 2 * DIM), nn.Linear(DIM, DIM)],
        lambda: [nn.Linear(DIM, DIM), in_bfloat16(nn.Linear(DIM, DIM)), nn.Linear(DIM, DIM)],
        lambda: [nn.Linear(DIM, DIM), nn.Linear(DIM, DIM), quantized(nn.Linear(DIM, DIM), 8)],
        lambda: [quantized(nn.Linear(DIM, DIM), bits) for bits in (8, 4, 8)],
        lambda: [quantized(nn.Linear(DIM, DIM), 8, group) for group in (64, 64, 32)],
        lambda: [Other(DIM, DIM) for _ in range(3)],
    ],
)
def test_layers_that_are_not_alike_are_left(layers: Callable[[], list[nn.Module]]) -> None:
    apart = layers()
    before = [id(array) for layer in apart for array in layer.values()]
    assert join(apart) is None
    assert [id(array) for layer in apart for array in layer.values()] == before


@pytest.mark.parametrize("on", [False, True])
def test_a_transformer_joins_its_self_attention_alone_and_where_that_is_faster(
    on: bool, products: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_linear, "joins", lambda: on)
    transformer = stored_transformer.transformer()
    transformer.join_products()
    assert [block.attn1._joined is not None for block in transformer.transformer_blocks] == [on, on]
    assert all(block.attn2._joined is None for block in transformer.transformer_blocks)

    inputs = stored("transformer")
    conditioning = transformer.prepare(inputs["inputs.context"], GRID, FPS)
    for skip, expected in (((), "scalar"), ((1,), "skip_1")):
        out = transformer(inputs["inputs.latent"], inputs["inputs.timesteps"], conditioning, skip_self_attention=skip)
        reference = np.array(inputs[f"expected.{expected}"], np.float64)
        assert np.linalg.norm(np.array(out) - reference) <= 1e-5 * np.linalg.norm(reference)
    assert len(products) == (3 if on else 0)
