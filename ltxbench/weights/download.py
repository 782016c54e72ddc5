"""Fetches the published files through huggingface_hub into its own cache, and checks what arrived.

The client checks sizes but not sums, so a corrupt transfer can succeed (huggingface_hub#3643): every file's sha256 is
compared with the registry's or the hub's. And it drops what has arrived when it fails (huggingface_hub#4228): large
files go through `transfer`, which keeps it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ltxbench.errors import ResourceError, UsageError, WeightsError
from ltxbench.weights import hub_cache, notes
from ltxbench.weights.cache import cache_folder
from ltxbench.weights.registry import COMMIT, GEMMA_FILES, Repository, registry
from ltxbench.weights.sha256 import Sha256Cache
from ltxbench.weights.transfer import partial_file, transfer

SPARE_BYTES = 1 << 30
"""What must stay free on the disk after the download."""

Confirm = Callable[[str, Repository], bool]
"""confirm(repository, its entry): whether the user accepts its licence."""


@dataclass(frozen=True)
class Remote:
    """One file as the hub describes it at one commit."""

    repository: str
    commit: str
    file: str
    size_bytes: int | None
    sha256: str | None
    """None for small files, which the hub keeps in git."""


def download(names: Iterable[str], confirm: Confirm, say: Callable[[str], None]) -> dict[str, Path]:
    """Fetches the named models and returns where they lie. `say` gets a line for each thing that happens.

    Raises UsageError for an unknown name or a licence that is not accepted, ResourceError for too little disk,
    WeightsError for what the hub refuses, does not have, or sends damaged.
    """
    chosen = registry().checked(names)
    repositories = list(dict.fromkeys(registry().models[name].repository for name in chosen))
    for repository in repositories:
        _accept(repository, confirm)
    files = {repository: _listing(repository) for repository in repositories}
    wanted = [remote for name in chosen for remote in _wanted(name, files)]
    _check_disk(wanted)
    for remote in wanted:
        _fetch(remote, say)
    for repository in repositories:
        if registry().repositories[repository].revision is None:
            notes.add(notes.COMMITS, {repository: files[repository][0].commit})
    places = {}
    for name in chosen:
        place = hub_cache.find(name)
        if place is None:
            raise WeightsError(f"{name}: the repository lacks a file that its own index names")
        places[name] = place
    return places


def _accept(repository: str, confirm: Confirm) -> None:
    entry = registry().repositories[repository]
    if notes.read(notes.LICENCES).get(repository) == entry.licence:
        return
    if not confirm(repository, entry):
        raise UsageError(f"{repository}: the licence was not accepted, nothing was downloaded")
    notes.add(notes.LICENCES, {repository: entry.licence})


def _listing(repository: str) -> list[Remote]:
    """Every file of the repository at the commit in use."""
    from huggingface_hub import HfApi, constants

    with _explained(repository):
        info = HfApi(endpoint=constants.ENDPOINT).model_info(
            repository, revision=hub_cache.revision(repository), files_metadata=True
        )
    if info.sha is None or not COMMIT.fullmatch(info.sha):
        raise WeightsError(f"{repository}: the hub names no commit ({info.sha})")
    commit = info.sha
    return [
        Remote(repository, commit, part.rfilename, part.size, part.lfs.sha256 if part.lfs else None)
        for part in info.siblings or []
    ]


def _wanted(name: str, files: dict[str, list[Remote]]) -> list[Remote]:
    model = registry().models[name]
    patterns = (model.file,) if model.file else GEMMA_FILES
    found = [part for part in files[model.repository] if any(fnmatch(part.file, pattern) for pattern in patterns)]
    found = [part for part in found if "/" not in part.file]
    if not found:
        raise WeightsError(
            f"{model.repository}: no file {' or '.join(patterns)} at the commit in use",
            hint="The repository has changed; a newer version of ltxbench may know its new layout.",
        )
    if model.sha256 and found[0].sha256 not in (None, model.sha256):
        raise WeightsError(f"{found[0].file}: the hub's sha256 is {found[0].sha256}, published was {model.sha256}")
    return found


def _check_disk(wanted: Iterable[Remote]) -> None:
    """Raises ResourceError unless what is still to come fits with room to spare."""
    from huggingface_hub import constants

    missing = [remote for remote in wanted if _cached(remote) is None]
    coming = sum((remote.size_bytes or 0) - _arrived_bytes(remote) for remote in missing)
    if not coming:
        return
    cache = Path(constants.HF_HUB_CACHE)
    standing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(standing).free
    if coming + SPARE_BYTES > free:
        raise ResourceError(
            f"{cache}: {_amount(coming)} are to be downloaded, {_amount(free)} are free",
            hint="Free some space (1 GB stays spare), or set HF_HUB_CACHE to a folder on a larger disk.",
        )


def _amount(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.3g} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.2g} MB"


def _arrived_bytes(remote: Remote) -> int:
    """What an earlier, torn download has left."""
    partial = partial_file(remote.repository, remote.sha256) if remote.sha256 else None
    return partial.stat().st_size if partial is not None and partial.is_file() else 0


def _cached(remote: Remote) -> Path | None:
    from huggingface_hub import constants, try_to_load_from_cache

    place = try_to_load_from_cache(
        remote.repository, remote.file, cache_dir=constants.HF_HUB_CACHE, revision=remote.commit
    )
    return Path(place) if isinstance(place, str) else None


def _fetch(remote: Remote, say: Callable[[str], None]) -> None:
    from huggingface_hub import constants, hf_hub_download

    if (place := _cached(remote)) is not None:
        say(f"{remote.repository}: {remote.file} is here already")
        _check(place, remote)
        return
    say(f"{remote.repository}: {remote.file}" + (f" ({_amount(remote.size_bytes)})" if remote.size_bytes else ""))
    with _explained(remote.repository, remote.file):
        if remote.sha256 is not None:
            transfer(remote.repository, remote.commit, remote.file, remote.sha256)
        # The client finds a large file's contents in its cache already, and gives them their name.
        place = Path(
            hf_hub_download(
                remote.repository,
                remote.file,
                revision=remote.commit,
                cache_dir=constants.HF_HUB_CACHE,
                endpoint=constants.ENDPOINT,
            )
        )
    _check(place, remote)


def _check(place: Path, remote: Remote) -> None:
    """Removes a file of the wrong size or sum, so that the next download fetches it anew."""
    size = place.stat().st_size
    if remote.size_bytes is not None and size != remote.size_bytes:
        problem = f"{size} bytes, expected {remote.size_bytes}"
    elif remote.sha256 is not None and (found := Sha256Cache(cache_folder()).of(place)) != remote.sha256:
        problem = f"sha256 {found}, expected {remote.sha256}"
    else:
        return
    place.resolve().unlink(missing_ok=True)
    place.unlink(missing_ok=True)
    raise WeightsError(f"{remote.file}: damaged ({problem}); it was removed", hint="Run the same command again.")


@contextlib.contextmanager
def _explained(repository: str, file: str | None = None) -> Iterator[None]:
    """Turns the client's errors into messages that say what to do."""
    from huggingface_hub import errors

    # The client's transport errors come from httpx or httpx2, depending on its version.
    transport: type[Exception] = next(base for base in errors.HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    what = f"{repository}: {file}" if file else repository
    again = "What has arrived is kept: the same command goes on from there."
    try:
        yield
    except errors.GatedRepoError:
        raise WeightsError(
            f"{what}: access is restricted",
            hint=f"Sign in, accept the conditions at https://huggingface.co/{repository}, then give this machine your "
            "token with `hf auth login`, and run the same command again.",
        ) from None
    except errors.RepositoryNotFoundError:
        raise WeightsError(
            f"{what}: the hub knows no such repository, or does not show it without a token (401 or 404)",
            hint="Give this machine a token with `hf auth login`; or the repository has moved.",
        ) from None
    except errors.RevisionNotFoundError:
        raise WeightsError(
            f"{what}: commit {hub_cache.revision(repository)} is no longer there",
            hint=f"If it is not pinned by ltxbench, remove {cache_folder() / notes.COMMITS}.",
        ) from None
    except errors.LocalEntryNotFoundError as error:
        raise WeightsError(f"{what}: the hub cannot be reached ({_reason(error)})", hint=again) from None
    except errors.EntryNotFoundError:
        raise WeightsError(f"{what}: not in the repository any more (404)") from None
    except errors.OfflineModeIsEnabled:
        raise WeightsError(f"{what}: HF_HUB_OFFLINE is set", hint="Unset it to download.") from None
    except errors.HfHubHTTPError as error:
        raise WeightsError(f"{what}: the hub answered {error.response.status_code}", hint=again) from None
    except transport as error:
        raise WeightsError(f"{what}: the hub cannot be reached ({_reason(error)})", hint=again) from None
    except OSError as error:
        raise WeightsError(f"{what}: {_reason(error)}", hint=again) from None


def _reason(error: BaseException) -> str:
    """The innermost cause's first line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
