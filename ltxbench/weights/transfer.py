"""One large file into the Hugging Face cache, going on where an earlier run was torn off."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ltxbench.errors import Busy, WeightsError
from ltxbench.weights.sha256 import sha256_file


def partial_file(repository: str, sha256: str) -> Path:
    """What has arrived so far. Beside the blobs, on the same volume, so that completing it is a rename."""
    return _blobs(repository) / f"{sha256}.ltxbench.incomplete"


def transfer(repository: str, commit: str, file: str, sha256: str) -> None:
    """Puts the contents where the client keeps them, `blobs/<sha256>`, once they are complete and their sum is right.

    Raises Busy while another process fetches the same file, WeightsError for a wrong sum, and the client's own errors.
    """
    from huggingface_hub import constants, get_token, hf_hub_url
    from huggingface_hub.file_download import get_hf_file_metadata, http_get

    complete = _blobs(repository) / sha256
    if complete.is_file():
        return
    url = hf_hub_url(repository, file, revision=commit, endpoint=constants.ENDPOINT)
    token = get_token()
    metadata = get_hf_file_metadata(url, endpoint=constants.ENDPOINT)
    if metadata.etag != sha256:
        raise WeightsError(f"{file}: the hub lists sha256 {sha256} and sends {metadata.etag}")
    partial = partial_file(repository, sha256)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("ab") as target:
        try:
            fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"{file}: another process is fetching it", hint="Wait until it is done.") from None
        if metadata.size is not None and target.tell() > metadata.size:
            target.truncate(0)
        arrived = os.fstat(target.fileno()).st_size
        http_get(
            url,
            target,
            resume_size=arrived,
            headers={"authorization": f"Bearer {token}"} if token else None,
            expected_size=metadata.size,
            displayed_filename=file,
        )
        target.flush()
        os.fsync(target.fileno())
        found = sha256_file(partial)
        if found != sha256:
            partial.unlink()
            raise WeightsError(
                f"{file}: damaged on the way (sha256 {found}, expected {sha256}); it was removed",
                hint="Run the same command again.",
            )
        partial.replace(complete)


def _blobs(repository: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model") / "blobs"
