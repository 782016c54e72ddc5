"""Every key of the published files is known, and nothing else is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltxbench.errors import WeightsError
from ltxbench.model.layout import Group, Kind, Version, check_unified, group_of, is_audio, kind_of, version_of
from tests.weights.published import BLOCKS, lora_shapes, unified_config, unified_shapes, upscaler_shapes

PREFIX = "model.diffusion_model."
SHAPES = unified_shapes()
KEYS = sorted(SHAPES)


def _check(shapes: dict[str, tuple[int, ...]], config: dict[str, Any] | None = None, **metadata: str) -> None:
    check_unified("file", shapes, unified_config() if config is None else config, metadata)


def test_all_4052_keys_fall_into_the_published_groups() -> None:
    assert Counter(group_of(key) for key in KEYS) == {
        Group.TRANSFORMER_VIDEO: 1215,
        Group.TRANSFORMER_AUDIO: 2295,
        Group.VIDEO_CONNECTOR: 29,
        Group.AUDIO_CONNECTOR: 29,
        Group.PROJECTION: 1,
        Group.VAE_ENCODER: 92,
        Group.VAE_DECODER: 90,
        Group.VAE_STATISTICS: 5,
        Group.AUDIO_VAE: 102,
        Group.VOCODER: 194,
    }
    _check(SHAPES)


def test_audio_is_told_by_the_marks_alone() -> None:
    transformer = [key for key in KEYS if group_of(key) in (Group.TRANSFORMER_VIDEO, Group.TRANSFORMER_AUDIO)]
    assert all(is_audio(key) == (group_of(key) is Group.TRANSFORMER_AUDIO) for key in transformer)


@pytest.mark.parametrize(
    "key",
    [
        f"{PREFIX}transformer_blocks.0.attn3.to_q.weight",
        f"{PREFIX}transformer_blocks.0.attn1.to_q.weight.extra",
        f"{PREFIX}transformer_blocks.x.attn1.to_q.weight",
        "vae.decoder.up_blocks.0.res_blocks.0.noise",
        "vocoder.ups.0.gamma",
        "optimizer.state",
        "",
    ],
)
def test_an_unknown_key_is_refused_by_name(key: str) -> None:
    with pytest.raises(WeightsError, match="not part of LTX-2") as caught:
        _check(SHAPES | {key: (1,)})
    assert key in caught.value.message


@settings(deadline=None, max_examples=30)
@given(key=st.sampled_from([key for key in KEYS if key.startswith(PREFIX) and "connector" not in key]))
def test_any_missing_key_of_the_transformer_is_named(key: str) -> None:
    with pytest.raises(WeightsError, match="missing") as caught:
        _check({name: shape for name, shape in SHAPES.items() if name != key})
    assert key in caught.value.message


def test_a_missing_block_and_a_block_too_many_are_told() -> None:
    with pytest.raises(WeightsError, match="47 transformer blocks, but the configuration says 48"):
        _check({key: shape for key, shape in SHAPES.items() if not key.startswith(f"{BLOCKS}47.")})
    more = {key.replace(f"{BLOCKS}0.", f"{BLOCKS}48."): shape for key, shape in SHAPES.items()}
    with pytest.raises(WeightsError, match="49 transformer blocks"):
        _check(SHAPES | more)
    config = unified_config()
    config["transformer"]["num_layers"] = 10**12
    with pytest.raises(WeightsError, match="configuration says 1000000000000"):
        _check(SHAPES, config)


def test_a_part_that_is_missing_altogether_is_told() -> None:
    with pytest.raises(WeightsError, match="no tensors of text projection"):
        _check({key: shape for key, shape in SHAPES.items() if not key.startswith("text_embedding")})


def test_a_file_without_audio_is_whole() -> None:
    _check({key: shape for key, shape in SHAPES.items() if not is_audio(key) and not key.startswith("vocoder")})


def test_the_kind_is_told_by_the_keys() -> None:
    assert kind_of(SHAPES) is Kind.UNIFIED
    assert kind_of(lora_shapes()) is Kind.LORA
    assert kind_of(upscaler_shapes()) is Kind.UPSCALER
    assert kind_of({"model.embed_tokens.weight"}) is None
    assert len(lora_shapes()) == 2 * (1370 + 1)


GATE = f"{BLOCKS}0.attn1.to_gate_logits.weight"
FF_BIAS = f"{BLOCKS}0.ff.net.0.proj.bias"


@pytest.mark.parametrize(
    ("keys", "config", "metadata", "version"),
    [
        ({f"{PREFIX}caption_projection.linear_1.weight"}, {}, {}, Version.V2_0),
        ({GATE, FF_BIAS}, {}, {}, Version.V2_3),
        ({GATE}, {}, {}, Version.V2_5),
        ({f"{PREFIX}keyframes_abs_pos_embedding", GATE, FF_BIAS}, {}, {}, Version.V2_5),
        ({"text_embedding_projection.video_aggregate_embed.weight"}, {}, {}, Version.V2_3),
        # The keys win over the configuration, and that over the version written down.
        ({GATE, FF_BIAS}, {"transformer": {"ff_bias": False}}, {"model_version": "2.0"}, Version.V2_3),
        (set(), {"transformer": {"ff_bias": False}}, {"model_version": "2.3.0"}, Version.V2_5),
        (set(), {"transformer": {"cross_attention_adaln": True}}, {}, Version.V2_3),
        (set(), {"transformer": {"caption_channels": 3840}}, {"model_version": "2.5.0"}, Version.V2_0),
        (set(), {}, {"model_version": "2.5.0"}, Version.V2_5),
        (set(), {}, {"model_version": "2.50"}, None),
        (set(), {"transformer": []}, {}, None),
    ],
)
def test_the_version_is_told_by_keys_then_configuration_then_metadata(
    keys: set[str], config: dict[str, Any], metadata: dict[str, str], version: Version | None
) -> None:
    assert version_of(keys, config, metadata) is version


@pytest.mark.parametrize(("keys", "version"), [({GATE, FF_BIAS}, "2.3"), ({GATE}, "2.5")])
def test_later_versions_are_recognised_and_refused(keys: set[str], version: str) -> None:
    with pytest.raises(WeightsError, match=f"LTX-{version} checkpoint; only LTX-2.0") as caught:
        _check(dict.fromkeys(keys, (1,)))
    assert "ltx-2-19b" in str(caught.value.hint)
