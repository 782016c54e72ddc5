"""`ltxbench module`: one component on given tensors, as a user calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ltxbench.errors import ResourceError, UsageError, WeightsError
from ltxbench.model.checkpoint import Checkpoint
from ltxbench.model.component_tensors import COMPONENTS, describe
from ltxbench.model.components import RUNNERS, read_tensors, run
from ltxbench.weights.files import WeightFiles

RNG = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32)


INPUTS: dict[str, dict[str, np.ndarray]] = {
    "connector": {"features": array(1, 128, 128), "mask": np.ones((1, 128), np.int64)},
    "transformer": {
        "latent": array(1, 128, 2, 2, 3),
        "context": array(1, 128, 128),
        "sigma": np.array([0.725], np.float64),
        "fps": np.array(25.0),
    },
    "vae-decoder": {"latent": array(1, 128, 2, 2, 3)},
    "vae-encoder": {"video": array(1, 3, 9, 64, 96)},
    "upsampler": {"latent": array(1, 128, 2, 2, 3)},
    "denoise": {
        "latent": array(1, 128, 2, 2, 3),
        "context": array(1, 128, 128),
        "negative_context": array(1, 128, 128),
        "sigmas": np.array([1.0, 0.5, 0.0]),
        "cfg": np.array(3.0),
    },
}
SHAPES = {
    "connector": (1, 128, 128),
    "transformer": (1, 128, 2, 2, 3),
    "vae-decoder": (1, 3, 9, 64, 96),
    "vae-encoder": (1, 128, 2, 2, 3),
    "upsampler": (1, 128, 2, 4, 6),
    "denoise": (1, 128, 2, 2, 3),
}


def weights(name: str, tiny: WeightFiles) -> Path:
    path = tiny.upscaler if name == "upsampler" else tiny.dev
    assert path is not None
    return path


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ltxbench", "module", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_documented_component_runs_and_no_other_does() -> None:
    assert {component.name for component in COMPONENTS} == set(RUNNERS) == set(INPUTS)


@pytest.mark.parametrize("name", INPUTS)
def test_a_component_gives_its_documented_tensor(name: str, tiny: WeightFiles, tmp_path: Path) -> None:
    save_file(INPUTS[name], tmp_path / "in.safetensors")
    output = run(name, Checkpoint(weights(name, tiny)), read_tensors(tmp_path / "in.safetensors"), mx.float32)
    (tensor,) = output.values()
    assert list(output) == [next(entry.output.name for entry in COMPONENTS if entry.name == name)]
    assert tensor.shape == SHAPES[name]
    assert np.isfinite(np.array(tensor)).all()
    assert np.array(tensor).std() > 0


def test_the_command_writes_what_the_component_gives(tiny: WeightFiles, tmp_path: Path) -> None:
    source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    save_file(INPUTS["transformer"], source)
    result = call("transformer", "--weights", weights("transformer", tiny), "--inputs", source, "--output", target)
    assert result.returncode == 0, result.stderr
    direct = run("transformer", Checkpoint(weights("transformer", tiny)), read_tensors(source), mx.float32)
    np.testing.assert_allclose(load_file(target)["velocity"], np.array(direct["velocity"]), rtol=1e-4, atol=1e-5)


def test_tokens_with_their_positions_give_what_the_latent_gives(tiny: WeightFiles) -> None:
    from ltxbench.model.denoise import pack
    from ltxbench.model.positions import token_positions

    given = {key: mx.array(value.astype(np.float32)) for key, value in INPUTS["transformer"].items()}
    checkpoint = Checkpoint(weights("transformer", tiny))
    whole = run("transformer", checkpoint, given, mx.float32)["velocity"]
    tokens = {"latent": pack(given["latent"]), "context": given["context"], "sigma": given["sigma"]}
    positions = mx.array(token_positions((2, 2, 3), 25.0))
    parts = run("transformer", checkpoint, tokens | {"positions": positions}, mx.float32)["velocity"]
    assert mx.allclose(pack(whole), parts, atol=1e-6)


def test_hidden_states_are_projected_before_the_connector(tiny: WeightFiles) -> None:
    checkpoint = Checkpoint(weights("connector", tiny))
    columns = checkpoint.shapes["text_embedding_projection.aggregate_embed.weight"][1]
    states = mx.array(array(1, 128, columns // 4, 4))
    mask = mx.array((np.arange(128) >= 100)[None].astype(np.int32))
    context = run("connector", checkpoint, {"hidden_states": states, "mask": mask}, mx.float32)["context"]
    assert context.shape == (1, 128, 128)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": None}, "transformer needs a tensor context [B,S,D]"),
        ({"contxt": array(1)}, "transformer takes no tensor contxt"),
        ({"sigma": array(1, 1, 1)}, "tensor sigma has shape (1, 1, 1), expected [] or [B] or [B,N]"),
        (
            {"sigma": array(1, 11)},
            "tensor sigma has shape (1, 11), expected [] or [B] or [B,N] with N = 12, as in latent",
        ),
        (
            {"context": array(2, 8, 128)},
            "tensor context has shape (2, 8, 128), expected [B,S,D] with B = 1, as in latent",
        ),
        (
            {"context": array(1, 8, 127)},
            "tensor context has shape (1, 8, 127), expected [B,S,D] with D = 128, the model's",
        ),
        (
            {"latent": array(1, 127, 2, 2, 3)},
            "tensor latent has shape (1, 127, 2, 2, 3), expected [B,C,F,H,W] or [B,N,C] with C = 128, the model's",
        ),
        ({"latent": array(1, 128, 0, 2, 3)}, "tensor latent has shape (1, 128, 0, 2, 3): it is empty"),
        ({"positions": array(1, 2, 12, 2)}, "tensor positions has shape (1, 2, 12, 2), expected [B,3,N,2]"),
        ({"fps": np.array(0.0)}, "tensor fps is 0, expected a positive number"),
        ({"fps": np.array(np.nan)}, "tensor fps is nan, expected a number"),
        ({"skip_self_attention": np.array([0.5])}, "tensor skip_self_attention is [0.5], expected whole numbers"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    change: dict[str, np.ndarray | None], message: str, tiny: WeightFiles
) -> None:
    given = {key: value for key, value in (INPUTS["transformer"] | change).items() if value is not None}
    arrays = {key: mx.array(value.astype(np.float32)) for key, value in given.items()}
    with pytest.raises(UsageError) as caught:
        run("transformer", Checkpoint(weights("transformer", tiny)), arrays, mx.float32)
    assert caught.value.message == message


def test_one_noise_level_serves_every_sample_and_token(tiny: WeightFiles) -> None:
    checkpoint = Checkpoint(weights("transformer", tiny))
    both = {"latent": mx.array(array(2, 128, 1, 2, 2)), "context": mx.array(array(2, 4, 128))}
    levels = (mx.array(0.5), mx.full((1,), 0.5), mx.full((2,), 0.5), mx.full((2, 1), 0.5), mx.full((2, 4), 0.5))
    outputs = [
        np.array(run("transformer", checkpoint, both | {"sigma": level}, mx.float32)["velocity"]) for level in levels
    ]
    assert all(np.allclose(output, outputs[0], atol=1e-5) for output in outputs)


@pytest.mark.parametrize("sigmas", [[1.0], [1.0, 0.0, 0.0], [1.0, np.nan, 0.0]])
def test_noise_levels_that_no_step_can_leave_are_refused(sigmas: list[float], tiny: WeightFiles) -> None:
    given = {key: mx.array(value.astype(np.float32)) for key, value in INPUTS["denoise"].items()}
    with pytest.raises(UsageError, match=r"sigmas is .* two or more numbers, only the last of them 0"):
        run("denoise", Checkpoint(weights("denoise", tiny)), given | {"sigmas": mx.array(sigmas)}, mx.float32)


def test_a_tile_that_is_no_whole_number_is_refused(tiny: WeightFiles) -> None:
    given = {"latent": mx.array(array(1, 128, 1, 2, 2)), "tile_pixels": mx.array(96.5)}
    with pytest.raises(UsageError, match=r"tensor tile_pixels is 96\.5, expected a whole number"):
        run("vae-decoder", Checkpoint(weights("vae-decoder", tiny)), given, mx.float32)


def test_an_output_that_cannot_be_written_is_said_before_the_work(tiny: WeightFiles, tmp_path: Path) -> None:
    save_file(INPUTS["vae-decoder"], tmp_path / "in.safetensors")
    paths = ("--weights", weights("vae-decoder", tiny), "--inputs", tmp_path / "in.safetensors")
    result = call("vae-decoder", *paths, "--output", tmp_path / "none" / "out.safetensors")
    assert result.returncode == ResourceError.exit_code
    assert "not a file that can be written" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_component_ends_with_the_usage_code(tiny: WeightFiles, tmp_path: Path) -> None:
    save_file({"x": array(1)}, tmp_path / "in.safetensors")
    paths = ("--weights", weights("connector", tiny), "--inputs", tmp_path / "in.safetensors")
    result = call("vocoder", *paths, "--output", tmp_path / "out.safetensors")
    assert result.returncode == UsageError.exit_code
    assert "no component is called vocoder" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_weights_file_ends_with_the_weights_code(tmp_path: Path) -> None:
    save_file(INPUTS["vae-decoder"], tmp_path / "in.safetensors")
    paths = ("--weights", tmp_path / "none.safetensors", "--inputs", tmp_path / "in.safetensors")
    result = call("vae-decoder", *paths, "--output", tmp_path / "out.safetensors")
    assert result.returncode == WeightsError.exit_code
    assert "no such weights file" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_help_names_every_tensor() -> None:
    text = describe()
    for component in COMPONENTS:
        for tensor in (*component.inputs, component.output):
            assert f"{tensor.name} {tensor.shape}" in text
