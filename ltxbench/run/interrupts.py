"""Ctrl-C: the first ends the running case and writes what there is, the second stops at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """`descriptor` becomes readable with the first interrupt, so that a wait in a selector ends."""

    def __init__(self) -> None:
        self.descriptor, self._wake = os.pipe()
        self._asked = False

    @property
    def asked(self) -> bool:
        """Someone asked to stop."""
        return self._asked

    def ask(self) -> None:
        """As the first Ctrl-C does; the second raises KeyboardInterrupt."""
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        os.write(self._wake, b"\0")

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._wake)


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Takes SIGINT, SIGTERM and, unless it is ignored as under nohup, SIGHUP while the context is open.

    Outside the main thread, which alone gets them, none.
    """
    asked = Interrupts()

    def handle(_number: int, _frame: FrameType | None) -> None:
        asked.ask()

    in_main_thread = threading.current_thread() is threading.main_thread()
    hung_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    numbers = (signal.SIGINT, signal.SIGTERM, *hung_up) if in_main_thread else ()
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.close()
