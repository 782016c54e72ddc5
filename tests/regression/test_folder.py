from __future__ import annotations

import json
from pathlib import Path

import pytest

from ltxbench.errors import ResultError, UsageError
from ltxbench.regression import folder
from ltxbench.regression.entry import Entry
from ltxbench.regression.take import take_run
from tests.regression.runs import MAC, case, entry, stored_run, window
from tests.trust.runs import with_run


def test_an_entry_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    run = take_run(stored_run(tmp_path / "runs"))
    path = folder.add(tmp_path, run)
    assert folder.read(path) == run
    assert folder.load(tmp_path) == (folder.Stored(path, run),)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file() and "runs" not in path.parts} == {".json"}


def test_an_entry_holds_samples_hashes_and_conditions(tmp_path: Path) -> None:
    run = stored_run(tmp_path)
    one = take_run(run).by_name["one"]
    assert one.samples["step_1_s"] == pytest.approx([8.3 * (1 + 0.001 * number) for number in range(4)])
    assert one.outcomes == ("ok",) * 4
    assert one.conditions["chip"] == "scripted"
    assert one.settings["steps"] == "8"
    assert "title" not in one.settings


def test_names_are_the_same_everywhere_and_one_file_a_run(tmp_path: Path) -> None:
    mac = MAC.model_copy(update={"accelerator": "Apple M3 Max"})
    path = folder.place(tmp_path, entry(7, [case("one")], machine=mac))
    assert path == tmp_path / "small" / "apple-m3-max-96gib" / "run-007.json"
    files = [folder.add(tmp_path, each) for each in window(3)]
    assert len(set(files)) == 3
    again = files[0].read_bytes()
    folder.add(tmp_path, window(3)[0])
    assert files[0].read_bytes() == again


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "A b", "ü" * 100, "con:1"])
def test_names_from_a_file_never_leave_the_folder(name: str) -> None:
    slug = folder.slug(name)
    assert slug
    assert not set(slug) - set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert not slug.startswith(".")
    assert len(slug) <= 80


def test_names_that_differ_only_in_what_is_lost_stay_apart() -> None:
    assert len({folder.slug(name) for name in ("a/b", "a:b", "a-b", "a b")}) >= 3


def test_other_figures_under_the_same_name_are_refused(tmp_path: Path) -> None:
    folder.add(tmp_path, entry(1, [case("one")]))
    with pytest.raises(UsageError, match="holds other figures"):
        folder.add(tmp_path, entry(1, [case("one", 50.0)]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "torn"),
        ("[]", "no schema_version"),
        ('{"schema_version": true}', "no schema_version"),
        ('{"schema_version": 99}', "schema 99"),
        ('{"schema_version": 1}', "Field required"),
        ('{"schema_version": 1, "kind": "run", "nonsense": NaN}', "Field required|nonsense"),
    ],
)
def test_a_file_that_is_no_entry_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "small" / "mac" / "x.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ResultError, match=message) as caught:
        folder.load(tmp_path)
    assert "x.json" in caught.value.message


def test_negative_times_links_and_huge_files_are_refused(tmp_path: Path) -> None:
    path = folder.add(tmp_path, entry(1, [case("one")]))
    stored = json.loads(path.read_text())
    stored["cases"][0]["samples"]["generation_s"] = [-1.0]
    path.write_text(json.dumps(stored))
    with pytest.raises(ResultError, match="greater than or equal"):
        folder.read(path)
    link = path.with_name("link.json")
    link.symlink_to(path)
    with pytest.raises(ResultError, match="is a link"):
        folder.read(link)
    path.write_bytes(b" " * (folder.LIMIT_BYTES + 1))
    with pytest.raises(ResultError, match="more than 4,194,304 bytes"):
        folder.read(path)


def test_a_file_in_the_wrong_place_is_told(tmp_path: Path) -> None:
    path = folder.add(tmp_path, entry(1, [case("one")]))
    path.rename(path.with_name("run-002.json"))
    with pytest.raises(ResultError, match="belongs at"):
        folder.load(tmp_path)


def test_no_folder_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no such baseline"):
        folder.load(tmp_path / "nowhere")


def test_pruning_keeps_the_latest_of_each_system_and_what_was_accepted(tmp_path: Path) -> None:
    for number in range(6):
        folder.add(tmp_path, entry(number, [case("one")], accepts=("one",) if number == 2 else ()))
    newer = MAC.model_copy(update={"os": "macOS 27"})
    folder.add(tmp_path, entry(50, [case("one")], machine=newer))
    removed = folder.prune(tmp_path, 2)
    kept = [each.entry for each in folder.load(tmp_path)]
    assert len(removed) == 4
    assert [each.id for each in kept] == ["run-004", "run-005", "run-050"]
    assert kept[0].accepts == ("one",)


def test_runs_that_prove_nothing_are_not_addable(tmp_path: Path) -> None:
    good = entry(1, [case("one")])
    assert folder.check_addable(good) is None

    def objection(changed: Entry) -> str:
        found = folder.check_addable(changed)
        assert found is not None
        return found

    assert "INVALID: canary" in objection(entry(1, [case("one")], invalid=("canary",)))
    assert "INVALID: swapped" in objection(entry(1, [case("one", invalid=("swapped",))]))
    assert "one" in objection(entry(1, [case("one", outcomes=("ok", "failed"))]))
    assert "one" in objection(entry(1, [case("one", outcomes=())]))
    assert "no case" in objection(entry(1, []))


def test_imported_figures_are_no_baseline(tmp_path: Path) -> None:
    from ltxbench.run.records import Import

    run = with_run(stored_run(tmp_path), imported=Import(source="page.md", source_sha256="0" * 64))
    with pytest.raises(ResultError, match="measured elsewhere"):
        take_run(run)
