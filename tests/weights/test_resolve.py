"""Which files a run gets, and what is said when they are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ltxbench.errors import ResourceError, WeightsError
from ltxbench.matrix.case import Case, ExtraLora, LoraUse, Model
from ltxbench.weights import hub_cache, notes
from ltxbench.weights.cache import cache_folder
from ltxbench.weights.files import DEV, DISTILLED, GEMMA, UPSCALER, WeightFiles
from ltxbench.weights.integrity import accept
from ltxbench.weights.registry import needed, registry
from ltxbench.weights.resolve import digest, resolve
from ltxbench.weights.sha256 import sha256_file
from tests.weights.stored import stored

DISTILLED_CASE = Case(name="distilled", title="distilled")
EVERYTHING = Case(
    name="all", title="all", model=Model.DEV, two_stage=True, distilled_lora=LoraUse.STAGE_2, width=128, height=128
)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache and an empty cache of ltxbench."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("LTXBENCH_CACHE", str(tmp_path / "own"))
    return tmp_path / "hub"


def _folder(tiny: WeightFiles) -> Path:
    assert tiny.dev is not None
    return tiny.dev.parent


def test_a_folder_with_the_official_names_is_taken(tiny: WeightFiles) -> None:
    files = resolve(str(_folder(tiny)), [EVERYTHING])
    assert files.kind == str(_folder(tiny))
    assert (files.dev, files.gemma, files.upscaler) == (tiny.dev, tiny.gemma, tiny.upscaler)


def test_only_what_the_cases_read_must_be_there(tmp_path: Path, tiny: WeightFiles) -> None:
    (tmp_path / DISTILLED).symlink_to(_folder(tiny) / DISTILLED)
    (tmp_path / GEMMA).symlink_to(_folder(tiny) / GEMMA)
    assert resolve(str(tmp_path), [DISTILLED_CASE]).dev is None
    with pytest.raises(WeightsError, match="are missing") as caught:
        resolve(str(tmp_path), [DISTILLED_CASE, EVERYTHING])
    assert DEV in caught.value.message
    assert UPSCALER in caught.value.message
    assert DISTILLED not in caught.value.message
    assert DISTILLED in str(caught.value.hint)


def test_a_gemma_folder_without_one_of_its_shards_is_incomplete(tmp_path: Path, tiny: WeightFiles) -> None:
    (tmp_path / DISTILLED).symlink_to(_folder(tiny) / DISTILLED)
    shutil.copytree(_folder(tiny) / GEMMA, tmp_path / GEMMA)
    (tmp_path / GEMMA / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model.safetensors"}}')
    assert resolve(str(tmp_path), [DISTILLED_CASE]).gemma == tmp_path / GEMMA
    (tmp_path / GEMMA / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}')
    with pytest.raises(WeightsError, match="missing or incomplete"):
        resolve(str(tmp_path), [DISTILLED_CASE])


def test_an_unknown_folder_is_refused_with_the_choices() -> None:
    with pytest.raises(WeightsError, match="no such folder") as caught:
        resolve("no-such-place", [DISTILLED_CASE])
    assert "tiny" in str(caught.value.hint)


def test_missing_official_files_come_with_the_command_that_fetches_them() -> None:
    with pytest.raises(WeightsError, match=r"ltx-2-19b-distilled\.safetensors") as caught:
        resolve("official", [DISTILLED_CASE])
    assert "ltxbench models download distilled gemma" in str(caught.value.hint)


def _cached(hub: Path, name: str, source: Path, commit: str) -> None:
    model = registry().models[name]
    folder = hub / f"models--{model.repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    if model.file:
        snapshot.mkdir(exist_ok=True)
        (snapshot / model.file).symlink_to(source)
    else:
        shutil.copytree(source, snapshot)


def test_official_files_are_found_in_the_hub_cache_offline(hub: Path, tiny: WeightFiles) -> None:
    assert tiny.distilled is not None
    assert tiny.gemma is not None
    _cached(hub, "distilled", tiny.distilled, "a" * 40)
    _cached(hub, "gemma-4bit", tiny.gemma, "b" * 40)
    files = resolve("official", [DISTILLED_CASE])
    assert files.distilled is not None
    assert files.gemma is not None
    assert "mlx-community" in str(files.gemma)  # stands in for the gated one


def test_the_recorded_commit_wins_over_what_main_became(hub: Path, tiny: WeightFiles) -> None:
    assert tiny.distilled is not None
    _cached(hub, "distilled", tiny.distilled, "a" * 40)
    notes.add(notes.COMMITS, {"Lightricks/LTX-2": "c" * 40})
    assert hub_cache.find("distilled") is None
    notes.add(notes.COMMITS, {"Lightricks/LTX-2": "a" * 40})
    assert hub_cache.find("distilled") is not None
    notes.add(notes.COMMITS, {"Lightricks/LTX-2": "../../outside"})
    assert hub_cache.revision("Lightricks/LTX-2") is None


def test_what_cases_need() -> None:
    assert needed([DISTILLED_CASE]) == ["distilled", "gemma"]
    assert needed([EVERYTHING]) == ["dev", "distilled-lora", "upscaler", "gemma"]
    assert needed([]) == ["gemma"]


def test_the_digest_follows_the_contents_alone(tmp_path: Path, tiny: WeightFiles) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(_folder(tiny), copy)
    files = resolve(str(copy), [EVERYTHING])
    assert digest(files) == digest(tiny)
    assert digest(files, [DISTILLED_CASE]) != digest(files)
    before = digest(files, [DISTILLED_CASE])
    shutil.copyfile(copy / DISTILLED, copy / DEV)
    accept(copy / DEV, sha256_file(copy / DEV))
    assert digest(files, [DISTILLED_CASE]) == before
    assert digest(files) != digest(tiny)


def test_the_digest_remembers_sums_and_notices_changes(tiny: WeightFiles, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(_folder(tiny), copy)
    files = resolve(str(copy), [EVERYTHING])
    digest(files)
    assert (cache_folder() / "contents.json").is_file()
    (cache_folder() / "contents.json").write_text('{"torn')
    first = digest(files)
    tokenizer = copy / GEMMA / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    with pytest.raises(WeightsError, match=r"tokenizer\.json: not the file that was used before"):
        digest(files)
    accept(tokenizer, sha256_file(tokenizer))
    assert digest(files) != first


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LTXBENCH_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / ".cache" / "ltxbench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "ltxbench"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "ltxbench"


def test_a_user_without_a_home_is_told_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LTXBENCH_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # what it gives where nobody knows the home
    with pytest.raises(ResourceError, match="no home") as caught:
        cache_folder()
    assert "LTXBENCH_CACHE" in str(caught.value.hint)


def test_a_missing_lora_is_told_before_anything_runs(tmp_path: Path, tiny: WeightFiles) -> None:
    case = DISTILLED_CASE.model_copy(update={"loras": (ExtraLora(path=str(tmp_path / "mine.safetensors")),)})
    with pytest.raises(WeightsError, match=r"case distilled: .*mine\.safetensors: no such LoRA file"):
        resolve("tiny", [DISTILLED_CASE, case])


def test_the_digest_counts_the_loras_of_the_cases(tmp_path: Path, tiny: WeightFiles) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(stored({"a": ("F32", [2])}))
    case = DISTILLED_CASE.model_copy(update={"loras": (ExtraLora(path=str(file)),)})
    first = digest(tiny, [case])
    assert first != digest(tiny, [DISTILLED_CASE])
    file.write_bytes(stored({"a": ("F32", [3])}))
    accept(file, sha256_file(file))
    assert digest(tiny, [case]) != first


def test_a_folder_made_of_the_tiny_set_stays_synthetic(tmp_path: Path, tiny: WeightFiles) -> None:
    assert resolve(str(_folder(tiny)), [DISTILLED_CASE]).synthetic
    (tmp_path / DISTILLED).symlink_to(_folder(tiny) / DISTILLED)
    (tmp_path / GEMMA).symlink_to(_folder(tiny) / GEMMA)
    assert not resolve(str(tmp_path), [DISTILLED_CASE]).synthetic
