"""The arithmetic of a case: what its denoising stages compute, as the pipeline does it.

The projected caption and the keys and values of the text are computed before the steps, once a stage and prompt.
Imports no MLX.
"""

from __future__ import annotations

from dataclasses import dataclass

from ltxbench.matrix.case import Case, Stage
from ltxbench.model.flops import forward_flops, parameter_count, skipped_attention_flops, text_flops
from ltxbench.model.transformer_config import TransformerConfig


@dataclass(frozen=True)
class StageWork:
    tokens: int
    """Of the latent."""
    forward_flops: int
    """Of one forward with its own prompt, the text prepared."""
    step_flops: int
    """Of all forwards of a step."""
    text_flops: int
    """Of preparing the text of every prompt, before the first step."""
    steps: int

    @property
    def flops(self) -> int:
        """Of the whole stage."""
        return self.text_flops + self.steps * self.step_flops


def stage_work(config: TransformerConfig, case: Case, stage: Stage, text_tokens: int) -> StageWork:
    """`text_tokens` counts padding or the registers in its place: the length of the context.

    Only the first stage is guided. The perturbed forward of STG leaves out the self-attention of some blocks.
    """
    tokens = case.latent_frames * stage.tokens_per_latent_frame
    forward = forward_flops(config, tokens, text_tokens)
    guided = stage.index == 1
    prompts = 2 if guided and case.guidance > 1 else 1
    step = stage.forwards * forward
    if guided and case.stg > 0:
        step -= len(set(case.stg_blocks)) * skipped_attention_flops(config, tokens)
    return StageWork(tokens, forward, step, prompts * text_flops(config, text_tokens), stage.steps)


def case_flops(config: TransformerConfig, case: Case, text_tokens: int) -> int:
    """Of all denoising of a case."""
    return sum(stage_work(config, case, stage, text_tokens).flops for stage in case.stages)


def transformer_facts(config: TransformerConfig, case: Case, text_tokens: int) -> dict[str, int]:
    """What the engine states about its transformer and the work; see `figures.stage_flops` for the reader."""
    facts = {
        "transformer_parameters": parameter_count(config),
        "transformer_width": config.dim,
        "transformer_blocks": config.num_layers,
        "text_tokens": text_tokens,
    }
    for stage in case.stages:
        work = stage_work(config, case, stage, text_tokens)
        facts |= {
            f"tokens_stage_{stage.index}": work.tokens,
            f"flops_per_forward_stage_{stage.index}": work.forward_flops,
            f"flops_per_step_stage_{stage.index}": work.step_flops,
            f"flops_text_stage_{stage.index}": work.text_flops,
        }
    return facts
