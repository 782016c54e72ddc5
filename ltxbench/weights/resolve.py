"""From what the command line says to the files that the cases read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ltxbench.errors import UsageError, WeightsError
from ltxbench.matrix.case import Case
from ltxbench.weights import hub_cache
from ltxbench.weights.cache import cache_folder
from ltxbench.weights.files import (
    DEV,
    DISTILLED,
    DISTILLED_LORA,
    GEMMA,
    GEMMA_4BIT,
    UPSCALER,
    RandomWeights,
    WeightFiles,
)
from ltxbench.weights.gemma_folder import check_gemma
from ltxbench.weights.header import read_header
from ltxbench.weights.integrity import checked_sha256
from ltxbench.weights.random.disk import Watch, ensure_files, kind_of
from ltxbench.weights.random.sizes import DEFAULT, VERSION, sizes_of
from ltxbench.weights.registry import needed as models_of
from ltxbench.weights.registry import registry
from ltxbench.weights.sha256 import Sha256Cache
from ltxbench.weights.tiny import ensure_tiny
from ltxbench.weights.tiny.store import MARKER as TINY_MARKER

TINY, OFFICIAL, RANDOM = "tiny", "official", "random"
RANDOM_SEED = 20260106

FILES = {"distilled": DISTILLED, "dev": DEV, "distilled-lora": DISTILLED_LORA, "upscaler": UPSCALER}
GEMMA_FOLDERS = (GEMMA, GEMMA_4BIT, "gemma")
SAFETENSORS = ".safetensors"
GEMMA_SUFFIXES = (".json", SAFETENSORS)

ROLES = {
    "distilled": "distilled",
    "dev": "dev",
    "distilled-lora": "distilled_lora",
    "upscaler": "upscaler",
    "gemma": "gemma",
}
"""Name in the registry to field of WeightFiles."""


def resolve(spec: str, needed: Iterable[Case], *, from_disk: bool = False, watch: Watch | None = None) -> WeightFiles:
    """The set called `tiny` (made if need be), `official` (the Hugging Face cache, offline), `random` or `random:SIZE`
    (no files at all), or a folder with the official names.

    `from_disk` writes random weights as files first, told to `watch`, and reads those.

    Only what the cases read has to be there. Raises WeightsError that names what is missing and how to get it.
    """
    cases = list(needed)
    names = models_of(cases)
    kind, _, size = spec.partition(":")
    if from_disk and kind != RANDOM:
        raise UsageError(
            f"--from-disk is for random weights; {spec!r} are files already",
            hint="Leave it out, or give --weights random.",
        )
    _check_loras(cases)
    if spec == TINY:
        return ensure_tiny(cache_folder())
    if kind == RANDOM:
        return _random(size or DEFAULT, names, from_disk, watch)
    return _official(names) if spec == OFFICIAL else _folder(spec, names)


def _check_loras(cases: Iterable[Case]) -> None:
    for case in cases:
        for lora in case.loras:
            if not Path(lora.path).is_file():
                raise WeightsError(
                    f"case {case.name}: {lora.path}: no such LoRA file",
                    hint="A path in `loras` is relative to the folder that ltxbench is started in.",
                )
            read_header(Path(lora.path))


def _random(size: str, names: list[str], from_disk: bool, watch: Watch | None) -> WeightFiles:
    sizes_of(size)
    weights = RandomWeights(seed=RANDOM_SEED, size=size)
    if from_disk:
        return ensure_files(weights, names, cache_folder(), watch)
    absent = dict.fromkeys(ROLES.values())
    return WeightFiles(kind=kind_of(weights), synthetic=True, random=weights, **absent)


def _official(names: list[str]) -> WeightFiles:
    found = {name: hub_cache.find(name) for name in registry().models}
    found["gemma"] = found["gemma"] or found.pop("gemma-4bit")
    missing = [name for name in names if found[name] is None]
    if missing:
        total = sum(registry().models[name].about_bytes for name in missing)
        described = ", ".join(f"{name} ({_described(name)})" for name in missing)
        raise WeightsError(
            f"not downloaded yet: {described}",
            hint=f"`ltxbench models download {' '.join(missing)}` fetches {total / 1e9:.1f} GB."
            + (" gemma-4bit (8.1 GB) can stand in for gemma." if "gemma" in missing else ""),
        )
    return _files(OFFICIAL, found)


def _described(name: str) -> str:
    model = registry().models[name]
    return f"{model.repository}, {model.file}" if model.file else model.repository


def _folder(spec: str, names: list[str]) -> WeightFiles:
    folder = Path(spec).expanduser()
    listing = ", ".join([*FILES.values(), f"{GEMMA_FOLDERS[0]}/"])
    if not folder.is_dir():
        raise WeightsError(
            f"{spec}: no such folder of weights",
            hint=f"Give `tiny`, `random`, `official`, or a folder that holds {listing}.",
        )
    found: dict[str, Path | None] = {}
    for name, file in FILES.items():
        path = folder / file
        found[name] = path if path.is_file() else None
    gemmas = [folder / name for name in GEMMA_FOLDERS]
    found["gemma"] = next((path for path in gemmas if hub_cache.gemma_is_complete(path)), None)
    missing = [FILES.get(name, f"{GEMMA_FOLDERS[0]}/") for name in names if found[name] is None]
    if missing:
        raise WeightsError(
            f"{folder}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing or incomplete",
            hint=f"Expected names: {listing} (or {' or '.join(f'{name}/' for name in GEMMA_FOLDERS[1:])}, with "
            "config.json, tokenizer.json and all safetensors files).",
        )
    # A copy of the tiny set stays what it is.
    return _files(spec, found, synthetic=(folder / TINY_MARKER).is_file())


def _files(kind: str, found: dict[str, Path | None], *, synthetic: bool = False) -> WeightFiles:
    return WeightFiles(kind=kind, synthetic=synthetic, **{role: found[name] for name, role in ROLES.items()})


def digest(files: WeightFiles, needed: Iterable[Case] | None = None) -> str:
    """sha256 over role and sha256 of every file, wherever the files lie; of those that the cases read, if given, and of
    the LoRAs that they name.

    Random weights are summed up by what they are drawn from: generator, seed and sizes. Sums of files are remembered by
    size, times and inode: the first digest of the published ones reads them all.

    Raises WeightsError for a file that is not what it should be, see ltxbench.weights.integrity: nothing has run yet.
    """
    if files.random is not None:
        drawn = {"version": VERSION, "seed": files.random.seed, "sizes": asdict(sizes_of(files.random.size))}
        return hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()
    known = Sha256Cache(cache_folder())
    cases = list(needed) if needed is not None else None
    roles = [role for role in ROLES.values() if getattr(files, role) is not None]
    if cases is not None:
        wanted = {ROLES[name] for name in models_of(cases)}
        roles = [role for role in roles if role in wanted]
    lines = []
    for role in roles:
        path: Path = getattr(files, role)
        if path.is_dir():
            parts = sorted(part for part in path.iterdir() if part.is_file() and part.suffix in GEMMA_SUFFIXES)
            check_gemma(path)
            sums = {part: checked_sha256(part, known, tensors=part.suffix == SAFETENSORS) for part in parts}
            lines += [f"{role}/{part.name} {sum_}\n" for part, sum_ in sums.items()]
        else:
            published = _published(path.name) if files.kind == OFFICIAL else None
            lines.append(f"{role} {checked_sha256(path, known, published=published)}\n")
    loras = dict.fromkeys(lora.path for case in cases or () for lora in case.loras)
    lines += [f"lora {checked_sha256(Path(path), known)}\n" for path in loras]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _published(file: str) -> str | None:
    return next((model.sha256 for model in registry().models.values() if model.file == file), None)
