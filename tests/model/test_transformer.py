from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from ltxbench.errors import WeightsError
from ltxbench.model import compiled_block, device_queue
from ltxbench.model import transformer as transformer_module
from ltxbench.model.attention import Attention
from ltxbench.model.checkpoint import named_parameters
from ltxbench.model.device_queue import DeviceQueue, Then
from ltxbench.model.flops import parameter_count
from ltxbench.model.rope import Rotation
from ltxbench.model.transformer import PREFIX, VideoTransformer
from ltxbench.model.transformer_config import Precision, RopeType, TransformerConfig, transformer_section
from tests.model import stored_transformer
from tests.model.stored_transformer import FPS, GRID, config, stored, weights, write


def relative_error(out: mx.array, reference: mx.array) -> float:
    out, reference = (np.array(array.astype(mx.float32), np.float64) for array in (out, reference))
    assert out.shape == reference.shape
    return float(np.linalg.norm(out - reference) / np.linalg.norm(reference))


@pytest.fixture(scope="module")
def transformer() -> VideoTransformer:
    return stored_transformer.transformer()


def velocity(transformer: VideoTransformer, timesteps: str = "timesteps", skip: tuple[int, ...] = ()) -> mx.array:
    inputs = stored("transformer")
    conditioning = transformer.prepare_at(inputs["inputs.context"], np.array(inputs["inputs.positions"]))
    return transformer(inputs["inputs.latent"], inputs[f"inputs.{timesteps}"], conditioning, skip_self_attention=skip)


@pytest.mark.parametrize(
    ("expected", "timesteps", "skip"),
    [("scalar", "timesteps", ()), ("by_token", "timesteps_by_token", ()), ("skip_1", "timesteps", (1,))],
)
def test_the_velocity_is_the_official_one(
    transformer: VideoTransformer, expected: str, timesteps: str, skip: tuple[int, ...]
) -> None:
    out = velocity(transformer, timesteps, skip)
    assert relative_error(out, stored("transformer")[f"expected.{expected}"]) <= 1e-5


def test_bfloat16_stays_near_float32() -> None:
    out = velocity(stored_transformer.transformer(mx.bfloat16))
    assert out.dtype == mx.bfloat16
    assert relative_error(out, stored("transformer")["expected.scalar"]) <= 0.02


def test_the_grid_and_rate_stand_for_their_positions(transformer: VideoTransformer) -> None:
    inputs = stored("transformer")
    conditioning = transformer.prepare(inputs["inputs.context"], GRID, FPS)
    out = transformer(inputs["inputs.latent"], inputs["inputs.timesteps"], conditioning)
    assert mx.array_equal(out, velocity(transformer))
    other = transformer.prepare(inputs["inputs.context"], GRID, 2 * FPS)
    assert relative_error(transformer(inputs["inputs.latent"], inputs["inputs.timesteps"], other), out) > 1e-3


def test_samples_of_a_batch_do_not_see_each_other(transformer: VideoTransformer) -> None:
    inputs = stored("transformer")
    both = velocity(transformer)
    for sample in range(2):
        one = slice(sample, sample + 1)
        conditioning = transformer.prepare(inputs["inputs.context"][one], GRID, FPS)
        alone = transformer(inputs["inputs.latent"][one], inputs["inputs.timesteps"][one], conditioning)
        assert relative_error(alone, both[one]) <= 1e-6


def test_conditionings_are_joined_into_one_batch(transformer: VideoTransformer) -> None:
    inputs = stored("transformer")
    first = transformer.prepare(inputs["inputs.context"][:1], GRID, FPS)
    second = transformer.prepare(inputs["inputs.context"][1:], GRID, FPS, rotation=first.rotation)
    joined = first.joined(second)
    assert joined.batch == 2
    out = transformer(inputs["inputs.latent"], inputs["inputs.timesteps"], joined)
    assert relative_error(out, velocity(transformer)) <= 1e-6


