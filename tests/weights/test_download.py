"""The real huggingface_hub client against a hub on the loopback interface."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltxbench.errors import Busy, ResourceError, UsageError, WeightsError
from ltxbench.weights import hub_cache, notes
from ltxbench.weights.download import download
from ltxbench.weights.registry import Repository, registry
from ltxbench.weights.transfer import partial_file
from tests.weights.hub_server import COMMIT, Hub, serve

LTX = "Lightricks/LTX-2"
GEMMA = "google/gemma-3-12b-it-qat-q4_0-unquantized"
UPSCALER = "ltx-2-spatial-upscaler-x2-1.0.safetensors"
LORA = "ltx-2-19b-distilled-lora-384.safetensors"
CONTENT = bytes(range(256)) * 400


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants, file_download

    gemma = {
        "config.json": b"{}",
        "tokenizer.json": b"{}",
        "model.safetensors": CONTENT,
        "README.md": b"not wanted",
    }
    with serve(Hub({LTX: {UPSCALER: CONTENT, LORA: CONTENT[::-1]}, GEMMA: gemma})) as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = f"{running.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)  # the client keeps whole chunks
        monkeypatch.setattr(file_download.time, "sleep", lambda _: None)  # between the client's own retries
        monkeypatch.setenv("LTXBENCH_CACHE", str(tmp_path / "own"))
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield running


def _yes(repository: str, entry: Repository) -> bool:
    return True


def _fetch(*names: str) -> dict[str, Path]:
    return download(names, _yes, lambda _: None)


def _last_get(hub: Hub) -> str:
    return [request for request in hub.requests if request.startswith("GET")][-1]


def test_a_download_is_complete_checked_and_found_offline(hub: Hub) -> None:
    places = _fetch("upscaler", "gemma")
    assert places["upscaler"].read_bytes() == CONTENT
    assert sorted(path.name for path in places["gemma"].iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    asked = len(hub.requests)
    assert hub_cache.find("upscaler") == places["upscaler"]
    assert len(hub.requests) == asked


def test_the_commit_is_recorded_and_used_from_then_on(hub: Hub) -> None:
    _fetch("upscaler")
    assert notes.read(notes.COMMITS) == {LTX: COMMIT}
    hub.requests.clear()
    _fetch("distilled-lora")
    assert all(COMMIT in request for request in hub.requests), hub.requests


def test_what_is_here_is_not_fetched_again(hub: Hub) -> None:
    _fetch("upscaler")
    hub.requests.clear()
    _fetch("upscaler")
    assert not [request for request in hub.requests if "/resolve/" in request]


def test_a_corrupted_file_is_found_by_its_sum_and_removed(hub: Hub) -> None:
    hub.corrupt.add(UPSCALER)
    with pytest.raises(WeightsError, match=r"damaged on the way \(sha256"):
        _fetch("upscaler")
    assert hub_cache.find("upscaler") is None
    hub.corrupt.clear()
    assert _fetch("upscaler")["upscaler"].read_bytes() == CONTENT


def test_a_file_damaged_on_the_disk_is_found_and_fetched_anew(hub: Hub) -> None:
    place = _fetch("upscaler")["upscaler"]
    place.resolve().write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(WeightsError, match="removed"):
        _fetch("upscaler")
    assert _fetch("upscaler")["upscaler"].read_bytes() == CONTENT


def test_a_torn_transfer_goes_on_where_it_broke_off(hub: Hub) -> None:
    hub.cut_after[UPSCALER] = [40_000]
    assert _fetch("upscaler")["upscaler"].read_bytes() == CONTENT
    assert _last_get(hub).endswith(f"bytes={40_000 // 4096 * 4096}-")


def test_a_transfer_that_stays_torn_is_resumed_by_the_next_run(hub: Hub) -> None:
    hub.cut_after[UPSCALER] = [40_000, *[0] * 20]
    with pytest.raises(WeightsError, match=r"hub cannot be reached|of size") as caught:
        _fetch("upscaler")
    assert "goes on from there" in str(caught.value.hint)
    assert hub_cache.find("upscaler") is None
    hub.cut_after.clear()
    assert _fetch("upscaler")["upscaler"].read_bytes() == CONTENT
    assert _last_get(hub).endswith(f"bytes={40_000 // 4096 * 4096}-")


def test_a_gated_repository_says_what_to_accept_and_where(hub: Hub) -> None:
    hub.gated.add(GEMMA)
    with pytest.raises(WeightsError, match="access is restricted") as caught:
        _fetch("gemma")
    assert f"https://huggingface.co/{GEMMA}" in str(caught.value.hint)
    assert "hf auth login" in str(caught.value.hint)


def test_a_repository_that_is_not_shown_without_a_token_says_so(hub: Hub) -> None:
    hub.private.add(LTX)
    with pytest.raises(WeightsError, match="no such repository"):
        _fetch("upscaler")
    del hub.files[LTX]
    with pytest.raises(WeightsError, match="no such repository"):
        _fetch("upscaler")


def test_a_file_that_has_left_the_repository_is_named(hub: Hub) -> None:
    hub.gone.add(UPSCALER)
    with pytest.raises(WeightsError, match=r"upscaler-x2-1\.0\.safetensors: not in the repository"):
        _fetch("upscaler")
    del hub.files[LTX][UPSCALER]
    with pytest.raises(WeightsError, match="at the commit in use"):
        _fetch("upscaler")


def test_a_commit_that_is_gone_is_named(hub: Hub) -> None:
    notes.add(notes.COMMITS, {LTX: "f" * 40})
    with pytest.raises(WeightsError, match="no longer there"):
        _fetch("upscaler")


def test_a_hub_that_fails_or_is_away_is_told_apart(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub.broken = True
    with pytest.raises(WeightsError, match="answered 500"):
        _fetch("upscaler")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match="cannot be reached"):
        _fetch("upscaler")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        _fetch("upscaler")


def test_the_licence_is_asked_for_once_and_nothing_is_fetched_without_it(hub: Hub) -> None:
    asked: list[str] = []

    def no(repository: str, entry: Repository) -> bool:
        asked.append(f"{repository} {entry.licence}")
        return False

    with pytest.raises(UsageError, match="not accepted"):
        download(["upscaler"], no, lambda _: None)
    assert asked == [f"{LTX} LTX-2 Community License"]
    assert not hub.requests
    _fetch("upscaler")
    download(["distilled-lora"], no, lambda _: None)  # the same repository: not asked again
    assert len(asked) == 1


def test_too_little_disk_is_an_error_with_the_figures(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**12, 10**12 - 50_000, 50_000))
    with pytest.raises(ResourceError, match=r"0\.1 MB are to be downloaded, 0\.05 MB are free"):
        _fetch("upscaler")
    assert not [request for request in hub.requests if "/resolve/" in request]


def test_an_unknown_model_is_refused_with_the_known_ones(hub: Hub) -> None:
    with pytest.raises(UsageError, match="'vae' is no model") as caught:
        _fetch("vae")
    assert "upscaler" in str(caught.value.hint)


def test_the_registry_is_sound() -> None:
    assert list(registry().models) == ["distilled", "dev", "distilled-lora", "upscaler", "gemma", "gemma-4bit"]
    for model in registry().models.values():
        assert model.size_bytes in (None, model.about_bytes)
        assert model.repository in registry().repositories


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["upscaler", "--yes"], 0, "upscaler: "),
        (["upscaler"], 2, "not accepted"),
        ([], 2, "no model named"),
    ],
)
def test_the_command_downloads(hub: Hub, tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "home"),
        "LTXBENCH_CACHE": str(tmp_path / "own"),
    }
    result = subprocess.run(
        [sys.executable, "-m", "ltxbench", "models", "download", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert result.returncode == code, result.stderr
    assert text in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_a_second_process_does_not_write_into_the_same_download(hub: Hub) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    partial = partial_file(LTX, sha256)
    partial.parent.mkdir(parents=True)
    with partial.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="another process"):
            _fetch("upscaler")
    _fetch("upscaler")


def test_a_download_resumed_on_a_damaged_start_is_found_and_begun_anew(hub: Hub) -> None:
    partial = partial_file(LTX, hashlib.sha256(CONTENT).hexdigest())
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"?" * 5000)
    with pytest.raises(WeightsError, match="damaged on the way"):
        _fetch("upscaler")
    assert not partial.exists()
    assert _fetch("upscaler")["upscaler"].read_bytes() == CONTENT


def test_what_arrived_already_counts_for_the_disk_check(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = partial_file(LTX, hashlib.sha256(CONTENT).hexdigest())
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT[:-1])
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, 2**30 + 10))
    assert _fetch("upscaler")["upscaler"].read_bytes() == CONTENT
