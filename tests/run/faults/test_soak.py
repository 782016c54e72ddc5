"""Many cases in one run leave the parent as it was. LTXBENCH_SOAK_CASES=200 for the long one, -rP for the figures."""

from __future__ import annotations

import os

import psutil
import pytest

from ltxbench.matrix.case import Matrix
from ltxbench.run.listener import Listener
from ltxbench.run.options import Options
from ltxbench.run.runner import Work, run_matrix
from tests.run.conftest import none_left
from tests.run.faults.conftest import Bench, two_cases

CASES = int(os.environ.get("LTXBENCH_SOAK_CASES", "8"))
TINY_CASES = int(os.environ.get("LTXBENCH_SOAK_TINY", "50"))
WARM = 4
"""Cases after which everything that is loaded once has been."""
GROWTH_BYTES = 8 << 20


class Watch(Listener):
    """What the parent holds after every case."""

    def __init__(self) -> None:
        self.process = psutil.Process()
        self.memory: list[int] = []
        self.files: list[int] = []
        self.children: list[int] = []
        self.threads: list[int] = []

    def case_ended(self, record):
        self.memory.append(self.process.memory_info().rss)
        self.files.append(self.process.num_fds())
        self.children.append(len(self.process.children()))
        self.threads.append(self.process.num_threads())

    def flat(self, cases: int) -> None:
        assert len(self.files) == cases
        first, last = self.memory[WARM - 1] >> 10, self.memory[-1] >> 10
        print(
            f"{cases} cases: memory {first:,} KiB after the {WARM}th, {max(self.memory) >> 10:,} at most, {last:,} at "
            f"the end; files {set(self.files)}, processes {set(self.children)}, threads {set(self.threads)}"
        )
        assert set(self.files) == {self.files[0]}
        assert set(self.children) == {self.children[0]}
        assert set(self.threads) == {self.threads[0]}
        assert max(self.memory[WARM:]) - self.memory[WARM - 1] < GROWTH_BYTES


def many(count: int, **changes) -> Matrix:
    one = two_cases().cases[0].model_copy(update=changes)
    cases = tuple(one.model_copy(update={"name": f"case-{number}"}) for number in range(count))
    return two_cases().model_copy(update={"cases": cases})


def test_memory_files_threads_and_processes_of_the_parent_stay_flat(tmp_path):
    bench, watch = Bench(tmp_path, many(CASES)), Watch()
    run = run_matrix(bench.work(None), Options(), watch)
    assert {record.outcome.value for record in run.records} == {"ok"}
    watch.flat(CASES)
    assert none_left()


@pytest.mark.slow
def test_they_stay_flat_with_the_real_pipeline_too(tmp_path, tiny):
    matrix, watch = many(TINY_CASES, width=128, height=96, steps=8), Watch()
    work = Work(matrix, matrix.cases, tiny, tmp_path / "runs")
    run = run_matrix(work, Options(doctor=False, memory_check=False), watch)
    assert {record.outcome.value for record in run.records} == {"ok"}
    watch.flat(TINY_CASES)
    assert none_left()
