"""A small Hugging Face hub on the loopback interface: enough of its protocol for the real client."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the server answers. `files` maps repository to file to contents."""

    files: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    corrupt: set[str] = field(default_factory=set)
    """Files that are sent with a flipped bit."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """File to the number of bytes after which each next answer breaks off."""
    gone: set[str] = field(default_factory=set)
    """Files that are listed and cannot be had."""
    broken: bool = False
    """Every answer is 500."""
    requests: list[str] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        asked = self.headers.get("Range")
        self.hub.requests.append(f"{self.command} {self.path}" + (f" {asked}" if asked else ""))
        if self.hub.broken:
            return self._refuse(500, "")
        if found := re.fullmatch(r"/api/models/([^/]+/[^/?]+)(?:/revision/([^/?]+))?(?:\?.*)?", self.path):
            return self._listing(found[1], found[2])
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path):
            return self._file(found[1], found[2], found[3], body=body)
        return self._refuse(404, "")

    def _listing(self, repository: str, revision: str | None) -> None:
        if repository not in self.hub.files:
            return self._refuse(401, "RepoNotFound")
        if revision not in (None, "main", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        siblings = []
        for name, data in self.hub.files[repository].items():
            entry: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": _git_sum(data)}
            if name.endswith(".safetensors"):
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            siblings.append(entry)
        text = json.dumps({"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        return None

    def _file(self, repository: str, revision: str, name: str, *, body: bool) -> None:
        if repository in self.hub.gated:
            return self._refuse(401 if "authorization" not in self.headers else 403, "GatedRepo")
        if repository in self.hub.private:
            return self._refuse(401, "RepoNotFound")
        data = self.hub.files[repository].get(name)
        if data is None or name in self.hub.gone:
            return self._refuse(404, "EntryNotFound")
        is_large = name.endswith(".safetensors")
        etag = hashlib.sha256(data).hexdigest() if is_large else _git_sum(data)
        if name in self.hub.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        start = 0
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(found[1])
        part = data[start:]
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{etag}"')
        if is_large:
            self.send_header("X-Linked-Etag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(len(data)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body:
            cuts = self.hub.cut_after.get(name, [])
            self.wfile.write(part[: cuts.pop(0)] if cuts else part)
            self.wfile.flush()
            if cuts or name in self.hub.cut_after:
                self.close_connection = True
        return None

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _git_sum(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
