"""Which tensors `ltxbench module` takes and gives for each component. Imports no MLX.

Layouts are PyTorch's, channels first. B batch, C latent channels, F H W latent cells, N = F·H·W tokens in the order
f, h, w (w fastest), S text positions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: str
    """Sizes by name; one that two tensors share must be the same in both."""
    meaning: str
    optional: bool = False
    repeats: bool = False
    """A size of 1 serves all samples or tokens."""


@dataclass(frozen=True)
class Component:
    name: str
    meaning: str
    weights: str
    """Which file `--weights` is, and which of its keys are read."""
    inputs: tuple[Tensor, ...]
    output: Tensor


UNIFIED = "unified checkpoint; reads"
LATENT = Tensor("latent", "[B,C,F,H,W]", "normalised latent")
CONTEXT = Tensor("context", "[B,S,D]", "text features from the connector, before the caption projection")
FPS = Tensor("fps", "[]", "frame rate, which places the tokens in time; 24 when absent", optional=True)

COMPONENTS = (
    Component(
        "connector",
        "text features to the transformer's context",
        f"{UNIFIED} model.diffusion_model.video_embeddings_connector.* (and text_embedding_projection.*)",
        (
            Tensor("features", "[B,S,D]", "output of the text projection; or give hidden_states", optional=True),
            Tensor(
                "hidden_states", "[B,S,D,L]", "all hidden states of the text encoder, projected first", optional=True
            ),
            Tensor("mask", "[B,S]", "1 for a token, 0 for padding"),
        ),
        Tensor("context", "[B,S,D]", "every position counts: padding was replaced by registers"),
    ),
    Component(
        "transformer",
        "one forward of the video transformer",
        f"{UNIFIED} the video keys under model.diffusion_model.*",
        (
            Tensor("latent", "[B,C,F,H,W] or [B,N,C]", "noisy latent; as tokens it needs positions"),
            CONTEXT,
            Tensor(
                "sigma",
                "[] or [B] or [B,N]",
                "noise level in 0..1; multiplied by timestep_scale_multiplier inside",
                repeats=True,
            ),
            FPS,
            Tensor(
                "positions",
                "[B,3,N,2]",
                "start and end of each token: seconds, pixels, pixels",
                optional=True,
                repeats=True,
            ),
            Tensor("skip_self_attention", "[K]", "blocks whose self-attention passes V through (STG)", optional=True),
        ),
        Tensor("velocity", "as latent", "predicted velocity"),
    ),
    Component(
        "vae-decoder",
        "latent to video",
        f"{UNIFIED} vae.decoder.* and vae.per_channel_statistics.*",
        (
            LATENT,
            Tensor("tile_pixels", "[]", "tile of the longer side; 0 or absent: not tiled in space", optional=True),
            Tensor("overlap_pixels", "[]", "64 when absent", optional=True),
            Tensor("tile_frames", "[]", "0 or absent: not tiled in time", optional=True),
            Tensor("overlap_frames", "[]", "24 when absent", optional=True),
        ),
        Tensor("video", "[B,RGB,8(F-1)+1,32H,32W]", "nominally in -1..1"),
    ),
    Component(
        "vae-encoder",
        "video to latent",
        f"{UNIFIED} vae.encoder.* and vae.per_channel_statistics.*",
        (Tensor("video", "[B,RGB,8(F-1)+1,32H,32W]", "in -1..1"),),
        Tensor("latent", "[B,C,F,H,W]", "normalised means"),
    ),
    Component(
        "upsampler",
        "latent to latent of twice the height and width",
        "the upscaler's own file, whose metadata hold its configuration at the top level",
        (
            LATENT,
            Tensor("mean_of_means", "[C]", "the VAE's statistics, to un-normalise before and normalise after", True),
            Tensor("std_of_means", "[C]", "both or neither; without them the latent is taken as un-normalised", True),
            Tensor("adain", "[]", "0 (off, as the official pipeline) to 1", optional=True),
        ),
        Tensor("latent", "[B,C,F,2H,2W]", "upsampled latent"),
    ),
    Component(
        "denoise",
        "a whole denoising loop",
        f"{UNIFIED} the video keys under model.diffusion_model.*",
        (
            Tensor("latent", "[B,C,F,H,W]", "start value at the first noise level: pure noise when that is 1"),
            CONTEXT,
            Tensor("negative_context", "[B,T,D]", "needed when cfg is not 1", optional=True),
            Tensor("sigmas", "[steps+1]", "noise levels, falling; the last may be 0"),
            FPS,
            Tensor("cfg", "[]", "classifier-free guidance; 1 (off) when absent", optional=True),
            Tensor("stg", "[]", "spatio-temporal guidance; 0 (off) when absent", optional=True),
            Tensor("stg_blocks", "[K]", "blocks perturbed for it", optional=True),
            Tensor("rescale", "[]", "0 (off) to 1", optional=True),
        ),
        Tensor("latent", "[B,C,F,H,W]", "latent at the last noise level"),
    ),
)


def describe() -> str:
    """The components with their tensors, as `--help` prints them."""
    lines = []
    for component in COMPONENTS:
        lines += [f"{component.name}: {component.meaning}", f"  weights: {component.weights}"]
        for tensor in component.inputs:
            optional = " (optional)" if tensor.optional else ""
            lines.append(f"  in   {tensor.name} {tensor.shape}{optional}: {tensor.meaning}")
        lines += [f"  out  {component.output.name} {component.output.shape}: {component.output.meaning}", ""]
    return "\n".join(lines)
