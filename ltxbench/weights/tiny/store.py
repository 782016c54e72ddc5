"""Makes the files of `tiny` once and finds them again."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ltxbench.errors import ResourceError
from ltxbench.weights import files, safetensors_file
from ltxbench.weights.cache import locked
from ltxbench.weights.files import WeightFiles
from ltxbench.weights.sha256 import sha256_file
from ltxbench.weights.tiny import audio, config, gemma, layers, lora, tokenizer, transformer, upscaler, vae
from ltxbench.weights.tiny.numbers import as_bfloat16, bfloat16_bits
from ltxbench.weights.tiny.sizes import SEED, SIZES, VERSION, Sizes

MARKER = "tiny.json"
"""Written last: generator, and size and sha256 of every file. Without it a folder is torn."""

CONNECTOR_DIFFERENCE = 0.3
"""How far the distilled file's connectors are from the dev file's, against the weights' own size."""


def ensure_tiny(cache: Path) -> WeightFiles:
    """Returns the tiny files under `cache`, made first if they are absent, torn, damaged or of another version.

    Safe when several processes ask at once: one builds, the others wait. Raises ResourceError.
    """
    folder = cache / f"tiny-v{VERSION}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / f"tiny-v{VERSION}.lock"):
            if not _intact(folder):
                _rebuild(folder)
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise ResourceError(
            f"{cache}: the tiny weights cannot be written there ({why})",
            hint="Set LTXBENCH_CACHE to a folder with 50 MB to spare.",
        ) from None
    return WeightFiles(
        kind="tiny",
        synthetic=True,
        distilled=folder / files.DISTILLED,
        dev=folder / files.DEV,
        distilled_lora=folder / files.DISTILLED_LORA,
        upscaler=folder / files.UPSCALER,
        gemma=folder / files.GEMMA,
    )


def _generator() -> dict[str, Any]:
    return {"version": VERSION, "seed": SEED, "sizes": asdict(SIZES)}


def _intact(folder: Path) -> bool:
    """The marker is there, of this generator, and every file has its size and sum."""
    try:
        marker = json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return False
    if not isinstance(marker, dict) or marker.get("generator") != _generator():
        return False
    listed = marker.get("files")
    if not isinstance(listed, dict) or not listed:
        return False
    for name, entry in listed.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["size_bytes"] or sha256_file(path) != entry["sha256"]:
            return False
    return True


def _rebuild(folder: Path) -> None:
    """Builds beside `folder` and renames; what stood there before is moved away first and then deleted."""
    _remove_leftovers(folder)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    building.chmod(0o755)
    try:
        build(building)
        old = building.with_suffix(".old")
        if folder.exists():
            folder.rename(old)
        building.rename(folder)
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(building.with_suffix(".old"), ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Folders of a builder that was killed; the lock says that none is at work."""
    for stray in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(stray, ignore_errors=True)


def build(folder: Path, sizes: Sizes = SIZES) -> None:
    """Writes every file and, last, the marker into an empty folder. Raises OSError."""
    dev_transformer = transformer.transformer(sizes, "transformer")
    dev_projection = transformer.text_projection(sizes, "projection")
    pairs = lora.lora("lora", lora.linears(dev_transformer), sizes.lora_rank)
    projection_pairs = lora.lora("lora/projection", dev_projection, sizes.lora_rank)

    shared = layers.under("vae.decoder.", vae.decoder(sizes, "vae.decoder"))
    shared |= layers.under("vae.encoder.", vae.encoder(sizes, "vae.encoder"))
    shared |= layers.under("vae.per_channel_statistics.", vae.statistics(sizes, "vae.statistics"))
    shared |= layers.under("audio_vae.", audio.audio_vae(sizes, "audio_vae"))
    shared |= layers.under("vocoder.", audio.vocoder(sizes, "vocoder"))
    unified = {"config": json.dumps(config.unified(sizes))}
    for name, network, projection, distilled in (
        (files.DEV, dev_transformer, dev_projection, False),
        (files.DISTILLED, lora.fused(dev_transformer, pairs), lora.fused(dev_projection, projection_pairs), True),
    ):
        tensors = layers.under("model.diffusion_model.", network)
        for kind in ("video", "audio"):
            prefix = f"model.diffusion_model.{kind}_embeddings_connector."
            tensors |= layers.under(prefix, _connector(sizes, kind, distilled=distilled))
        tensors |= layers.under("text_embedding_projection.", projection)
        _write(folder / name, tensors | shared, unified)

    projection_keys = layers.under("text_embedding_projection.", projection_pairs)
    _write(folder / files.DISTILLED_LORA, layers.under("diffusion_model.", pairs) | projection_keys, {})
    _write(
        folder / files.UPSCALER,
        upscaler.upscaler(sizes, "upscaler"),
        {"config": json.dumps(config.upscaler(sizes))},
    )
    _write_gemma(folder / files.GEMMA, sizes)
    _write_marker(folder)


def _connector(sizes: Sizes, kind: str, *, distilled: bool) -> layers.Tensors:
    """dev's, or the distilled file's own: the published files' connectors differ."""
    dev = transformer.connector(sizes, f"{kind}_connector")
    if not distilled:
        return dev
    other = transformer.connector(sizes, f"{kind}_connector/distilled")
    difference = CONNECTOR_DIFFERENCE
    return {
        key: values + difference * (other[key] - values) if values.ndim == 2 else values for key, values in dev.items()
    }


def _write_gemma(folder: Path, sizes: Sizes) -> None:
    folder.mkdir()
    _write(folder / "model.safetensors", gemma.gemma(sizes, "gemma"), {"format": "pt"})
    for name, content in (
        ("config.json", gemma.config(sizes)),
        ("generation_config.json", gemma.generation_config()),
        ("tokenizer.json", tokenizer.tokenizer_json()),
        ("tokenizer_config.json", tokenizer.tokenizer_config()),
    ):
        _write_text(folder / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _write(path: Path, tensors: layers.Tensors, metadata: Mapping[str, str]) -> None:
    """As published: modulation tables in F32, everything else in BF16."""
    stored = {}
    for key, values in tensors.items():
        if "scale_shift_table" in key:
            stored[key] = safetensors_file.Tensor("F32", as_bfloat16(values))
        else:
            stored[key] = safetensors_file.Tensor("BF16", bfloat16_bits(values))
    safetensors_file.write(path, stored, metadata)


def _write_marker(folder: Path) -> None:
    listed = {
        path.relative_to(folder).as_posix(): {"size_bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    _write_text(folder / MARKER, json.dumps({"generator": _generator(), "files": listed}, indent=1) + "\n")
    _sync_folder(folder)


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
