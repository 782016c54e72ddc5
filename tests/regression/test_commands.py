from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ltxbench.cli.baseline import add, prune, show
from ltxbench.cli.check import check
from ltxbench.cli.history import history
from ltxbench.errors import InvalidMeasurement, ResultError, UsageError
from ltxbench.regression import folder
from ltxbench.regression.verdict import Answer, Verdict
from ltxbench.run.records import Outcome
from ltxbench.run.store import RunFolder, write_case
from tests.regression.runs import stored_run

STEPS = (8.30, 8.34, 8.27, 8.31, 8.25, 8.33, 8.29, 8.28)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return tmp_path


def bench(place: Path, number: int, step_s: float) -> Path:
    run = stored_run(place / "runs", {"one": step_s, "two": step_s / 2}, run_id=f"20260101T{number:02d}0000Z-aaaa")
    return run.path


@pytest.fixture
def baseline(place: Path) -> Path:
    add([bench(place, number, step_s) for number, step_s in enumerate(STEPS)])
    return place / "baseline"


def ended_with(code: int, *arguments: object, **options: object) -> None:
    with pytest.raises(SystemExit) as caught:
        check(*arguments, **options)
    assert caught.value.code == code


def fail(run: RunFolder) -> Path:
    lost = run.rounds_of("one")[0].model_copy(update={"outcome": Outcome.WATCHDOG})
    return write_case(run, lost).path


def test_the_same_again_passes_and_leaves_a_verdict(place: Path, baseline: Path) -> None:
    check(bench(place, 20, 8.3))
    stored = json.loads((place / "verdict.json").read_text())
    assert Verdict.model_validate(stored).exit_code == 0
    assert len(stored["baseline"]) == len(STEPS)


