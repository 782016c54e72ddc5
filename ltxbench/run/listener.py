"""Who wants to know what goes on while a run is made."""

from __future__ import annotations

from collections.abc import Sequence

from ltxbench.matrix.case import Case
from ltxbench.run.events import Event
from ltxbench.run.records import CaseRecord
from ltxbench.run.store import RunFolder


class Listener:
    """Does nothing; override what is of interest. Every method must return at once: a case is being measured."""

    def note(self, text: str) -> None:
        """A line for the user."""

    def run_started(self, run: RunFolder, rounds: Sequence[tuple[Case, int]]) -> None:
        """The rounds that are to come, each with its number (records.CHECK_ROUND: the check)."""

    def enhancement_started(self) -> None: ...

    def enhancement_ended(self, text: str) -> None: ...

    def case_started(self, case: Case, round_number: int) -> None: ...

    def event(self, event: Event) -> None: ...

    def case_ended(self, record: CaseRecord) -> None: ...
