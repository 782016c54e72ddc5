"""The VAE's structure as the checkpoint's JSON configuration (its "vae" object) states it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm, prod
from typing import Any

from ltxbench.errors import WeightsError
from ltxbench.matrix.case import TEMPORAL_COMPRESSION

Stride = tuple[int, int, int]

NORMS = ("pixel_norm", "group_norm")
PADDINGS = ("zeros", "reflect", "replicate", "circular")
LOG_VARIANCE_CHANNELS = {"uniform": 1, "constant": 1}  # beside the means; "per_channel" has one for each mean

UPSAMPLING: dict[str, Stride] = {
    "compress_time": (2, 1, 1),
    "compress_space": (1, 2, 2),
    "compress_all": (2, 2, 2),
}
DOWNSAMPLING: dict[str, Stride] = {
    **UPSAMPLING,
    "compress_all_x_y": (2, 2, 2),
    "compress_time_res": (2, 1, 1),
    "compress_space_res": (1, 2, 2),
    "compress_all_res": (2, 2, 2),
}
DECODER_BLOCKS = ("res_x", "res_x_y", *UPSAMPLING)
ENCODER_BLOCKS = ("res_x", "res_x_y", *DOWNSAMPLING)

# LTX-2 19B, for a file whose configuration leaves the lists out.
LTX2_ENCODER_BLOCKS = (
    ("res_x", {"num_layers": 4}),
    ("compress_space_res", {"multiplier": 2}),
    ("res_x", {"num_layers": 6}),
    ("compress_time_res", {"multiplier": 2}),
    ("res_x", {"num_layers": 6}),
    ("compress_all_res", {"multiplier": 2}),
    ("res_x", {"num_layers": 2}),
    ("compress_all_res", {"multiplier": 2}),
    ("res_x", {"num_layers": 2}),
)
LTX2_DECODER_BLOCKS = (
    ("res_x", {"num_layers": 5}),
    *(("compress_all", {"residual": True, "multiplier": 2}), ("res_x", {"num_layers": 5})) * 3,
)


@dataclass(frozen=True)
class Block:
    """One entry of a block list."""

    name: str
    layers: int
    """Residual blocks of a `res_x` stage; 1 for every other kind."""
    multiplier: int
    """Channels are divided by it on the way up and multiplied by it on the way down."""
    residual: bool
    """A `compress_all` of the decoder adds its rearranged input."""


@dataclass(frozen=True)
class DecoderConfig:
    latent_channels: int
    out_channels: int
    patch_size: int
    channels: int
    """Of the first stage."""
    blocks: tuple[Block, ...]
    """In the order in which they run: the reverse of the stored list."""
    norm: str
    padding: str
    """In space; in time the edge frames are repeated."""
    causal: bool

    @classmethod
    def from_json(cls, vae: Mapping[str, Any], *, source: str, channels: int = 1024) -> DecoderConfig:
        """`channels` counts where decoder_base_channels, of which the first stage has 8 times as many, is absent:
        two generations of the official code disagree on what that means, so the file's own conv_in has to say.

        Raises WeightsError that names the field which is wrong or not supported.
        """
        fields = _Fields(vae, source)
        fields.require("dims", 3)
        if vae.get("timestep_conditioning", False):
            raise WeightsError(f"{source}: vae.timestep_conditioning true is not supported")
        padding = "decoder_spatial_padding_mode" if "decoder_spatial_padding_mode" in vae else "spatial_padding_mode"
        return cls(
            latent_channels=fields.count("latent_channels", 128),
            out_channels=fields.count("out_channels", 3),
            patch_size=fields.count("patch_size", 4),
            channels=8 * fields.count("decoder_base_channels", 128) if "decoder_base_channels" in vae else channels,
            blocks=fields.blocks("decoder_blocks", LTX2_DECODER_BLOCKS, DECODER_BLOCKS)[::-1],
            norm=fields.choice("norm_layer", "pixel_norm", NORMS),
            padding=fields.choice(padding, "reflect", PADDINGS),
            causal=fields.flag("causal_decoder", False),
        )

    @property
    def scale(self) -> Stride:
        """Output frames, rows and columns that one latent cell becomes (the first cell: one frame)."""
        return _scale(self.patch_size, [UPSAMPLING[block.name] for block in self.blocks if block.name in UPSAMPLING])


@dataclass(frozen=True)
class EncoderConfig:
    in_channels: int
    latent_channels: int
    patch_size: int
    blocks: tuple[Block, ...]
    norm: str
    padding: str
    log_variance: str

    @classmethod
    def from_json(cls, vae: Mapping[str, Any], *, source: str) -> EncoderConfig:
        """Raises WeightsError that names the field which is wrong or not supported."""
        fields = _Fields(vae, source)
        fields.require("dims", 3)
        padding = "encoder_spatial_padding_mode" if "encoder_spatial_padding_mode" in vae else "spatial_padding_mode"
        return cls(
            in_channels=fields.count("in_channels", 3),
            latent_channels=fields.count("latent_channels", 128),
            patch_size=fields.count("patch_size", 4),
            blocks=fields.blocks("encoder_blocks", LTX2_ENCODER_BLOCKS, ENCODER_BLOCKS),
            norm=fields.choice("norm_layer", "pixel_norm", NORMS),
            padding=fields.choice(padding, "zeros", PADDINGS),
            log_variance=fields.choice("latent_log_var", "uniform", ("per_channel", *LOG_VARIANCE_CHANNELS)),
        )

    @property
    def head_channels(self) -> int:
        """Means and log-variances."""
        return self.latent_channels + LOG_VARIANCE_CHANNELS.get(self.log_variance, self.latent_channels)

    @property
    def scale(self) -> Stride:
        """Frames, rows and columns that one latent cell covers (the first cell: one frame)."""
        strides = [DOWNSAMPLING[block.name] for block in self.blocks if block.name in DOWNSAMPLING]
        return _scale(self.patch_size, strides)

    @property
    def unit(self) -> Stride:
        """What frames beyond the first, rows and columns have to be multiples of.

        The official encoder counts frames in eights whatever its blocks do. Strided convolutions take any size; where
        cells become channels nothing may be left over.
        """
        if any(block.name.endswith("_res") for block in self.blocks):
            time, height, width = self.scale
            return lcm(TEMPORAL_COMPRESSION, time), height, width
        return TEMPORAL_COMPRESSION, self.patch_size, self.patch_size


def _scale(patch_size: int, strides: list[Stride]) -> Stride:
    time, height, width = (prod(stride[axis] for stride in strides) for axis in range(3))
    return time, height * patch_size, width * patch_size


class _Fields:
    """Reads fields of a JSON object and blames a wrong one by its full name."""

    def __init__(self, values: Mapping[str, Any], source: str, prefix: str = "vae.") -> None:
        if not isinstance(values, Mapping):
            raise WeightsError(f"{source}: {prefix.rstrip('.')} is {values!r}; expected an object")
        self._values, self._source, self._prefix = values, source, prefix

    def require(self, name: str, value: object) -> None:
        if (found := self._values.get(name, value)) != value:
            raise self._wrong(name, found, f"only {value} is supported")

    def count(self, name: str, default: int) -> int:
        value = self._values.get(name, default)
        if type(value) is not int or value < 1:
            raise self._wrong(name, value, "expected a positive whole number")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "expected true or false")
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self._values.get(name, default)
        if value not in allowed:
            raise self._wrong(name, value, f"supported: {', '.join(allowed)}")
        return str(value)

    def blocks(self, name: str, default: object, allowed: tuple[str, ...]) -> tuple[Block, ...]:
        entries = self._values.get(name, default)
        if not isinstance(entries, list | tuple):
            raise self._wrong(name, entries, "expected a list of blocks")
        return tuple(self._block(f"{name}[{index}]", entry, allowed) for index, entry in enumerate(entries))

    def _block(self, name: str, entry: object, allowed: tuple[str, ...]) -> Block:
        match entry:
            case [str(kind), int(layers)]:
                options: dict[str, Any] = {"num_layers": layers}
            case [str(kind), dict(options)]:
                pass
            case _:
                raise self._wrong(name, entry, "expected [name, options]")
        if kind not in allowed:
            raise self._wrong(name, kind, f"supported: {', '.join(allowed)}")
        if options.get("inject_noise", False):
            raise self._wrong(f"{name}.inject_noise", True, "noise in the decoder is not supported")
        if kind == "res_x" and "num_layers" not in options:
            raise self._wrong(name, entry, "num_layers is missing")
        widens = kind == "res_x_y" or kind.endswith(("_x_y", "_res"))
        own = _Fields(options, self._source, f"{self._prefix}{name}.")
        return Block(
            name=kind,
            layers=own.count("num_layers", 1) if kind == "res_x" else 1,
            multiplier=own.count("multiplier", 2 if widens else 1),
            residual=own.flag("residual", False) and kind == "compress_all",
        )

    def _wrong(self, name: str, value: object, why: str) -> WeightsError:
        return WeightsError(f"{self._source}: {self._prefix}{name} is {value!r}; {why}")
