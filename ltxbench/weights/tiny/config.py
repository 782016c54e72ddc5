"""The JSON configurations that the files carry: the 19B's fields and values, but for the sizes."""

from __future__ import annotations

from typing import Any

from ltxbench.weights.tiny.sizes import Sizes


def unified(sizes: Sizes) -> dict[str, Any]:
    """Under the metadata key `config` of a unified checkpoint."""
    return {"transformer": transformer(sizes), "vae": vae(sizes), "scheduler": {}}


def transformer(sizes: Sizes) -> dict[str, Any]:
    return {
        "_class_name": "AVTransformer3DModel",
        "dropout": 0.0,
        "attention_bias": True,
        "num_vector_embeds": None,
        "activation_fn": "gelu-approximate",
        "num_embeds_ada_norm": 1000,
        "use_linear_projection": False,
        "only_cross_attention": False,
        "cross_attention_norm": True,
        "double_self_attention": False,
        "upcast_attention": False,
        "standardization_norm": "rms_norm",
        "norm_elementwise_affine": False,
        "qk_norm": "rms_norm",
        "positional_embedding_type": "rope",
        "use_audio_video_cross_attention": True,
        "share_ff": False,
        "av_cross_ada_norm": True,
        "use_middle_indices_grid": True,
        "num_attention_heads": sizes.heads,
        "attention_head_dim": sizes.head_dim,
        "in_channels": sizes.latent_channels,
        "out_channels": sizes.latent_channels,
        "num_layers": sizes.blocks,
        "cross_attention_dim": sizes.width,
        "norm_eps": 1e-6,
        "caption_channels": sizes.caption_width,
        "positional_embedding_theta": 10000.0,
        "positional_embedding_max_pos": [20, 2048, 2048],
        "timestep_scale_multiplier": 1000,
        "audio_num_attention_heads": 1,
        "audio_attention_head_dim": sizes.audio_width,
        "audio_in_channels": sizes.latent_channels,
        "audio_out_channels": sizes.latent_channels,
        "audio_cross_attention_dim": sizes.audio_width,
        "audio_positional_embedding_max_pos": [20],
        "av_ca_timestep_scale_multiplier": 1000.0,
        "rope_type": "split",
        "frequencies_precision": "float64",
        "connector_positional_embedding_max_pos": [4096],
        "connector_num_attention_heads": sizes.connector_heads,
        "connector_attention_head_dim": sizes.connector_head_dim,
        "connector_num_layers": sizes.connector_blocks,
        "connector_num_learnable_registers": sizes.registers,
    }


def vae(sizes: Sizes) -> dict[str, Any]:
    encoder_res = ["res_x", {"num_layers": sizes.encoder_res_blocks}]
    decoder_res = ["res_x", {"num_layers": sizes.decoder_res_blocks, "inject_noise": False}]
    up = ["compress_all", {"residual": True, "multiplier": 2}]
    return {
        "_class_name": "CausalVideoAutoencoder",
        "dims": 3,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": sizes.latent_channels,
        "encoder_blocks": [
            encoder_res,
            ["compress_space_res", {"multiplier": 1}],
            encoder_res,
            ["compress_time_res", {"multiplier": 1}],
            encoder_res,
            ["compress_all_res", {"multiplier": 1}],
            encoder_res,
            ["compress_all_res", {"multiplier": 1}],
            encoder_res,
        ],
        "decoder_blocks": [decoder_res, up, decoder_res, up, decoder_res, up, decoder_res],
        "decoder_base_channels": sizes.decoder_base,
        "scaling_factor": 1.0,
        "norm_layer": "pixel_norm",
        "patch_size": sizes.patch,
        "latent_log_var": "uniform",
        "use_quant_conv": False,
        "causal_decoder": False,
        "timestep_conditioning": False,
        "encoder_spatial_padding_mode": "zeros",
        "decoder_spatial_padding_mode": "reflect",
    }


def upscaler(sizes: Sizes) -> dict[str, Any]:
    return {
        "in_channels": sizes.latent_channels,
        "mid_channels": sizes.upscaler_width,
        "num_blocks_per_stage": sizes.upscaler_blocks,
        "dims": 3,
        "spatial_upsample": True,
        "temporal_upsample": False,
        "spatial_scale": 2.0,
        "rational_resampler": True,
    }
