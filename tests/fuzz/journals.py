"""Journals of runs, cut, flipped, shuffled and spliced. What is still believed must have been written."""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import Any

from ltxbench.run.journal import (
    Contents,
    Entry,
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
    stated_run,
)
from ltxbench.run.records import Outcome
from tests.fuzz.target import Finding

_ODD: list[Any] = [None, True, -1, 0, 2**70, 1.5, "", "x", "../x", "\x00", "\ud83e", [], {}, [1], {"a": 1}]


class Journals:
    """A journal that was damaged, whose lines may then only be lost; or forged: right sums over wrong words."""

    name = "journals"

    def make(self, random: Random) -> bytes:
        lines = [encode(entry, number) for number, entry in enumerate(_session(random), start=1)]
        if random.random() < 0.3:
            return b"F" + b"".join(_forged(line, random) for line in lines)
        data = b"".join(lines)
        for _ in range(int(random.expovariate(0.6))):
            data = _damaged(data, lines, random)
        return b"D" + b"".join(lines) + b"\x00\x00\x00\n" + data

    def check(self, data: bytes) -> str:
        if data[:1] == b"F":
            contents = decode(data[1:])
            _use(contents)
            return "forged"
        written, _, damaged = data[1:].partition(b"\x00\x00\x00\n")
        original, contents = decode(written), decode(damaged)
        if original.damage:
            return "arbitrary"  # not made here, so there is nothing to compare with
        strange = [entry for entry in contents.entries if entry not in original.entries]
        if strange:
            raise Finding(f"believed, and never written: {strange[0]!r:.200}")
        if damaged != written and not contents.damage and contents.entries != original.entries[: len(contents.entries)]:
            raise Finding("lines are out of order, and nothing is told")
        _use(contents)
        return "whole" if not contents.damage else "damaged"


def _use(contents: Contents) -> None:
    """All that is read from the entries; none of it may fail."""
    ended(contents.entries)
    deaths(contents.entries)
    attempts(contents.entries)
    stated_run(contents.entries)
    if not all(sentence.isprintable() for sentence in contents.damage):
        raise Finding(f"what a terminal acts on in {contents.damage!r:.200}")


def _session(random: Random) -> list[Entry]:
    entries: list[Entry] = [SessionBegan(pid=random.randrange(1, 99999), boot="b", utc="2026-01-01T00:00:00Z")]
    for number in range(random.randrange(6)):
        identity = hashlib.sha256(bytes([number])).hexdigest()
        case, attempt = f"case-{number}", random.randrange(1, 4)
        entries.append(RoundBegan(case=case, round=1, attempt=attempt, identity=identity))
        if random.random() < 0.8:
            files = (StoredFile(name="record.json", size_bytes=random.randrange(9999), sha256=identity),)
            outcome = random.choice(list(Outcome))
            entries.append(
                RoundEnded(case=case, round=1, attempt=attempt, outcome=outcome, identity=identity, files=files)
            )
        elif random.random() < 0.5:
            entries.append(SessionBegan(pid=number + 1, utc="x"))
    if random.random() < 0.5:
        entries.append(SessionEnded(how="finished"))
    return entries


def _damaged(data: bytes, lines: list[bytes], random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    match random.randrange(8):
        case 0:
            return data[:place]
        case 1:
            return data[place:]
        case 2:
            end = min(len(data), place + random.randrange(1, 5000))
            return data[:place] + bytes(end - place) + data[end:]
        case 3:
            return data[:place] + random.randbytes(random.randrange(1, 50)) + data[place:]
        case 4:
            return data + random.choice(lines)
        case 5:
            kept = data.split(b"\n")
            random.shuffle(kept)
            return b"\n".join(kept)
        case 6:
            return data.replace(b"\n", random.choice((b"\r\n", b"", b"\n\n", b" \n")), random.randrange(1, 4))
        case _:
            changed = bytearray(data)
            if changed:
                changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
            return bytes(changed)


def _forged(line: bytes, random: Random) -> bytes:
    """The line with other contents and the right sum, as somebody could write it by hand."""
    body = json.loads(line)
    del body["sum"]
    number = body.pop("n")
    for _ in range(random.randrange(3)):
        key = random.choice([*body, "extra", "files"])
        body[key] = random.choice(_ODD)
    if random.random() < 0.2:
        body.pop(random.choice(list(body)))
    number = random.choice((number, number, 0, 1, 10**8, 10**12))
    text = json.dumps(body, separators=(",", ":"))[:-1].encode("utf-8", "surrogatepass") + b',"n":%d' % number
    return text + b',"sum":"' + hashlib.sha256(text).hexdigest()[:32].encode() + b'"}\n'
