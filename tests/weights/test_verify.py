"""What `ltxbench models verify` says of whole files, at their full published size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ltxbench.cli.models import app
from ltxbench.errors import WeightsError
from ltxbench.weights.files import DISTILLED_LORA, WeightFiles
from ltxbench.weights.registry import registry
from ltxbench.weights.verify import Count, verify
from tests.weights.published import (
    lora_shapes,
    unified_config,
    unified_shapes,
    upscaler_config,
    upscaler_shapes,
    write_sparse,
)


def test_the_full_size_unified_file_is_counted_as_published(tmp_path: Path) -> None:
    verified = verify(write_sparse(tmp_path / "u.safetensors", unified_shapes(), unified_config()), checksum=False)
    assert (verified.kind, verified.version) == ("unified checkpoint", "2.0")
    assert verified.groups["transformer, video"] == Count(1215, 13_041_520_768)
    assert verified.groups["VAE decoder"] == Count(90, 528_380_720)
    assert sum(count.tensors for count in verified.groups.values()) == 4052
    assert verified.dtypes["F32"] == Count(194, 3_256_320)
    assert "unknown" not in verified.groups
    assert verified.size_bytes / 1e9 == pytest.approx(43.3, abs=0.05)


def test_the_full_size_lora_and_upscaler_have_the_published_sizes(tmp_path: Path) -> None:
    lora = verify(write_sparse(tmp_path / "l.safetensors", lora_shapes()), checksum=False)
    assert lora.size_bytes == pytest.approx(registry().models["distilled-lora"].about_bytes, rel=1e-4)
    assert lora.groups["pairs, text projection"].tensors == 2
    upscaler = verify(write_sparse(tmp_path / "x.safetensors", upscaler_shapes(), upscaler_config()), checksum=False)
    assert upscaler.kind == "latent upscaler"
    assert upscaler.size_bytes == pytest.approx(registry().models["upscaler"].about_bytes, rel=1e-4)


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("model.diffusion_model.transformer_blocks.17.attn2.to_k.weight", (4096, 2048)),
        ("model.diffusion_model.proj_out.bias", (129,)),
        ("vae.decoder.up_blocks.4.res_blocks.2.conv1.conv.weight", (256, 256, 3, 3, 1)),
        ("vae.per_channel_statistics.std-of-means", (127,)),
        ("text_embedding_projection.aggregate_embed.weight", (3841, 188160)),
        ("model.diffusion_model.video_embeddings_connector.learnable_registers", (128, 3841)),
    ],
)
def test_a_tensor_of_the_wrong_shape_is_named(tmp_path: Path, key: str, shape: tuple[int, ...]) -> None:
    path = write_sparse(tmp_path / "u.safetensors", unified_shapes() | {key: shape}, unified_config())
    with pytest.raises(WeightsError) as caught:
        verify(path, checksum=False)
    assert key.split(".")[-2] in caught.value.message or key.split(".")[-1] in caught.value.message


def test_half_a_lora_pair_and_unequal_ranks_are_named(tmp_path: Path) -> None:
    good = {"diffusion_model.x.lora_A.weight": (4, 8), "diffusion_model.x.lora_B.weight": (8, 4)}
    with pytest.raises(WeightsError, match="no half of a LoRA pair"):
        verify(write_sparse(tmp_path / "a.safetensors", good | {"diffusion_model.y.lora_A.weight": (4, 8)}))
    with pytest.raises(WeightsError, match="has shapes"):
        verify(write_sparse(tmp_path / "b.safetensors", good | {"diffusion_model.x.lora_B.weight": (8, 5)}))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no file of LTX-2"):
        verify(write_sparse(tmp_path / "x.safetensors", {"bert.embeddings.weight": (2, 2)}))


def test_the_published_sum_is_compared(tiny: WeightFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tiny.distilled_lora is not None
    found = hashlib.sha256(tiny.distilled_lora.read_bytes()).hexdigest()
    assert verify(tiny.distilled_lora).sha256 == {DISTILLED_LORA: found}
    models = registry().models
    known = models["distilled-lora"].model_copy(update={"sha256": "0" * 64})
    monkeypatch.setitem(models, "distilled-lora", known)
    with pytest.raises(WeightsError, match=f"sha256 {found}, published is 0000"):
        verify(tiny.distilled_lora)


@pytest.mark.parametrize("role", ["dev", "distilled", "distilled_lora", "upscaler", "gemma"])
def test_the_command_prints_what_a_file_holds(tiny: WeightFiles, role: str) -> None:
    result = CliRunner().invoke(app, ["verify", str(getattr(tiny, role))])
    assert result.exit_code == 0, result.output
    assert "sha256" in result.output
    assert "BF16" in result.output
    if role in ("dev", "distilled"):
        assert "LTX-2.0" in result.output
        assert "unknown" in result.output


def test_the_command_lists_every_model() -> None:
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    assert all(name in result.output for name in registry().models)
