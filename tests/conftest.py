"""Shared by all tests: a cache folder of their own, and the tiny weights in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltxbench.weights.files import WeightFiles


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test can touch the user's cache, nor the Hugging Face one."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTXBENCH_CACHE", str(folder / "ltxbench"))
        patch.setenv("HF_HOME", str(folder / "huggingface"))
        patch.setenv("HF_HUB_OFFLINE", os.environ.get("HF_HUB_OFFLINE", "1"))
        yield folder


@pytest.fixture(scope="session")
def tiny(own_cache: Path) -> WeightFiles:
    from ltxbench.weights.tiny.store import ensure_tiny

    return ensure_tiny(own_cache / "ltxbench")
