"""A case's process ends with its parent, however that ended: it must not hold the machine for nobody."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
from contextlib import suppress

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_the_parent(descriptor: int) -> None:
    """`descriptor` is the reading end of a pipe whose other end only the parent holds.

    A thread waits for its end and kills the whole group, where this process leads one. On Linux the kernel also sends
    SIGKILL, which reaches a process that is stopped, or inside a library that never lets the interpreter run.
    """
    os.set_inheritable(descriptor, False)
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if select.select([descriptor], [], [], 0)[0]:  # gone already
        os._exit(1)
    threading.Thread(target=_wait, args=(descriptor,), name="lifeline", daemon=True).start()


def _wait(descriptor: int) -> None:
    with suppress(OSError):
        while os.read(descriptor, 1):
            pass
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