def test_a_slower_run_ends_with_8_and_names_the_case(
    place: Path, baseline: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = place / "step.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    ended_with(8, bench(place, 20, 16.6), summary=place / "s.md", junit=place / "j.xml", verdict=place / "v.json")
    assert "REGRESSED: one, two" in capsys.readouterr().out
    assert json.loads((place / "v.json").read_text())["exit_code"] == 8
    text = (place / "s.md").read_text()
    assert "🔴 regressed | one" in text
    assert page.read_text() == f"before\n{text}"
    suite = ElementTree.parse(place / "j.xml").getroot()
    failures = [case.get("classname") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert set(failures) == {"simulated.one", "simulated.two"}
    assert suite.get("failures") == str(len(failures))
    assert "skipped" not in suite.attrib, "not in the schema that Jenkins checks against"


def test_an_accepted_change_passes_from_then_on(place: Path, baseline: Path) -> None:
    slow = bench(place, 20, 16.6)
    ended_with(8, slow)
    add([slow], accept=True)
    check(bench(place, 21, 16.6))
    assert folder.load(baseline)[-1].entry.accepts == ("one", "two")


def test_one_case_can_be_accepted(place: Path, baseline: Path) -> None:
    add([bench(place, 20, 16.6)], accept=True, case=["one"])
    ended_with(8, bench(place, 21, 16.6))
    stored = json.loads((place / "verdict.json").read_text())
    answers = {case["name"]: {each["answer"] for each in case["metrics"]} for case in stored["cases"]}
    assert "regressed" in answers["two"]
    assert "regressed" not in answers["one"]


def test_that_a_case_is_gone_can_be_accepted(place: Path, baseline: Path) -> None:
    def without_two(number: int) -> Path:
        return stored_run(place / "runs", {"one": 8.3}, run_id=f"20260101T{number}0000Z-aaaa").path

    ended_with(8, without_two(20))
    add([without_two(20)], accept=True, case=["two"])
    check(without_two(21))
    assert folder.load(baseline)[-1].entry.accepts == ("two",)


def test_a_failed_case_is_red_and_no_baseline(place: Path, baseline: Path) -> None:
    lost = fail(stored_run(place / "runs", run_id="20260102T000000Z-aaaa"))
    ended_with(8, lost)
    with pytest.raises(InvalidMeasurement, match="not every round of one finished"):
        add([lost])
    add([lost], force=True)
    assert "one" in (folder.load(baseline)[-1].entry.forced or "")


def test_strict_ends_with_7(place: Path, baseline: Path) -> None:
    ended_with(7, bench(place, 20, 8.56), strict=True)


def test_thresholds_may_come_from_a_matrix(place: Path, baseline: Path) -> None:
    (place / "m.yaml").write_text("matrix: m\nprompt: x\ngate: {time: off}\ncases: [{name: one}]\n")
    check(bench(place, 20, 16.6), matrix=str(place / "m.yaml"))


def test_adding_a_run_again_keeps_what_it_accepted(place: Path, baseline: Path) -> None:
    slow = bench(place, 20, 16.6)
    add([slow], accept=True, case=["one"])
    add([slow])
    assert folder.load(baseline)[-1].entry.accepts == ("one",)
    add([slow], accept=True)
    assert folder.load(baseline)[-1].entry.accepts == ("one", "two")


def test_the_answer_is_written_into_folders_that_are_not_there_yet(place: Path, baseline: Path) -> None:
    out = place / "out"
    check(bench(place, 20, 8.3), verdict=out / "v/verdict.json", summary=out / "s/s.md", junit=out / "j/j.xml")
    history(plot=out / "h/h.svg")
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {"v/verdict.json", "s/s.md", "j/j.xml", "h/h.svg"}


def test_a_rerun_needs_a_run(place: Path, baseline: Path) -> None:
    file = place / "b.json"
    file.write_text(json.dumps({"benchmarks": [{"name": "x", "stats": {"median": 1.0}}]}))
    with pytest.raises(UsageError, match="cannot be run again"):
        check(file, rerun=3)


def test_what_was_never_measured_or_kept_is_an_error(place: Path) -> None:
    with pytest.raises(ResultError, match="not there"):
        add([place / "nothing"])
    with pytest.raises(ResultError, match="no such baseline"):
        check(bench(place, 1, 8.3))
    with pytest.raises(UsageError, match="--case says"):
        add([bench(place, 2, 8.3)], case=["one"])
    with pytest.raises(UsageError, match="has a case 'three'"):
        add([bench(place, 2, 8.3)], accept=True, case=["three"])


def test_a_check_that_could_not_be_made_leaves_that_in_place_of_an_earlier_verdict(place: Path, baseline: Path) -> None:
    check(bench(place, 20, 8.3))
    (next(baseline.rglob("*.json"))).write_text('{"schema_version": 1, "kind"')
    with pytest.raises(ResultError, match="torn"):
        check(bench(place, 21, 8.3), summary=place / "s.md", junit=place / "j.xml")
    stored = Verdict.model_validate_json((place / "verdict.json").read_bytes())
    assert (stored.exit_code, stored.answer, stored.cases) == (10, Answer.INCONCLUSIVE, ())
    assert "torn" in stored.notes[0]
    assert "Not judged" in (place / "s.md").read_text()
    suite = ElementTree.parse(place / "j.xml").getroot()
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("1", "1", "0")
    assert suite.find(".//error") is not None


def test_the_baseline_is_listed_and_pruned(place: Path, baseline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    show()
    assert len(capsys.readouterr().out.splitlines()) == len(STEPS)
    prune(keep=3)
    capsys.readouterr()
    show(as_json=True)
    assert [row["cases"] for row in json.loads(capsys.readouterr().out)] == [2, 2, 2]


def test_the_history_names_the_run_of_a_step_and_draws_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add([bench(place, number, step_s * (1.2 if number > 7 else 1)) for number, step_s in enumerate(STEPS * 2)])
    capsys.readouterr()
    history(plot=place / "h.svg")
    out = capsys.readouterr().out
    assert "+20" in out or "+19" in out or "+18" in out
    assert "20260101T080000Z-aaaa" in out
    first = (place / "h.svg").read_bytes()
    history(plot=place / "h.svg")
    assert (place / "h.svg").read_bytes() == first
    with pytest.raises(UsageError, match="not a picture"):
        history(plot=place / "h.gif")
    with pytest.raises(UsageError, match="nothing of that kind"):
        history(case=["three"])


def test_names_and_messages_are_no_markup(place: Path) -> None:
    from ltxbench.regression.check import check as compare
    from ltxbench.regression.junit import junit
    from ltxbench.regression.summary import markdown
    from tests.regression.runs import case, entry

    name = "a|b<img src=x>](http://x) @all `c`"
    found = compare([], entry(1, [case(name, outcomes=("failed",), failure="\x1b[31m<b>\0\n| x |")]))
    text = markdown(found)
    assert not any(mark in text for mark in ("<img", "<b>", "](", "@all", "| x |"))
    assert ElementTree.fromstring(junit(found)).find(".//failure") is not None
