"""One case as a source gives it: from a page's section or from a printed log."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltxbench.importing.page import Page
from ltxbench.importing.printed import DebugStep, Ending, Printed
from ltxbench.importing.profile import Profile
from ltxbench.importing.settings import Settings


@dataclass(frozen=True, eq=False)
class Found:
    number: int
    title: str
    settings: Settings
    profile: Profile
    command: str | None = None
    summary: dict[str, str] = field(default_factory=dict)
    """Its row of a page's summary table, by column."""
    enhanced: str | None = None
    debug_steps: tuple[DebugStep, ...] = ()
    ending: Ending | None = None

    @property
    def as_published(self) -> dict[str, str]:
        """Every figure in the source's own words; those of the table say so."""
        table = {f"{name} (table)": text for name, text in self.summary.items() if name not in ("title", "number")}
        command = {"command": self.command} if self.command else {}
        return {**table, **self.profile.published, **command}


def from_page(page: Page) -> list[Found]:
    return [
        Found(
            number=case.number,
            title=case.summary.get("title") or case.title,
            settings=case.settings.over(page.common).over(Settings(prompt=page.prompt)),
            profile=case.profile,
            command=case.command,
            summary=case.summary,
        )
        for case in page.cases
    ]


def from_printed(printed: Printed, number: int, title: str) -> Found:
    return Found(
        number=number,
        title=title,
        settings=printed.settings,
        profile=printed.profile,
        enhanced=printed.enhanced,
        debug_steps=tuple(printed.debug_steps),
        ending=printed.ending,
    )
