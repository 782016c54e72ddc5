from __future__ import annotations

import codecs
import os
from hashlib import sha256
from pathlib import Path

import pytest

from ltxbench.errors import MatrixError, UsageError
from ltxbench.matrix import load
from ltxbench.matrix.source import MAX_BYTES, decode
from tests.matrix.reading import HEAD

GOOD = HEAD + "cases: [{name: a}]\n"
PATH = Path("m.yaml")


def refused(data: bytes) -> str:
    with pytest.raises(MatrixError) as caught:
        decode(data, PATH)
    return caught.value.message


def test_a_file_is_read_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(GOOD)
    matrix = load(path)
    assert matrix.source == path.as_posix()
    assert matrix.source_sha256 == sha256(GOOD.encode()).hexdigest()


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).name == "m"


def test_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert load(path).prompt == "p"


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such matrix file"):
        load(tmp_path / "none.yaml")


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such matrix file"):
        load(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.yaml")
    with pytest.raises(UsageError):
        load(tmp_path / "m.yaml")


def test_the_largest_file_is_read_and_one_byte_more_refused() -> None:
    assert len(decode(b"#" * MAX_BYTES, PATH)) == MAX_BYTES
    assert (
        refused(b"#" * (MAX_BYTES + 1))
        == "m.yaml:1:1048577: a matrix file has at most 1,048,576 bytes, and this one has more"
    )


def test_bytes_that_are_not_utf_8_are_shown_with_their_place() -> None:
    assert refused("a: é\nbé: ".encode() + b"\xff") == "m.yaml:2:5: byte 0xff is not UTF-8"


@pytest.mark.parametrize(
    ("encoding", "mark", "told"),
    [
        ("utf-16-le", codecs.BOM_UTF16_LE, "the file is UTF-16, not UTF-8"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "the file is UTF-16, not UTF-8"),
        ("utf-16-be", b"", "U+0000 (NUL)"),
        ("utf-32-le", codecs.BOM_UTF32_LE, "the file is UTF-32, not UTF-8"),
        ("utf-32-be", codecs.BOM_UTF32_BE, "the file is UTF-32, not UTF-8"),
    ],
)
def test_other_encodings_are_named_or_refused(encoding: str, mark: bytes, told: str) -> None:
    message = refused(mark + GOOD.encode(encoding))
    assert message.startswith("m.yaml:1:1: ")
    assert told in message


def test_the_place_counts_every_kind_of_line_end() -> None:
    assert refused(b"a\rb\r\nc\n\x01").startswith("m.yaml:4:1:")


@pytest.mark.parametrize("name", ["a\nb.yaml", "\x1b[31m.yaml", "\udcff.yaml", "\x9b.yaml"])
def test_a_path_that_cannot_be_stored_or_shown_is_refused_without_being_shown(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(GOOD)
    with pytest.raises(UsageError, match="valid Unicode without control characters") as caught:
        load(path)
    assert caught.value.message.isprintable()


def test_a_link_to_a_matrix_is_followed_and_one_to_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "link.yaml").symlink_to("good.yaml")
    assert load(tmp_path / "link.yaml").name == "m"
    for target in ("/dev/zero", "/dev/stdin", "link2.yaml"):
        (tmp_path / "link2.yaml").unlink(missing_ok=True)
        (tmp_path / "link2.yaml").symlink_to(target)
        with pytest.raises(UsageError):
            load(tmp_path / "link2.yaml")


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\x00", "U+0000 (NUL)"),
        ("\x1b", "U+001B (ESCAPE)"),
        ("\x07", "U+0007 (control character)"),
        ("\x85", "U+0085 (NEXT LINE)"),
        ("\u2028", "U+2028 (LINE SEPARATOR)"),
        ("\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
    ],
)
def test_control_characters_are_refused_by_name_and_place(character: str, name: str) -> None:
    assert refused(f"ab\nc{character}".encode()) == f"m.yaml:2:2: {name} is not allowed in a matrix file"
