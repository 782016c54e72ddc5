from __future__ import annotations

import pytest

from ltxbench.matrix.case import Case, Model
from ltxbench.model.flops import forward_flops, text_flops
from ltxbench.model.transformer_config import TransformerConfig
from ltxbench.model.work import case_flops, stage_work, transformer_facts

FULL = TransformerConfig()
TEXT = 1024
DISTILLED = Case(name="distilled", title="Distilled")
DEV = Case(name="dev", title="Dev", model=Model.DEV, steps=40, guidance=4.0)
STG = DEV.model_copy(update={"stg": 1.0, "stg_blocks": (28, 29)})
TWO_STAGE = DEV.model_copy(update={"two_stage": True})


def test_eight_distilled_steps_cost_the_forwards_and_the_text_once() -> None:
    # 8 forwards with the text in each are 329 TFLOP; seven times its 3.365 are saved.
    assert case_flops(FULL, DISTILLED, TEXT) / 1e12 == pytest.approx(329 - 7 * 3.365, abs=0.3)


def test_a_guided_step_is_two_forwards_and_prepares_two_texts() -> None:
    (stage,) = DEV.stages
    work = stage_work(FULL, DEV, stage, TEXT)
    assert work.tokens == 1536
    assert work.step_flops == 2 * work.forward_flops == 2 * forward_flops(FULL, 1536, TEXT)
    assert work.text_flops == 2 * text_flops(FULL, TEXT)
    assert work.flops == work.text_flops + 40 * work.step_flops


def test_the_perturbed_forward_leaves_out_what_its_blocks_skip() -> None:
    (stage,) = STG.stages
    work = stage_work(FULL, STG, stage, TEXT)
    d, n = 4096, 1536
    queries_keys, scores_values = 2 * 2 * n * d * d, 2 * 2 * n * n * d
    assert work.step_flops == 3 * work.forward_flops - 2 * (queries_keys + scores_values)


def test_the_second_stage_is_neither_guided_nor_small() -> None:
    first, second = (stage_work(FULL, TWO_STAGE, stage, TEXT) for stage in TWO_STAGE.stages)
    assert (first.tokens, second.tokens) == (384, 1536)
    assert second.step_flops == second.forward_flops == forward_flops(FULL, 1536, TEXT)
    assert second.text_flops == text_flops(FULL, TEXT)
    assert second.steps == 3
    assert case_flops(FULL, TWO_STAGE, TEXT) == first.flops + second.flops


def test_the_facts_name_the_model_and_the_work_of_every_stage() -> None:
    facts = transformer_facts(FULL, TWO_STAGE, TEXT)
    assert facts["transformer_parameters"] == 13_041_520_768
    assert (facts["transformer_width"], facts["transformer_blocks"], facts["text_tokens"]) == (4096, 48, TEXT)
    assert facts["flops_per_step_stage_1"] == 2 * facts["flops_per_forward_stage_1"]
    assert facts["flops_per_step_stage_2"] == facts["flops_per_forward_stage_2"]
    assert "tokens_stage_2" not in transformer_facts(FULL, DEV, TEXT)
