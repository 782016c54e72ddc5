"""Brings modules into memory part by part, so that the peak stays little above what remains.

A quantized transformer never exists in full precision as a whole: each part is read, updated by the LoRAs and
quantized before the next one is read. A LoRA's pairs are freed one by one.
"""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import mlx.nn as nn

from ltxbench.errors import UsageError
from ltxbench.matrix.case import Case, LoraUse
from ltxbench.model import joined_linear
from ltxbench.model.checkpoint import Checkpoint, named_parameters
from ltxbench.model.lora import Fusion
from ltxbench.model.quantize import QuantizationPlan
from ltxbench.model.transformer import VideoTransformer
from ltxbench.run.engine import Recorder
from ltxbench.run.records import Phase
from ltxbench.weights.source import WeightSource

DISTILLED_LORA = "distilled_lora"
EVALUATED_BYTES = 1 << 28
"""Evaluated at once: a GPU keeps the temporaries of all of it until it is done."""
PART_BYTES = 1 << 30
"""Of a transformer to be quantized, in full precision at a time; each part is a stretch of its own in the record."""


def materialize(module: nn.Module, layers: frozenset[str] | None = None) -> None:
    """Evaluates the parameters of `layers`, of all when None, a few at a time."""
    parameters = named_parameters(module)
    for part in parts(module, EVALUATED_BYTES):
        wanted = part if layers is None else part & layers
        mx.eval([array for name, array in parameters.items() if name.rpartition(".")[0] in wanted])


def parts(module: nn.Module, limit_bytes: int) -> list[frozenset[str]]:
    """Paths of the modules that own parameters, divided in their order; a single one may be over the limit."""
    sizes: dict[str, int] = {}
    for name, array in named_parameters(module).items():
        owner = name.rpartition(".")[0]
        sizes[owner] = sizes.get(owner, 0) + array.nbytes
    divided: list[frozenset[str]] = []
    current: list[str] = []
    for owner, size_bytes in sizes.items():
        if current and sum(sizes[path] for path in current) + size_bytes > limit_bytes:
            divided.append(frozenset(current))
            current = []
        current.append(owner)
    return [*divided, frozenset(current)]


def load_transformer(
    case: Case, source: WeightSource, checkpoint: Checkpoint, recorder: Recorder, dtype: mx.Dtype
) -> VideoTransformer:
    """The case's transformer as stage 1 needs it: read, LoRAs fused, quantized, evaluated."""
    with recorder.phase(Phase.LOAD):
        transformer = VideoTransformer.from_checkpoint(checkpoint, dtype)
        _check_stg_blocks(case, transformer)
    fusion = _open_loras(case, source, transformer, recorder)
    plan = QuantizationPlan(transformer, case.quantization, case.quantized_layers)
    for part in [None] if plan.bits is None else parts(transformer, PART_BYTES):
        with recorder.phase(Phase.LOAD):
            materialize(transformer, part)
        if fusion is not None:
            with recorder.phase(Phase.LORA):
                fusion.apply(part)
        if part is not None:
            with recorder.phase(Phase.QUANTIZE):
                plan.apply(part)
    if (report := plan.report) is not None:
        recorder.facts(quantized_layers=report.quantized, unquantized_layers=report.left)
    if joined_linear.joins():  # no stretch in the record where there is nothing to do
        with recorder.phase(Phase.LOAD):
            transformer.join_products()
    return transformer


def fuse_distilled_lora(case: Case, source: WeightSource, transformer: VideoTransformer, recorder: Recorder) -> None:
    """Into the transformer that stage 1 has used."""
    with recorder.phase(Phase.LORA):
        fusion = Fusion(transformer, [(source.distilled_lora(), case.lora_strength)])
        for part in parts(transformer, PART_BYTES):
            fusion.apply(part)
            transformer.join_products()  # until then what was joined before is held besides the new weights
    _state(recorder, [DISTILLED_LORA], fusion)


def _open_loras(case: Case, source: WeightSource, transformer: VideoTransformer, recorder: Recorder) -> Fusion | None:
    """The distilled LoRA, if stage 1 has it, and the case's own; None for neither."""
    with_distilled = case.distilled_lora is LoraUse.ALL
    if not with_distilled and not case.loras:
        return None
    with recorder.phase(Phase.LORA):
        loras = [(source.distilled_lora(), case.lora_strength)] if with_distilled else []
        loras += [(Checkpoint(Path(extra.path)), extra.strength) for extra in case.loras]
        fusion = Fusion(transformer, loras)
    _state(
        recorder, [DISTILLED_LORA] * with_distilled + [f"lora_{number}" for number in range(len(case.loras))], fusion
    )
    return fusion


def _state(recorder: Recorder, names: list[str], fusion: Fusion) -> None:
    for name, report in zip(names, fusion.reports, strict=True):
        recorder.facts(**{f"{name}_matched": report.matched, f"{name}_skipped": report.skipped})


def _check_stg_blocks(case: Case, transformer: VideoTransformer) -> None:
    depth = transformer.config.num_layers
    if case.stg > 0 and max(case.stg_blocks, default=0) >= depth:
        raise UsageError(
            f"case {case.name}: stg_blocks names block {max(case.stg_blocks)}, but the model has {depth}",
            hint=f"Blocks are numbered from 0 to {depth - 1}.",
        )
