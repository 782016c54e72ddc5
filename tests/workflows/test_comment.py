"""The comment: from files that anybody could have written, to a server that answers like GitHub's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from ltxbench.errors import ResultError
from ltxbench.regression.verdict import Answer, CaseVerdict, MetricVerdict, Verdict, not_judged
from tests.workflows.files import BY_NAME, ROOT

REPOSITORY = "owner/ltxbench"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
RUN_URL = "https://example.invalid/run/1"


class Server(HTTPServer):
    """GitHub, as far as the script asks it."""

    pulls: list[dict[str, Any]]
    comments: list[dict[str, Any]]
    heard: list[tuple[str, str, Any]]
    status = 200


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.heard.append((self.command, self.path, json.loads(body) if body else None))
        assert self.headers["Authorization"] == "Bearer t0ken"
        found: Any = {}
        if self.path.endswith("/pulls"):
            found = self.server.pulls
        elif self.command == "GET":
            number = int(self.path.rpartition("page=")[2])
            found = self.server.comments[(number - 1) * 100 : number * 100]
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.pulls, made.comments, made.heard = [pull(5)], [], []
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def pull(number: int, *, head: str | None = REPOSITORY, base: str = REPOSITORY, merged: bool = False) -> dict[str, Any]:
    return {
        "number": number,
        "head": {"repo": None if head is None else {"full_name": head}},
        "base": {"repo": {"full_name": base}},
        "merged_at": "2026-01-01T00:00:00Z" if merged else None,
    }


def verdict(sentence: str = "12% slower", name: str = "two-stage", **changes: Any) -> Verdict:
    metric = MetricVerdict(metric="generation_s", title="generation", answer=Answer.REGRESSED, sentence=sentence)
    same = MetricVerdict(metric="outcome", title="outcome", answer=Answer.SAME, sentence="1 of 1")
    return Verdict(
        ltxbench_version="1",
        created_utc="2026-01-01T00:00:00Z",
        run="r",
        matrix="beaver-dam",
        baseline=(),
        answer=Answer.REGRESSED,
        exit_code=8,
        cases=(CaseVerdict(name=name, metrics=(metric, same)),),
    ).model_copy(update=changes)


def comment(
    folder: Path, server: Server, stored: Verdict | str | bytes, commit: str = COMMIT
) -> subprocess.CompletedProcess[str]:
    """Runs the step's own command."""
    verdicts = folder / "verdict"
    verdicts.mkdir(exist_ok=True)
    text = stored.model_dump_json() if isinstance(stored, Verdict) else stored
    (verdicts / "verdict.json").write_bytes(text.encode() if isinstance(text, str) else text)
    (verdicts / "commit.txt").write_text(commit)
    if not (folder / ".github").exists():
        (folder / ".github").symlink_to(ROOT / ".github")
    (script,) = [step["run"] for _, step in BY_NAME["comment"].steps if "run" in step]
    environment = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_TOKEN": "t0ken",
        "RUN_URL": RUN_URL,
    }
    return subprocess.run(
        ["bash", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def sent(server: Server) -> list[tuple[str, str, str]]:
    return [(method, path, body["body"]) for method, path, body in server.heard if method != "GET"]


def test_the_verdict_becomes_a_comment_on_the_commits_pull_request(tmp_path: Path, server: Server) -> None:
    done = comment(tmp_path, server, verdict())
    assert done.returncode == 0, done.stderr
    ((method, path, body),) = sent(server)
    assert (method, path) == ("POST", f"/repos/{REPOSITORY}/issues/5/comments")
    html = MarkdownIt("commonmark").enable("table").render(body)
    assert "<h3>🔴 beaver-dam: regressed</h3>" in html
    assert [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td>.*?</td>", html)] == [
        "two-stage", "generation", "🔴 regressed", "12% slower",
    ]  # fmt: skip
    assert RUN_URL in html


def test_a_later_run_changes_the_same_comment(tmp_path: Path, server: Server) -> None:
    strangers = [
        {"id": number, "user": {"login": "someone"}, "body": "<!-- ltxbench verdict --> mine"} for number in range(100)
    ]
    ours = {"id": 1234, "user": {"login": "github-actions[bot]"}, "body": "<!-- ltxbench verdict -->\nold"}
    server.comments = [*strangers, ours]
    assert comment(tmp_path, server, verdict()).returncode == 0
    ((method, path, _),) = sent(server)
    assert (method, path) == ("PATCH", f"/repos/{REPOSITORY}/issues/comments/1234")


@pytest.mark.parametrize(
    ("pulls", "number"),
    [
        ([], None),
        ([pull(7, head="stranger/ltxbench")], None),
        ([pull(7, head=None)], None),
        ([pull(7, head="stranger/ltxbench", merged=True)], 7),
        ([pull(7, head=None, merged=True)], 7),
        ([pull(7, base="upstream/ltxbench")], None),
        ([pull(6, head="stranger/ltxbench"), pull(7)], 7),
    ],
    ids=["none", "a fork's", "a deleted fork's", "a fork's, merged", "a deleted fork's, merged", "elsewhere", "two"],
)
def test_only_a_pull_request_that_was_measured_hears_of_it(
    tmp_path: Path, server: Server, pulls: list[dict[str, Any]], number: int | None
) -> None:
    server.pulls = pulls
    assert comment(tmp_path, server, verdict()).returncode == 0
    assert [path for _, path, _ in sent(server)] == [
        f"/repos/{REPOSITORY}/issues/{each}/comments" for each in [number] if each is not None
    ]


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<!-- ltxbench verdict -->",
    "a | b\n\n# heading\n- [ ] task",
    "`code` **bold** _under_ ~~gone~~ [link](javascript:x) ![p](http://x/y.png)",
    "@maintainer approve, closes #1, see owner/ltxbench#2 and http://evil.invalid www.evil.invalid",
    "\u202egnp.exe \x1b[31m \x00 \u2028",
    "&#60;script&#62; &lt;b&gt; \\*escaped\\*",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_verdict_becomes_markup_a_link_or_a_mention(tmp_path: Path, server: Server, text: str) -> None:
    stored = verdict(text, name=text, matrix=text, notes=(text,))
    assert comment(tmp_path, server, stored).returncode == 0
    ((_, _, body),) = sent(server)
    html = MarkdownIt("gfm-like").render(body.removeprefix("<!-- ltxbench verdict -->\n"))
    assert html.count("<a ") == 1
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {"h3", "p", "a", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert html.count("<tr>") == 2
    shown = re.sub(r"<[^>]*>", "", html)
    assert not re.search(r"@\w|#\d", shown)
    assert all(character.isprintable() or character in "\n\u2060" for character in body)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        '{"schema_version": 2}',
        '{"schema_version": 1, "answer": "fine", "matrix": "m", "cases": [], "notes": []}',
        '{"schema_version": 1, "answer": "same", "matrix": 1, "cases": [], "notes": []}',
        '{"schema_version": 1, "answer": "same", "matrix": "m", "cases": [1], "notes": []}',
        '{"schema_version": 1, "answer": "same", "matrix": "m", "cases": [], "notes": [1]}',
        b"\xff\xfe{}",
    ],
    ids=["empty", "list", "nothing", "null", "deep", "newer", "answer", "matrix", "case", "note", "bytes"],
)
def test_a_file_that_no_check_wrote_is_refused_in_one_line(tmp_path: Path, server: Server, stored: str | bytes) -> None:
    done = comment(tmp_path, server, stored)
    assert done.returncode == 1
    assert re.fullmatch(r"comment\.py: verdict\.json[^\n]*\n", done.stderr)
    assert server.heard == []


@pytest.mark.parametrize(
    "commit", ["", "main", "../../user", COMMIT[:-1], COMMIT + "0", f"{COMMIT}\n{COMMIT}", "é" * 40]
)
def test_what_is_no_commits_hash_reaches_no_address(tmp_path: Path, server: Server, commit: str) -> None:
    done = comment(tmp_path, server, verdict(), commit)
    assert done.returncode == 1
    assert "commit.txt" in done.stderr
    assert server.heard == []


def test_a_file_that_is_too_large_is_refused_whatever_it_says(tmp_path: Path, server: Server) -> None:
    done = comment(tmp_path, server, verdict().model_dump_json() + " " * (3 << 20))
    assert done.returncode == 1
    assert "larger than 2 MiB" in done.stderr


def test_a_link_is_not_followed(tmp_path: Path, server: Server) -> None:
    comment(tmp_path, server, verdict())
    server.heard.clear()
    (tmp_path / "elsewhere").write_text(verdict().model_dump_json())
    (tmp_path / "verdict" / "verdict.json").unlink()
    (tmp_path / "verdict" / "verdict.json").symlink_to(tmp_path / "elsewhere")
    script = ROOT / ".github" / "comment.py"
    environment = {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": "t0ken", "RUN_URL": RUN_URL}
    command = [sys.executable, str(script), str(tmp_path / "verdict")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "verdict.json is missing" in done.stderr


def test_a_refusal_by_the_server_is_told_and_red(tmp_path: Path, server: Server) -> None:
    server.status = 403
    done = comment(tmp_path, server, verdict())
    assert done.returncode == 1
    assert re.fullmatch(r"comment\.py: GitHub answered 403 to GET [^\n]*\n", done.stderr)


def test_a_verdict_with_hundreds_of_rows_stays_a_comment(tmp_path: Path, server: Server) -> None:
    one = verdict("x" * 4000).cases[0]
    cases = tuple(one.model_copy(update={"name": f"case-{number}"}) for number in range(300))
    assert comment(tmp_path, server, verdict(cases=cases)).returncode == 0
    ((_, _, body),) = sent(server)
    assert len(body) < 65_536
    assert "260 more rows" in body


def test_a_check_that_could_not_be_made_is_told_with_its_reason(tmp_path: Path, server: Server) -> None:
    missing = ResultError("baseline: no such baseline", hint="`ltxbench baseline add RUN` begins one.")
    done = comment(tmp_path, server, not_judged("out/runs/r", missing))
    assert done.returncode == 0, done.stderr
    ((_, _, body),) = sent(server)
    html = MarkdownIt("commonmark").render(body)
    assert "<h3>🟡 no check was made: inconclusive</h3>" in html
    assert "no such baseline" in html


def test_every_answer_of_a_verdict_is_known_to_the_comment(tmp_path: Path, server: Server) -> None:
    for answer in Answer:
        done = comment(tmp_path, server, verdict(answer=answer))
        assert done.returncode == 0, done.stderr
