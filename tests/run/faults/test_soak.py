"""Many cases in one run leave the parent as it was. LTXBENCH_SOAK_CASES=200 for the long one."""

from __future__ import annotations

import os

import psutil

from ltxbench.run.listener import Listener
from ltxbench.run.options import Options
from ltxbench.run.runner import run_matrix
from tests.run.faults.conftest import Bench, none_left, two_cases

CASES = int(os.environ.get("LTXBENCH_SOAK_CASES", "8"))
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


def test_memory_files_threads_and_processes_of_the_parent_stay_flat(tmp_path):
    one = two_cases().cases[0]
    cases = tuple(one.model_copy(update={"name": f"case-{number}"}) for number in range(CASES))
    bench = Bench(tmp_path, two_cases().model_copy(update={"cases": cases}))
    watch = Watch()
    run = run_matrix(bench.work(None), Options(), watch)
    assert {record.outcome.value for record in run.records} == {"ok"}
    assert len(run.records) == len(watch.files) == CASES
    assert set(watch.files) == {watch.files[0]}
    assert set(watch.children) == {watch.children[0]}
    assert set(watch.threads) == {watch.threads[0]}
    assert max(watch.memory[WARM:]) - watch.memory[WARM - 1] < GROWTH_BYTES
    assert none_left(tmp_path)
