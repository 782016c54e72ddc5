"""Live comparisons with the official PyTorch code. Collected only where torch and ltx_core are installed."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

if importlib.util.find_spec("torch") is None or importlib.util.find_spec("ltx_core") is None:
    collect_ignore_glob = ["test_*.py"]

Check = Callable[..., float]


def relative_error(out: np.ndarray, ref: np.ndarray) -> float:
    """||out - ref|| / ||ref|| in float64."""
    out, ref = np.asarray(out, np.float64), np.asarray(ref, np.float64)
    assert out.shape == ref.shape, f"shape {out.shape}, reference {ref.shape}"
    assert np.isfinite(out).all()
    return float(np.linalg.norm(out - ref) / np.linalg.norm(ref))


@pytest.fixture(scope="session")
def _errors() -> Iterator[list[dict[str, object]]]:
    """Every measured error of the session; written for the table where LTXBENCH_PARITY_JSON says."""
    rows: list[dict[str, object]] = []
    yield rows
    if path := os.environ.get("LTXBENCH_PARITY_JSON"):
        Path(path).write_text(json.dumps(rows, indent=1) + "\n")


@pytest.fixture
def check(_errors: list[dict[str, object]]) -> Check:
    """check(component, configuration, out, ref, limit) asserts the relative error and records it."""

    def compare(component: str, configuration: str, out: object, ref: object, limit: float) -> float:
        error = relative_error(np.asarray(out), np.asarray(ref))
        _errors.append({"component": component, "configuration": configuration, "error": error, "limit": limit})
        assert error <= limit, f"{component} ({configuration}): relative error {error:.2e} > {limit:.0e}"
        return error

    return compare


@pytest.fixture
def check_bf16(_errors: list[dict[str, object]]) -> Check:
    """check_bf16(component, configuration, mlx_bf16, torch_bf16, ref_float32): MLX's error at most 1.5 torch's."""

    def compare(component: str, configuration: str, out: object, torch_out: object, ref: object) -> float:
        error = relative_error(np.asarray(out), np.asarray(ref))
        torch_error = relative_error(np.asarray(torch_out), np.asarray(ref))
        _errors.append(
            {
                "component": component,
                "configuration": configuration,
                "bf16_error": error,
                "torch_bf16_error": torch_error,
                "limit": 1.5 * torch_error,
            }
        )
        assert error <= 1.5 * torch_error, (
            f"{component} ({configuration}): {error:.2e} against torch's {torch_error:.2e}"
        )
        return error

    return compare
