from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ltxbench.errors import ResultError
from ltxbench.regression.benchmark_file import MOST_SAMPLES, take_file
from ltxbench.regression.check import check
from ltxbench.regression.verdict import Answer

SUITE = """\
import time

def test_sleeps(benchmark):
    benchmark.pedantic(time.sleep, args=(0.001,), rounds=5)

def test_with_brackets(benchmark, tmp_path):
    benchmark(lambda: sum(range(100)))
"""


def document(median: float = 0.01, **changes: Any) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "machine_info": {
            "node": "shelf",
            "machine": "arm64",
            "system": "Darwin",
            "release": "25.1",
            "python_implementation": "CPython",
            "python_version": "3.12.1",
            "cpu": {"brand_raw": "Apple M3 Max", "count": 14},
        },
        "commit_info": {"id": "f" * 40},
        "benchmarks": [{"fullname": "tests/x.py::test[a/b]", "stats": {"median": median, "data": [median] * 3}}],
        "datetime": "2026-01-01T00:00:00+00:00",
    }
    return stored | changes


def written(path: Path, stored: Any) -> Path:
    path.write_text(json.dumps(stored))
    return path


def test_what_pytest_benchmark_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json=b.json", "test_suite.py"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    found = take_file(tmp_path / "b.json")
    slept = found.by_name["test_suite.py::test_sleeps"]
    assert slept.levels["time_s"] >= 0.001
    assert slept.conditions["python"].startswith("CPython")
    assert found.created_utc.startswith("20")


def test_its_fields_decide_what_may_be_compared(tmp_path: Path) -> None:
    old = [
        take_file(written(tmp_path / f"{index}.json", document(0.01 + index * 1e-5, datetime=f"2026-01-0{index + 1}")))
        for index in range(6)
    ]
    same = take_file(written(tmp_path / "n.json", document(0.0201)))
    assert check(old, same).exit_code == 8
    machine = document()["machine_info"]
    other = take_file(written(tmp_path / "o.json", document(0.02, machine_info={**machine, "release": "26.0"})))
    assert check(old, other).answer is Answer.NOT_COMPARABLE
    newer = take_file(
        written(tmp_path / "o.json", document(0.02, machine_info={**machine, "python_version": "3.13.0"}))
    )
    assert check(old, newer).answer is Answer.NOT_COMPARABLE


def test_a_suite_outside_a_repository_has_no_commit(tmp_path: Path) -> None:
    stored = document(commit_info={"id": "unversioned", "dirty": False})
    assert take_file(written(tmp_path / "b.json", stored)).commit is None
    assert take_file(written(tmp_path / "c.json", document())).commit == "f" * 40


def test_rounds_by_the_million_are_thinned_and_keep_their_median(tmp_path: Path) -> None:
    data = [0.01 + 1e-7 * index for index in range(100_000)]
    stored = document(benchmarks=[{"name": "x", "stats": {"median": 0.0, "data": data}}])
    (found,) = take_file(written(tmp_path / "b.json", stored)).cases
    assert len(found.samples["time_s"]) == MOST_SAMPLES
    assert found.levels["time_s"] == pytest.approx(data[50_000], rel=1e-3)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([], "no benchmarks"),
        ({"benchmarks": []}, "no benchmarks"),
        ({"benchmarks": [{"stats": {"median": 1.0}}]}, "no name"),
        ({"benchmarks": [{"name": "x", "stats": {}}]}, "no median"),
        ({"benchmarks": [{"name": "x", "stats": {"median": "fast"}}]}, "no median"),
        ({"benchmarks": [{"name": "x", "stats": {"median": -1}}]}, "no median"),
        ({"benchmarks": [{"name": "x", "stats": {"data": [True, None]}}]}, "no median"),
        ({"benchmarks": [{"name": "x", "stats": {"median": 1}}] * 2}, "two benchmarks"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, stored: Any, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        take_file(written(tmp_path / "b.json", stored))


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"benchmarks": [')
    with pytest.raises(ResultError, match="torn"):
        take_file(tmp_path / "b.json")
