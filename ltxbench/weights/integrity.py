"""Whether a weights file is what it was, and what it should be: asked of every file before anything runs.

Three sums may be known of a file: the registry's, the hub's where its client noted it beside the file, and that of the
first time it was used here. A file that differs from any of them is not run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from ltxbench.errors import WeightsError
from ltxbench.regular import open_regular
from ltxbench.weights import notes
from ltxbench.weights.cache import cache_folder
from ltxbench.weights.header import AGAIN
from ltxbench.weights.sha256 import Contents, Sha256Cache, read_contents, sha256_file

MAX_NAMED = 5
_SHA256 = re.compile(r"[0-9a-f]{64}")


def checked_sha256(path: Path, known: Sha256Cache, *, published: str | None = None, tensors: bool = True) -> str:
    """The file's sha256, once nothing speaks against it; `tensors` for a safetensors file.

    Raises WeightsError for a header that lies, NaN or infinity in a tensor, and a sum that is not the `published` one,
    the hub's or the first one seen.
    """
    contents = known.tensors_of(path) if tensors else Contents(sha256=known.of(path))
    refuse_nonfinite(path, contents)
    compare_sums(path, contents.sha256, published)
    return contents.sha256


def reread(
    path: Path,
    known: Sha256Cache,
    *,
    published: str | None,
    tensors: bool,
    accepted: bool,
    progress: Callable[[int], None] | None,
) -> str:
    """As `checked_sha256`, but the file is read whatever is remembered: finds a disk that returns other bytes.

    `accepted`: the user says that the file was replaced, so what is remembered of it no longer counts.
    """
    before = known.remembered(path)
    contents = read_contents(path, progress) if tensors else Contents(sha256=sha256_file(path, progress))
    refuse_nonfinite(path, contents)
    if accepted:
        accept(path, contents.sha256)
    elif before not in (None, contents.sha256):
        raise WeightsError(
            f"{path}: its bytes changed without its size and times: sha256 was {before}, is {contents.sha256}",
            hint=f"That is how a failing disk looks. {AGAIN}",
        )
    compare_sums(path, contents.sha256, published)
    return contents.sha256


def refuse_nonfinite(path: Path, contents: Contents) -> None:
    """Raises WeightsError that names the tensors."""
    bad = contents.nonfinite or ()
    if bad:
        more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
        raise WeightsError(
            f"{path}: {'a tensor holds' if len(bad) == 1 else f'{len(bad)} tensors hold'} what is no number: "
            f"{', '.join(bad[:MAX_NAMED])}{more}",
            hint="Whatever is computed with it is NaN too. " + AGAIN,
        )


def compare_sums(path: Path, found: str, published: str | None = None) -> None:
    """Raises WeightsError where a known sum differs; notes the sum of a file that is new here."""
    for expected, whose in ((published, "published"), (hub_sha256(path), "the hub's")):
        if expected is not None and expected != found:
            raise WeightsError(f"{path}: damaged: sha256 {found}, {whose} is {expected}", hint=AGAIN)
    if _is_own(path):
        return
    real = str(path.resolve())
    first = notes.read(notes.SUMS).get(real)
    if first is None:
        accept(path, found)
    elif first != found:
        raise WeightsError(
            f"{path}: not the file that was used before: sha256 {found}, was {first}",
            hint=f"If you replaced it: `ltxbench models verify --accept {shlex.quote(str(path))}`. If not: {AGAIN}",
        )


def accept(path: Path, sha256: str) -> None:
    """From now on this is the file's sum."""
    if not _is_own(path):
        notes.add(notes.SUMS, {str(path.resolve()): sha256})


def hub_sha256(path: Path) -> str | None:
    """What the hub said when the file was fetched; None for files that did not come from there, or lie in git.

    The client's cache names contents by their sum; beside a local folder it keeps a note of three lines, of which the
    second is the sum. https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    real = path.resolve()
    if real.parent.name == "blobs" and _SHA256.fullmatch(real.name):
        return real.name
    note = path.parent / ".cache" / "huggingface" / "download" / f"{path.name}.metadata"
    try:
        with open_regular(note, follow=True) as file:
            lines = file.read(1 << 12).decode("ascii", "replace").split()
    except OSError:
        return None
    return lines[1] if len(lines) > 1 and _SHA256.fullmatch(lines[1]) else None


def _is_own(path: Path) -> bool:
    """Files that ltxbench made from a seed carry a list of sums of their own, and may be made anew."""
    return path.resolve().is_relative_to(cache_folder().resolve())
