"""Posts what a measurement found on the pull request that the measured commit belongs to, once, and keeps it current.

    GITHUB_TOKEN=... GITHUB_REPOSITORY=owner/name RUN_URL=... python3 .github/comment.py FOLDER

FOLDER holds verdict.json (`ltxbench check --verdict`) and commit.txt. The measured code could have written anything
there: sizes are capped, only known fields are read, and no character of a text can become markup, a link or a mention.
Standard library only, so that the job that may write comments installs nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LIMIT_BYTES = 2 << 20
MOST_ROWS = 40
MOST_NOTES = 10
LONGEST = 300
TIMEOUT_S = 30
MARKER = "<!-- ltxbench verdict -->"
BOT = "github-actions[bot]"
SIGNS = {
    "regressed": "🔴",
    "not comparable": "⚪",
    "inconclusive": "🟡",
    "improved": "🟢",
    "same": "🟢",
    "missing": "⚪",
}
"""Every answer a verdict knows, the gravest first."""

Call = Callable[..., Any]


class Unusable(Exception):
    """The files are not what `ltxbench check` writes, or GitHub did not take the comment."""


def read(path: Path) -> bytes:
    """Raises Unusable for a link, a file that is not there and one that is too large."""
    if path.is_symlink() or not path.is_file():
        raise Unusable(f"{path.name} is missing")
    if path.stat().st_size > LIMIT_BYTES:
        raise Unusable(f"{path.name} is larger than {LIMIT_BYTES >> 20} MiB")
    return path.read_bytes()


def read_commit(folder: Path) -> str:
    """40 hexadecimal digits: what goes into an address can be nothing else."""
    text = read(folder / "commit.txt").decode("ascii", errors="replace").strip()
    if not re.fullmatch(r"[0-9a-f]{40}", text):
        raise Unusable("commit.txt holds no commit's hash")
    return text


def read_verdict(folder: Path) -> dict[str, Any]:
    try:
        verdict = json.loads(read(folder / "verdict.json"))
    except (ValueError, RecursionError):
        raise Unusable("verdict.json is torn or not JSON") from None
    if not isinstance(verdict, dict) or verdict.get("schema_version") != 1:
        raise Unusable("verdict.json is of another schema")
    return verdict


def field(record: Any, name: str, kind: type) -> Any:
    """Raises Unusable where it is missing or of another type."""
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind):
        raise Unusable(f"verdict.json: {name} is not {kind.__name__}")
    return value


def answer(record: Any) -> str:
    found: str = field(record, "answer", str)
    if found not in SIGNS:
        raise Unusable("verdict.json: an answer that is none")
    return found


def plain(text: str) -> str:
    """The text on one line, all of its punctuation as character references.

    GitHub looks for mentions and references after it has decoded those, so that @ and # get a word joiner as well.
    """
    line = "".join(each if each.isprintable() else " " for each in text)
    line = " ".join(line.split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    safe = re.sub(r"[!-/:-@\[-`{-~]", lambda found: f"&#{ord(found[0])};", line)
    return safe.replace("&#64;", "&#64;\u2060").replace("&#35;", "&#35;\u2060")


def render(verdict: dict[str, Any], commit: str, run_url: str) -> str:
    """Markdown: the answer, a row for every metric that is not the same, and the notes."""
    rows = []
    cases = field(verdict, "cases", list)
    for case in cases:
        name = plain(field(case, "name", str))
        for metric in field(case, "metrics", list):
            found = answer(metric)
            title, sentence = (plain(field(metric, key, str)) for key in ("title", "sentence"))
            if found != "same":
                rows.append((list(SIGNS).index(found), f"| {name} | {title} | {SIGNS[found]} {found} | {sentence} |"))
    rows.sort(key=lambda row: row[0])
    whole = answer(verdict)
    matrix = plain(field(verdict, "matrix", str)) or "no check was made"
    lines = [
        MARKER,
        f"### {SIGNS[whole]} {matrix}: {whole}",
        "",
        f"{len(cases)} cases at {commit[:12]}. [Run, page and files]({run_url})",
    ]
    if rows:
        lines += ["", "| Case | Figure | Answer | |", "|---|---|---|---|", *(row for _, row in rows[:MOST_ROWS])]
        if len(rows) > MOST_ROWS:
            lines += ["", f"{len(rows) - MOST_ROWS} more rows are in the run's summary."]
    notes = field(verdict, "notes", list)
    if not all(isinstance(note, str) for note in notes):
        raise Unusable("verdict.json: a note that is no text")
    if notes:
        lines += ["", *(f"- {plain(note)}" for note in notes[:MOST_NOTES])]
    return "\n".join(lines) + "\n"


def connect(api_url: str, token: str) -> Call:
    """A function that sends one request and gives back the parsed answer; raises Unusable for all but 2xx."""
    parts = urlsplit(api_url)

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.netloc, timeout=TIMEOUT_S)
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "ltxbench",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        try:
            connection.request(method, parts.path + path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        except OSError as error:
            raise Unusable(f"GitHub did not answer ({error})") from None
        finally:
            connection.close()
        if response.status // 100 != 2:
            raise Unusable(f"GitHub answered {response.status} to {method} {path}")
        return json.loads(text)

    return call


def find_pull(call: Call, repository: str, commit: str) -> int | None:
    """The pull request that brought the commit to main, or the open one that has it.

    An open one from a fork is passed over: it may hold the commit, but was not what a maintainer had measured.
    """
    for pull in call("GET", f"/repos/{repository}/commits/{commit}/pulls"):
        head = (pull["head"].get("repo") or {}).get("full_name")
        if pull["base"]["repo"]["full_name"] == repository and (pull.get("merged_at") or head == repository):
            return int(pull["number"])
    return None


def post(call: Call, repository: str, number: int, text: str) -> str:
    """Changes the comment that an earlier run left, or makes one."""
    for page in range(1, 11):
        comments = call("GET", f"/repos/{repository}/issues/{number}/comments?per_page=100&page={page}")
        for comment in comments:
            if comment["user"]["login"] == BOT and (comment.get("body") or "").startswith(MARKER):
                call("PATCH", f"/repos/{repository}/issues/comments/{int(comment['id'])}", {"body": text})
                return "changed"
        if len(comments) < 100:
            break
    call("POST", f"/repos/{repository}/issues/{number}/comments", {"body": text})
    return "made"


def main(folder: Path) -> None:
    repository = os.environ["GITHUB_REPOSITORY"]
    commit = read_commit(folder)
    text = render(read_verdict(folder), commit, os.environ["RUN_URL"])
    call = connect(os.environ.get("GITHUB_API_URL", "https://api.github.com"), os.environ["GITHUB_TOKEN"])
    number = find_pull(call, repository, commit)
    if number is None:
        print(f"{commit} belongs to no pull request of {repository}; nothing to say")
        return
    print(f"comment on #{number} {post(call, repository, number, text)}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Unusable as problem:
        sys.exit(f"comment.py: {problem}")
