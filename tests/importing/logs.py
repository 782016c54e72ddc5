"""Printed output as `ltx-video generate --profile` of version 0.1 writes it, put together from figures."""

from __future__ import annotations

from collections.abc import Sequence

PROMPT = "Ein Füchslein läuft über eine Wiese, 子狐"


def header(*, model: str = "distilled", two_stage: bool = False, quant: str | None = None, enhance: bool = True) -> str:
    lines = [
        "LTX-2 Video Generation",
        "======================",
        f"Prompt: {PROMPT}",
        "Output: out/fox.mp4",
        "Resolution: 512x320",
        "Frames: 33",
        f"Model: {model}",
        "Seed: 7",
    ]
    lines += ["Two-stage: enabled"] if two_stage else []
    lines += ["Prompt enhancement: enabled"] if enhance else []
    lines += [f"Transformer quantization: {quant}"] if quant else []
    lines += ["", "Creating pipeline...", "Loading models (this may take a while)...", "  Loading Gemma model... (10%)"]
    return "\n".join(lines) + "\n[LTX] [TIME] Gemma load: 7.4s\nModels loaded in 15.7s\n\nGenerating video...\n"


def enhancement(text: str) -> str:
    return (
        '[LTX] Enhancing prompt: "a fox"\n[LTX] Generated 221 tokens in 26.7s\n'
        f'[LTX] Enhanced prompt: "{text}"\n[LTX] Text encoding: 5.2s\n'
    )


def denoising(stages: Sequence[Sequence[float]], *, unfinished: bool = False) -> str:
    lines: list[str] = []
    for stage in stages:
        for index, step_s in enumerate(stage):
            lines += [
                f"  Step {index + 1}/{len(stage)} (σ={1 - index / len(stage):.4f})",
                f"[LTX] Step {index}: patchified [1, 384, 128], σ=1.0000",
                f"[LTX]   [TIME] TOTAL transformer forward: {step_s:.3f}s",
                f"[LTX]   Step {index} time: {step_s:.2f}s",
            ]
        lines.append("[LTX] Upscale time: 0.4s")
    return "\n".join(lines[: -2 if unfinished else -1]) + "\n"


def profile(steps: Sequence[float], *, encoding: float | None = 5.2, decoding: float | None = 4.1) -> str:
    total = sum(steps) + (encoding or 0) + (decoding or 0)
    lines = ["Generation completed in 81.4s", "", "--- Summary ---", "Seed: 7", "Generation time: 81.2s", ""]
    lines.append("--- Profiling ---")
    lines += [f"Text Encoding (Gemma + FE + Connector): {encoding:.1f}s"] if encoding is not None else []
    lines.append(f"Denoising ({len(steps)} steps):                 {sum(steps):.1f}s")
    lines += [f"  Step {index}: {step_s:.1f}s" for index, step_s in enumerate(steps)]
    lines.append(f"  Average per step:                      {sum(steps) / len(steps):.1f}s")
    lines += [f"VAE Decoding:                            {decoding:.1f}s"] if decoding is not None else []
    lines += [
        "Model Loading:                           15.7s",
        f"Pipeline total (excl. loading/export):   {total:.1f}s",
        "",
        "--- Memory ---",
        "Peak GPU memory:                         52943 MB",
        "Mean GPU memory (denoising):              27467 MB",
    ]
    return "\n".join(lines) + "\n"
