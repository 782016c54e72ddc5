from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltxbench.errors import ResourceError
from ltxbench.run.journal import (
    Journal,
    RoundBegan,
    RoundEnded,
    SessionBegan,
    SessionEnded,
    StoredFile,
    attempts,
    deaths,
    decode,
    encode,
    ended,
    read,
)
from ltxbench.run.records import Outcome

names = st.text(max_size=12)
entries = st.one_of(
    st.builds(SessionBegan, pid=st.integers(1, 1 << 22), boot=st.none() | names, utc=names),
    st.builds(SessionEnded, how=names),
    st.builds(RoundBegan, case=names, round=st.integers(0, 9), attempt=st.integers(1, 9), identity=names),
    st.builds(
        RoundEnded,
        case=names,
        round=st.integers(0, 9),
        attempt=st.integers(1, 9),
        outcome=st.sampled_from(Outcome),
        identity=names,
        files=st.lists(
            st.builds(StoredFile, name=names, size_bytes=st.integers(0, 1 << 40), sha256=names), max_size=3
        ).map(tuple),
    ),
)
journals = st.lists(entries, min_size=1, max_size=6)
COUNT = int(os.environ.get("LTXBENCH_FUZZ_JOURNALS", "200"))


def written(of: list) -> bytes:
    return b"".join(encode(entry, number) for number, entry in enumerate(of, start=1))


def began(case="a", attempt=1) -> RoundBegan:
    return RoundBegan(case=case, round=1, attempt=attempt, identity="i")


def over(case="a", attempt=1) -> RoundEnded:
    return RoundEnded(case=case, round=1, attempt=attempt, outcome=Outcome.OK, identity="i", files=())


SESSION = SessionBegan(pid=1, boot="b", utc="u")
DONE = SessionEnded(how="finished")


@given(journals)
def test_what_was_written_is_read(of):
    contents = decode(written(of))
    assert list(contents.entries) == of
    assert contents.damage == ()
    assert contents.lines == len(of)


@settings(max_examples=COUNT, deadline=None)
@given(journals, st.data())
def test_cut_off_at_any_byte_the_whole_lines_are_read_and_the_torn_one_is_told(of, data):
    whole = written(of)
    cut = data.draw(st.integers(0, len(whole)))
    contents = decode(whole[:cut])
    complete = whole[:cut].count(b"\n")
    # A line that lacks nothing but its end is whole.
    complete += whole[cut : cut + 1] == b"\n"
    assert list(contents.entries) == of[:complete]
    torn = cut > 0 and whole[cut - 1 : cut] != b"\n" and whole[cut : cut + 1] != b"\n"
    assert len(contents.damage) == torn
    assert not torn or "the last line is torn" in contents.damage[0]


@settings(max_examples=COUNT, deadline=None)
@given(journals, st.data())
def test_one_altered_byte_anywhere_is_noticed_and_spoils_only_its_own_lines(of, data):
    whole = bytearray(written(of))
    position = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != whole[position]))
    line = bytes(whole[:position]).count(b"\n")
    was_end = whole[position] == ord("\n")
    whole[position] = other
    contents = decode(bytes(whole))
    assert contents.damage
    spoilt = {line, line + 1} if was_end else {line}
    assert list(contents.entries) == [entry for index, entry in enumerate(of) if index not in spoilt]


@settings(max_examples=COUNT, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_no_bytes_whatsoever_are_an_error(data):
    assert decode(data).entries == ()


def test_a_missing_line_is_noticed():
    lines = written([SESSION, began(), over(), DONE]).splitlines(keepends=True)
    contents = decode(b"".join(lines[:1] + lines[2:]))
    assert contents.damage == ("line 2 of the journal: has number 3 where 2 was due",)
    assert contents.lines == 4


def test_a_line_that_was_written_twice_is_noticed():
    line = encode(SESSION, 1)
    assert decode(line + line).damage == ("line 2 of the journal: has number 1 where 2 was due",)


def test_a_torn_end_stays_and_what_is_appended_begins_a_line_of_its_own(tmp_path):
    path = tmp_path / "journal.jsonl"
    torn = encode(SESSION, 1) + encode(began(), 2)[:20]
    path.write_bytes(torn)
    found = read(path)
    with Journal(path, lines=found.lines) as journal:
        journal.append(DONE)
    assert path.read_bytes().startswith(torn + b"\n")
    contents = read(path)
    assert contents.entries == (SESSION, DONE)
    assert contents.damage == ("line 2 of the journal: is not as it was written",)


def test_every_entry_is_on_the_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("ltxbench.run.journal.sync_descriptor", lambda number: synced.append(os.fstat(number).st_size))
    with Journal(tmp_path / "j") as journal:
        journal.append(SESSION)
        journal.append(DONE)
    assert synced == [len(encode(SESSION, 1)), len(encode(SESSION, 1) + encode(DONE, 2))]


def test_ctrl_c_while_a_line_goes_to_the_disk_leaves_no_number_twice(tmp_path, monkeypatch):
    def interrupted(_descriptor):
        raise KeyboardInterrupt

    with Journal(tmp_path / "j") as journal:
        with monkeypatch.context() as patch:
            patch.setattr("ltxbench.run.journal.sync_descriptor", interrupted)
            with pytest.raises(KeyboardInterrupt):
                journal.append(SESSION)
        journal.append(DONE)
    assert read(tmp_path / "j").entries == (SESSION, DONE)
    assert read(tmp_path / "j").damage == ()


def test_on_a_full_disk_nothing_of_the_line_stays(tmp_path, small_files):
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append(SESSION)
        with pytest.raises(ResourceError, match="the disk is full"):
            journal.append(SessionEnded(how="x" * (80 << 10)))
        journal.append(DONE)
    assert read(path).entries == (SESSION, DONE)
    assert read(path).damage == ()


def test_a_journal_that_is_not_there_or_a_link_is_told(tmp_path):
    assert read(tmp_path / "none").damage == ("the journal is not there",)
    (tmp_path / "j").symlink_to(tmp_path / "elsewhere")
    assert read(tmp_path / "j").damage == ("the journal cannot be read (Too many levels of symbolic links)",)
    with pytest.raises(ResourceError, match="cannot be written"):
        Journal(tmp_path / "j")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("of", "died"),
    [
        ([SESSION, began(), over(), DONE], {}),
        ([SESSION, began()], {"a": 1}),
        ([SESSION, began(), SESSION, began(attempt=2), SESSION], {"a": 2}),
        ([SESSION, began(), SESSION, began("b"), over("b"), DONE], {"a": 1}),
        ([SESSION, began(), DONE, SESSION], {}),  # the process told that it stopped: Ctrl-C twice
        ([SESSION, began(), over(), began("b")], {"b": 1}),
    ],
)
def test_a_death_is_a_round_of_which_nothing_was_heard_again(of, died):
    assert deaths(of) == died


def test_the_last_account_of_a_round_counts_and_its_highest_attempt():
    of = [SESSION, began(), over(), SESSION, began(attempt=2), over(attempt=2)]
    assert ended(of) == {("a", 1): over(attempt=2)}
    assert attempts(of) == {("a", 1): 2}
    assert attempts([began(attempt=3)]) == {("a", 1): 3}
