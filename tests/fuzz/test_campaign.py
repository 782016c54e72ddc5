"""A small campaign on every change; the long one is `python -m tests.fuzz.campaign`, see docs/reliability.md."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import campaign
from tests.fuzz.headers import Headers
from tests.fuzz.journals import Journals
from tests.fuzz.matrices import Matrices, seeds
from tests.fuzz.target import Finding, Hang, Target, Watch, random_for, time_limit

COUNT = 300


@pytest.fixture(params=campaign.KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    made: dict[str, Target] = {"matrices": Matrices(), "headers": Headers(tmp_path), "journals": Journals()}
    return made[request.param]


def test_a_small_campaign_finds_nothing_and_reaches_both_outcomes(target: Target) -> None:
    outcomes = Counter(target.check(target.make(random_for(7, target.name, number))) for number in range(COUNT))
    assert len(outcomes) >= 2
    assert min(outcomes["accepted"], outcomes["refused"]) > COUNT // 20 or target.name != "matrices"
    assert min(outcomes["accepted by both"], outcomes["refused by both"]) > COUNT // 20 or target.name != "headers"


def test_the_same_number_makes_the_same_input(target: Target) -> None:
    for number in range(20):
        first = target.make(random_for(3, target.name, number))
        assert target.make(random_for(3, target.name, number)) == first
    made = {target.make(random_for(3, target.name, number)) for number in range(50)}
    assert len(made) > 40


def test_the_seeds_of_the_mutations_are_the_shipped_matrices() -> None:
    assert len(seeds()) >= 4
    assert Matrices().check(seeds()[0].encode()) == "accepted"


class Broken:
    """Breaks one promise at every third input."""

    name = "broken"

    def __init__(self, how: str, folder: Path) -> None:
        self.how, self.folder = how, folder

    def make(self, random: Random) -> bytes:
        return bytes([random.randrange(3)])

    def check(self, data: bytes) -> str:
        if data != b"\0" or not self.how:
            return "fine"
        match self.how:
            case "traceback":
                raise KeyError("x")
            case "hang":
                time.sleep(60)
            case "file outside":
                (self.folder.parent / "stray").write_text("x")
            case "link outside":
                (self.folder / "link").unlink(missing_ok=True)
                (self.folder / "link").symlink_to(self.folder.parent / "target")
                (self.folder / "link").write_text("x")
            case "folder outside":
                (self.folder.parent / "made" / "deep").mkdir(parents=True, exist_ok=True)
            case "process":
                os.system("true")
            case "pickle":
                import pickle

                pickle.loads(b"\x80\x04cbuiltins\nlen\n.")
        return "unseen"


@pytest.mark.parametrize(
    "how", ["traceback", "hang", "file outside", "link outside", "folder outside", "process", "pickle"]
)
def test_the_campaign_notices_every_kind_of_broken_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    monkeypatch.setattr(campaign, "time_limit", lambda: time_limit(0.02))
    target = Broken(how, folder)
    monkeypatch.setattr(target, "check", warm(target))
    assert campaign.run(target, 12, 1, Watch(folder)) > 0
    output = capsys.readouterr().out
    assert "FINDING broken:" in output
    assert "--seed 1 --only broken:" in output


def warm(target: Broken) -> object:
    """The first call, which the campaign makes to have everything imported, breaks nothing."""
    check, calls = target.check, iter(range(10**6))
    return lambda data: check(data) if next(calls) else "fine"


def test_a_campaign_without_findings_says_so_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path.cwd()
    assert campaign.main(["--matrices", "20", "--headers", "20", "--journals", "20", "--seed", "5"]) == 0
    output = capsys.readouterr().out
    assert all(f"{kind}: 20 of seed 5 in " in output for kind in campaign.KINDS)
    assert output.count("findings 0") == 3
    assert Path.cwd() == before


def test_writing_inside_the_folder_is_allowed(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    with watch.watching():
        (tmp_path / "x").write_text("x")
    with pytest.raises(Finding, match="open of"), watch.watching():
        (tmp_path.parent / "y").write_text("y")


def test_the_limit_stops_what_does_not_end() -> None:
    with pytest.raises(Hang), time_limit(0.02):
        time.sleep(60)
