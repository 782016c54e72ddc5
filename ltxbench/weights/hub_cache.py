"""The published files as they lie in the Hugging Face cache. Never touches the network."""

from __future__ import annotations

import json
from pathlib import Path

from ltxbench.weights import notes
from ltxbench.weights.registry import COMMIT, registry


def revision(repository: str) -> str | None:
    """The commit to use: pinned in the registry, or recorded at the first download; None before that."""
    recorded = notes.read(notes.COMMITS).get(repository, "")
    return registry().repositories[repository].revision or (recorded if COMMIT.fullmatch(recorded) else None)


def find(name: str) -> Path | None:
    """The model's file, or its folder, if all of it is in the cache."""
    model = registry().models[name]
    folder = _snapshot(model.repository)
    if folder is None:
        return None
    if model.file is None:
        return folder if gemma_is_complete(folder) else None
    path = folder / model.file
    return path if path.is_file() else None


def _snapshot(repository: str) -> Path | None:
    """The cached files of the commit in use; before one is recorded, of whatever `main` was downloaded elsewhere."""
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model")
    commit = revision(repository)
    if commit is None:
        try:
            commit = (folder / "refs" / "main").read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
        if not COMMIT.fullmatch(commit):
            return None
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def gemma_is_complete(folder: Path) -> bool:
    """Configuration, tokenizer and every shard that the index names."""
    if not all((folder / name).is_file() for name in ("config.json", "tokenizer.json")):
        return False
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return (folder / "model.safetensors").is_file()
    try:
        shards = set(json.loads(index.read_text())["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False
    return bool(shards) and all(isinstance(shard, str) and (folder / shard).is_file() for shard in shards)
