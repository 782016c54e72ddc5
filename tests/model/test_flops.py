from __future__ import annotations

import pytest

from ltxbench.model.flops import forward_flops, parameter_count, text_flops
from ltxbench.model.transformer_config import TransformerConfig

FULL = TransformerConfig()
TEXT = 1024


@pytest.mark.parametrize(("tokens", "tera"), [(1536, 41.10), (6144, 176.55)])
def test_a_forward_costs_what_was_counted_on_the_official_model(tokens: int, tera: float) -> None:
    assert forward_flops(FULL, tokens, TEXT, text_cached=False) / 1e12 == pytest.approx(tera, abs=0.005)


def test_a_timestep_a_token_costs_more_embedding() -> None:
    per_token = forward_flops(FULL, 1536, TEXT, text_cached=False, per_token=True)
    assert per_token / 1e12 == pytest.approx(41.46, abs=0.005)


def test_the_text_is_paid_once() -> None:
    assert text_flops(FULL, TEXT) / 1e12 == pytest.approx(3.365, abs=0.0005)
    # Published as 37.74, the difference of the two rounded figures.
    assert forward_flops(FULL, 1536, TEXT) / 1e12 == pytest.approx(37.74, abs=0.01)


def test_one_block_costs_what_was_counted() -> None:
    shallow = TransformerConfig(num_layers=1)
    deeper = TransformerConfig(num_layers=2)
    block = forward_flops(deeper, 1536, TEXT, text_cached=False) - forward_flops(shallow, 1536, TEXT, text_cached=False)
    assert block / 1e12 == pytest.approx(0.8547, abs=5e-5)


def test_the_19b_has_thirteen_billion_video_parameters() -> None:
    assert parameter_count(FULL) == 13_041_520_768
    assert parameter_count(FULL) - parameter_count(TransformerConfig(num_layers=47)) == 268_529_664
