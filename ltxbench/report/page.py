"""The page as plain values: every figure is formatted and every choice made before a template sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell of a table. `anchor` links it to a place on the page."""

    text: str
    bold: bool = False
    anchor: str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Column:
    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row) == len(self.columns), (row, self.columns)


@dataclass(frozen=True)
class Definition:
    """What a column means: printed once, below its table."""

    term: str
    meaning: str


@dataclass(frozen=True)
class Folded:
    """Details behind a line that opens them."""

    title: str
    definitions: tuple[Definition, ...]
    tables: tuple[Table, ...]
    note: str


@dataclass(frozen=True)
class Remark:
    """`lead` in bold, then the sentence."""

    lead: str
    text: str


@dataclass(frozen=True)
class Question:
    lead: str
    answer: str
    """In a word or two."""
    text: str


@dataclass(frozen=True)
class Still:
    frame: int
    path: str


@dataclass(frozen=True)
class Media:
    """What there is to look at; paths are relative to the page."""

    video: str | None = None
    stills: tuple[Still, ...] = ()
    problem: str | None = None
    """Why there is less than there should be."""
    preview: str | None = None
    """The whole video, small and moving, as a picture."""
    sheet: str | None = None
    """Frames from the first to the last in a grid."""

    @property
    def poster(self) -> str | None:
        return self.preview or (self.stills[0].path if self.stills else None)


@dataclass(frozen=True)
class Tile:
    """One case in a grid of videos or stills."""

    label: str
    anchor: str
    figure: str
    """Below the label: the time, or why there is nothing to see."""
    picture: str | None
    video: str | None
    warned: bool = False


@dataclass(frozen=True)
class Grid:
    title: str
    rows: tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True)
class StillTable:
    frame: int
    grids: tuple[Grid, ...]


@dataclass(frozen=True)
class Plot:
    title: str
    svg: str
    png: str
    caption: str
    data: str = ""
    """The drawn figures as JSON."""


@dataclass(frozen=True)
class Failure:
    outcome: str
    text: str
    output_tail: str


@dataclass(frozen=True)
class Profile:
    phases: Table | None
    steps: str | None
    """Lines for a fenced block."""
    memory: tuple[Definition, ...]
    arithmetic: tuple[Definition, ...]
    facts: tuple[Definition, ...]


@dataclass(frozen=True)
class TwinComparison:
    twin_label: str
    anchor: str
    table: Table
    answers: tuple[Remark, ...]
    """One a time that was compared: the answer, and what it rests on."""
    remarks: tuple[str, ...]
    """What must stand beside the answers."""


@dataclass(frozen=True)
class Trust:
    word: str
    """VALID or INVALID."""
    summary: str
    remarks: tuple[Remark, ...]
    """About the run, and about every case."""
    table: Table
    advice: tuple[str, ...]
    folded: tuple[Folded, ...]


@dataclass(frozen=True)
class Conclusion:
    """Of the source, in its words, and what it is worth."""

    lead: str
    answer: str
    """In a few words."""
    text: str
    """The sentence that weighs most."""
    details: str
    """The others; empty where there are none."""


@dataclass(frozen=True)
class Imported:
    """Of a run that was not measured here."""

    notice: str
    as_published: Table | None
    """The source's own figures in its own words."""
    notes: tuple[str, ...]
    claims: tuple[Conclusion, ...]
    """What the source concludes and its own figures do not carry as it stands."""
    others: tuple[Conclusion, ...]
    """What they do carry, and what could not be worked out again."""


@dataclass(frozen=True)
class CaseDetail:
    heading: str
    anchor: str
    settings: str
    summary: str | None
    warning: str | None
    failure: Failure | None
    command: str
    media: Media
    alt: str
    caption: str
    profile: Profile | None
    twin: TwinComparison | None
    verdict: str
    """The badges."""
    why: str
    """A sentence or more; empty where nothing limits the figures."""
    rounds: Folded | None
    as_published: tuple[Definition, ...] = ()


@dataclass(frozen=True)
class Section:
    title: str
    body: str
    """The author's Markdown."""


@dataclass(frozen=True)
class Page:
    title: str
    synthetic: str | None
    """The sentence that says so, where the weights mean nothing."""
    table_note: str | None
    """Told again right below the first table."""
    unfinished: str | None
    imported: Imported | None
    trust: Trust
    prompt: str
    enhanced: str | None
    flags: str
    performance: Table
    performance_definitions: tuple[Definition, ...]
    remarks: tuple[Remark, ...]
    recommendation: tuple[Remark, ...]
    questions: tuple[Question, ...]
    """Is a quantized case faster than its bf16 twin?"""
    unasked: str | None
    caveat: str
    hardware: str
    times: Table
    time_definitions: tuple[Definition, ...]
    steps: Table
    step_definitions: tuple[Definition, ...]
    memory: Table
    memory_definitions: tuple[Definition, ...]
    energy: Table | None
    """None where nothing could be read."""
    energy_definitions: tuple[Definition, ...]
    arithmetic: Table | None
    """None where no case stated its work."""
    arithmetic_definitions: tuple[Definition, ...]
    quality: Table | None
    """None where no picture was measured."""
    quality_definitions: tuple[Definition, ...]
    pictures_compared: Table | None
    """None where no picture was compared with another case's."""
    pictures_compared_definitions: tuple[Definition, ...]
    videos: tuple[Grid, ...]
    stills: tuple[StillTable, ...]
    plots: tuple[Plot, ...]
    sections: tuple[Section, ...]
    cases: tuple[CaseDetail, ...]
    commands: str
    provenance: tuple[Definition, ...]
    contact_sheet: str | None = None
    interactive: str | None = None
    """The same results as an interactive page."""