@pytest.mark.parametrize("per_token", [False, True])
def test_one_latent_under_two_prompts_is_that_latent_under_each(transformer: VideoTransformer, per_token: bool) -> None:
    inputs = stored("transformer")
    latent, levels = inputs["inputs.latent"][:1], inputs["inputs.timesteps"][:1]
    if per_token:
        levels = mx.linspace(0, 1, latent.shape[1])[None]
    both = transformer(latent, levels, transformer.prepare(inputs["inputs.context"], GRID, FPS))
    assert both.shape[0] == 2
    for sample in range(2):
        alone = transformer(latent, levels, transformer.prepare(inputs["inputs.context"][sample, None], GRID, FPS))
        assert relative_error(both[sample, None], alone) <= 1e-6


def test_what_comes_before_the_text_is_computed_once_for_all_prompts(
    transformer: VideoTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, batches = stored("transformer"), []
    attend = Attention.__call__

    def spied(self: Attention, x: mx.array, rotation: Rotation, **options: Any) -> mx.array:
        batches.append(x.shape[0])
        return attend(self, x, rotation, **options)

    monkeypatch.setattr(Attention, "__call__", spied)
    conditioning = transformer.prepare(inputs["inputs.context"], GRID, FPS)
    transformer(inputs["inputs.latent"][:1], inputs["inputs.timesteps"][:1], conditioning)
    assert batches == [1, 2]


def test_a_block_is_handed_over_in_thirds(transformer: VideoTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the queue of a GPU on the device at hand."""
    expected, pieces = velocity(transformer), list[int]()
    hand_over = DeviceQueue._hand_over
    monkeypatch.setattr(device_queue, "on_gpu", lambda: True)

    def spied(queue: DeviceQueue, piece: tuple[mx.array, ...], then: Then | None) -> None:
        pieces.extend(array.size // (2 * math.prod(GRID)) for array in piece)
        hand_over(queue, piece, then)

    inputs = stored("transformer")
    conditioning = transformer.prepare_at(inputs["inputs.context"], np.array(inputs["inputs.positions"]))
    monkeypatch.setattr(DeviceQueue, "_hand_over", spied)
    out = transformer(inputs["inputs.latent"], inputs["inputs.timesteps"], conditioning)
    assert pieces == [transformer.config.dim] * 3 * 2
    assert mx.array_equal(out, expected)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int | None]]:
    """Depth and bound of every queue that a transformer makes."""
    made: list[tuple[int, int | None]] = []
    monkeypatch.setattr(
        transformer_module, "DeviceQueue", lambda depth, held_bytes=None: made.append((depth, held_bytes))
    )
    return made


@pytest.mark.parametrize(("rows", "pieces"), [(1536, 2), (2304, 2), (3072, 1), (4608, 1)])
def test_the_queue_holds_as_much_memory_as_its_pieces_need(
    transformer: VideoTransformer,
    rows: int,
    pieces: int,
    queues: list[tuple[int, int | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A third of a block holds at most its input, what is 4 * dim wide twice, and its output."""
    monkeypatch.setattr(transformer_module, "available", lambda: True)
    transformer.queue(rows)
    ((depth, held_bytes),) = queues
    assert depth == pieces
    assert held_bytes is not None
    assert held_bytes >= pieces * rows * transformer.config.dim * transformer.dtype.size * (1 + 2 * 4 + 1)


def test_the_queue_of_compiled_blocks_holds_as_much_memory_as_two_of_them_need(
    transformer: VideoTransformer, queues: list[tuple[int, int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Self-attention, attention to the text and feed-forward hold 8, 6 and 10 arrays as wide as the rows, at least."""
    monkeypatch.setattr(compiled_block, "available", lambda: True)
    monkeypatch.setattr(transformer_module, "available", lambda: True)
    transformer.queue(768)
    ((depth, held_bytes),) = queues
    assert depth == 1
    assert held_bytes is not None
    assert held_bytes >= 768 * transformer.config.dim * transformer.dtype.size * 2 * (8 + 6 + 10)


def test_the_queue_is_bounded_on_cuda_alone(
    transformer: VideoTransformer, queues: list[tuple[int, int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer_module, "available", lambda: False)
    transformer.queue(1536)
    assert queues == [(2, None)]


def test_preparing_leaves_no_work_for_the_first_step(
    transformer: VideoTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[mx.array] = []
    monkeypatch.setattr(mx, "eval", evaluated.extend)
    context = stored("transformer")["inputs.context"]
    first = transformer.prepare(context, GRID, FPS)
    joined = first.joined(transformer.prepare(context, GRID, FPS))
    known = {id(array) for array in evaluated}
    assert all(id(array) in known for array in [*first.arrays(), *joined.arrays()])


def test_skipping_every_self_attention_makes_tokens_independent(transformer: VideoTransformer) -> None:
    inputs = stored("transformer")
    conditioning = transformer.prepare(inputs["inputs.context"], GRID, FPS)
    latent, timesteps = inputs["inputs.latent"], inputs["inputs.timesteps"]
    out = transformer(latent, timesteps, conditioning, skip_self_attention=(0, 1))
    changed = mx.concatenate([latent[:, :-1], latent[:, -1:] + 1], axis=1)
    moved = transformer(changed, timesteps, conditioning, skip_self_attention=(0, 1))
    assert relative_error(moved[:, :-1], out[:, :-1]) <= 1e-6
    assert relative_error(moved[:, -1:], out[:, -1:]) > 1e-2


def test_the_19b_has_the_official_1215_video_tensors() -> None:
    shapes = {name: array.shape for name, array in named_parameters(VideoTransformer(TransformerConfig())).items()}
    assert len(shapes) == 1215
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == parameter_count(TransformerConfig())
    assert shapes["transformer_blocks.47.ff.net.0.proj.weight"] == (16384, 4096)
    assert shapes["adaln_single.linear.weight"] == (24576, 4096)


def test_a_video_only_file_is_read_like_an_audio_video_one(tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "video.safetensors", weights(video_only=True), config())
    loaded = VideoTransformer.from_checkpoint(checkpoint, mx.float32)
    assert relative_error(velocity(loaded), stored("transformer")["expected.scalar"]) <= 1e-5


def test_connectors_and_other_components_are_left_alone(tmp_path: Path) -> None:
    extra = {
        f"{PREFIX}{name}": mx.zeros((2, 2))
        for name in ("video_embeddings_connector.x", "audio_embeddings_connector.x", "embeddings_connector.x")
    }
    checkpoint = write(tmp_path / "unified.safetensors", weights() | extra | {"vae.x": mx.zeros(1)}, config())
    VideoTransformer.from_checkpoint(checkpoint, mx.float32)


def test_linear_layers_can_be_quantized_without_changing_the_precision_of_the_rest() -> None:
    small = TransformerConfig(
        num_attention_heads=1, attention_head_dim=64, num_layers=1, in_channels=64, out_channels=64
    )
    model = VideoTransformer(small)
    model.set_dtype(mx.bfloat16)
    nn.quantize(model, group_size=64, bits=8)
    assert model.dtype == mx.bfloat16
    conditioning = model.prepare(mx.zeros((1, 3, 3840)), (1, 2, 2), 24)
    assert model(mx.ones((1, 4, 64)), mx.array([0.5]), conditioning).dtype == mx.bfloat16


BLOCK = f"{PREFIX}transformer_blocks.1."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{BLOCK}attn1.to_q.bias": None}, r"transformer_blocks\.1\.attn1\.to_q\.bias is missing"),
        ({f"{BLOCK}attn1.to_gate.weight": mx.zeros((2, 2))}, r"attn1\.to_gate\.weight is not part of the model"),
        (
            {f"{BLOCK}ff.net.2.weight": mx.zeros((16, 60))},
            r"ff\.net\.2\.weight has shape \(16, 60\), expected \(16, 64\)",
        ),
        ({f"{PREFIX}patchify_proj.weight": None}, r"patchify_proj\.weight is missing"),
        ({f"{PREFIX}proj_out.weight": mx.zeros((6,))}, r"proj_out\.weight has shape \(6,\), expected a matrix"),
        ({f"{PREFIX}scale_shift_table": mx.zeros((2, 16), mx.int32)}, r"scale_shift_table is I32, expected F32"),
        ({f"{PREFIX}transformer_blocks.3.ff.net.2.bias": mx.zeros(16)}, r"num_layers is 2, but the tensors have 4"),
    ],
)
def test_a_wrong_tensor_is_named(change: dict[str, mx.array | None], message: str, tmp_path: Path) -> None:
    tensors = {key: value for key, value in (weights() | change).items() if value is not None}
    checkpoint = write(tmp_path / "wrong.safetensors", tensors, config())
    with pytest.raises(WeightsError, match=message):
        VideoTransformer.from_checkpoint(checkpoint, mx.float32)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"qk_norm": "layer_norm"}, "qk_norm is 'layer_norm', expected 'rms_norm'"),
        ({"num_vector_embeds": 8}, "num_vector_embeds is 8, expected None"),
        ({"apply_gated_attention": True}, "apply_gated_attention is True, expected False"),
        ({"av_cross_ada_norm": False}, "av_cross_ada_norm is False, expected True"),
        ({"num_layers": 3}, "num_layers is 3, but the tensors have 2"),
        ({"num_layers": "2"}, "num_layers is '2', expected a positive integer"),
        ({"in_channels": 7}, "in_channels is 7, but the tensors have 6"),
        ({"caption_channels": 11}, "caption_channels is 11, but the tensors have 10"),
        ({"cross_attention_dim": 17}, "cross_attention_dim is 17, but the tensors have 16"),
        ({"num_attention_heads": 3}, r"num_attention_heads \(3\) times attention_head_dim \(8\)"),
        ({"num_attention_heads": 16, "attention_head_dim": 1}, "attention_head_dim is 1, but rotation needs an even"),
        ({"rope_type": "spiral"}, "rope_type is 'spiral', expected split or interleaved"),
        ({"frequencies_precision": "bfloat16"}, "frequencies_precision is 'bfloat16', expected float64 or float32"),
        (
            {"positional_embedding_max_pos": [20]},
            r"positional_embedding_max_pos is \[20\], expected 3 positive numbers",
        ),
        ({"use_middle_indices_grid": 1}, "use_middle_indices_grid is 1, expected true or false"),
        ({"norm_eps": -1}, "norm_eps is -1, expected a positive number"),
    ],
)
def test_a_wrong_configuration_field_is_named(fields: dict[str, Any], message: str) -> None:
    shapes = {key.removeprefix(PREFIX): tuple(value.shape) for key, value in weights().items()}
    with pytest.raises(WeightsError, match=message):
        TransformerConfig.from_checkpoint(config(**fields), shapes)


@pytest.mark.parametrize("stated", [False, None])
def test_a_precision_that_is_stated_as_none_is_float32(stated: object) -> None:
    shapes = {key.removeprefix(PREFIX): tuple(value.shape) for key, value in weights().items()}
    read = TransformerConfig.from_checkpoint(config(frequencies_precision=stated), shapes)
    assert read.frequencies_precision is Precision.FLOAT32


def test_fields_that_are_left_out_have_the_official_defaults_or_follow_the_tensors() -> None:
    shapes = {key.removeprefix(PREFIX): tuple(value.shape) for key, value in weights().items()}
    read = TransformerConfig.from_checkpoint({"transformer": {"num_attention_heads": 2}}, shapes)
    assert read == TransformerConfig(
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=2,
        in_channels=6,
        out_channels=6,
        caption_channels=10,
        rope_type=RopeType.INTERLEAVED,
        frequencies_precision=Precision.FLOAT32,
        timestep_scale_multiplier=1000,
    )
    by_width = TransformerConfig.from_checkpoint({"transformer": {"attention_head_dim": 4}}, shapes)
    assert by_width.num_attention_heads == 4


def test_a_file_without_a_configuration_is_taken_for_the_19b() -> None:
    shapes = {key.removeprefix(PREFIX): tuple(value.shape) for key, value in weights().items()}
    with pytest.raises(WeightsError, match=r"\(128\) is not the tensors' width, 16"):
        TransformerConfig.from_checkpoint({}, shapes)
    assert transformer_section({}) == {}
    assert (TransformerConfig.rope_type, TransformerConfig.frequencies_precision) == ("split", "float64")


def test_audio_constants_do_not_concern_a_video_only_file() -> None:
    shapes = {key.removeprefix(PREFIX): tuple(value.shape) for key, value in weights(video_only=True).items()}
    TransformerConfig.from_checkpoint(config(use_audio_video_cross_attention=False), shapes)


def test_a_configuration_that_is_no_object_is_refused() -> None:
    with pytest.raises(WeightsError, match="transformer entry is not an object"):
        TransformerConfig.from_checkpoint({"transformer": []}, {})
