from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ltxbench.run import host_heap
from ltxbench.run.host_heap import keep_freed_memory

# Twelve blocks of 64 MB one after the other, each written to and freed; and the pages that had to be fetched for them.
BLOCKS = """
import ctypes, resource, sys
from ltxbench.run.host_heap import keep_freed_memory
assert sys.argv[1] == "as it is" or keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for block in range(12):
    size = (64 << 20) + (block << 12)
    memory = libc.malloc(size)
    ctypes.memset(memory, 1, size)
    libc.free(memory)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's heap alone can be told")
def test_freed_memory_is_kept_for_blocks_of_other_sizes() -> None:
    def faults(how: str) -> int:
        command = [sys.executable, "-c", BLOCKS, how]
        root = str(Path(host_heap.__file__).parents[2])
        environment = {**os.environ, "PYTHONPATH": root}
        return int(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)

    assert faults("kept") < faults("as it is") / 4


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_freed_memory() is False
