"""Which keys stand in which file of LTX-2, and which version a file is of. Imports no MLX: it reads names only.

Source: the official classes' parameter names (ltx_core) at the 19B configuration.
"""

from __future__ import annotations

AUDIO_MARKS = ("audio", "a2v", "v2a", "av_ca")
"""Every transformer key of the audio half holds one of these, no key of the video half does."""

TRANSFORMER = "model.diffusion_model."
VIDEO_CONNECTOR = "video_embeddings_connector."
AUDIO_CONNECTOR = "audio_embeddings_connector."
PROJECTION = "text_embedding_projection."


def is_audio(key: str) -> bool:
    return any(mark in key for mark in AUDIO_MARKS)
