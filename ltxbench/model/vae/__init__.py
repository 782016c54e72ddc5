"""The video VAE: normalised latents [B,128,F,H,W] to and from video [B,3,8(F-1)+1,32H,32W] in [-1,1]."""

from ltxbench.model.vae.decoder import VideoDecoder
from ltxbench.model.vae.decoding import decode_chunks, decode_frames, decode_video, to_uint8
from ltxbench.model.vae.encoder import VideoEncoder
from ltxbench.model.vae.statistics import PerChannelStatistics
from ltxbench.model.vae.tiling import OFFICIAL, TilingConfig

__all__ = [
    "OFFICIAL",
    "PerChannelStatistics",
    "TilingConfig",
    "VideoDecoder",
    "VideoEncoder",
    "decode_chunks",
    "decode_frames",
    "decode_video",
    "to_uint8",
]
