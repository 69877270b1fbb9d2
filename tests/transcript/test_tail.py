from __future__ import annotations

from pathlib import Path

import pytest

from watcher.transcript import tail
from watcher.transcript.tail import START


def lines_of(chunk: tail.Chunk) -> list[bytes]:
    return [line.data for line in chunk.lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def test_whole_lines_come_once(path: Path) -> None:
    path.write_bytes(b"one\ntwo\n")
    first = tail.read(path)
    assert lines_of(first) == [b"one", b"two"]
    assert [line.offset for line in first.lines] == [0, 4]
    assert lines_of(tail.read(path, first.position)) == []
    with path.open("ab") as file:
        file.write(b"three\n")
    second = tail.read(path, first.position)
    assert lines_of(second) == [b"three"]
    assert second.lines[0].offset == 8
    assert not second.restarted


def test_a_torn_line_waits_for_its_end(path: Path) -> None:
    path.write_bytes(b"one\ntw")
    first = tail.read(path)
    assert lines_of(first) == [b"one"]
    assert first.position.offset == 4
    with path.open("ab") as file:
        file.write(b"o\n")
    assert lines_of(tail.read(path, first.position)) == [b"two"]


def test_an_unfinished_first_line_is_no_position(path: Path) -> None:
    path.write_bytes(b"half")
    chunk = tail.read(path)
    assert chunk.lines == ()
    assert chunk.position.offset == 0
    path.write_bytes(b"another beginning\n")
    assert lines_of(tail.read(path, chunk.position)) == [b"another beginning"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("a\u2028b\u2029c\x85d\n".encode(), ["a\u2028b\u2029c\x85d".encode()]),  # no line ends but to str.splitlines
        (b"a\x0bb\x0cc\x1cd\n", [b"a\x0bb\x0cc\x1cd"]),
        (b"one\r\ntwo\r\n", [b"one", b"two"]),
        (b"one\n\n\ntwo\n", [b"one", b"", b"", b"two"]),
        (b"\xef\xbb\xbfone\n", [b"\xef\xbb\xbfone"]),
        (b"\xff\xfe\x00\n", [b"\xff\xfe\x00"]),
    ],
)
def test_only_a_newline_ends_a_line(path: Path, data: bytes, expected: list[bytes]) -> None:
    path.write_bytes(data)
    assert lines_of(tail.read(path)) == expected


def test_a_line_longer_than_a_chunk_comes_whole(path: Path) -> None:
    path.write_bytes(b"x" * 1000 + b"\n" + b"y" * 100 + b"\n")
    first = tail.read(path, size=64)
    assert lines_of(first) == [b"x" * 1000]
    assert first.more
    assert lines_of(tail.read(path, first.position, size=64)) == [b"y" * 100]


def test_chunks_add_up_to_the_file(path: Path) -> None:
    expected = [b"%d" % number for number in range(500)]
    path.write_bytes(b"\n".join(expected) + b"\n")
    found: list[bytes] = []
    position = START
    for _ in range(1000):
        chunk = tail.read(path, position, size=50)
        found += lines_of(chunk)
        position = chunk.position
        if not chunk.more:
            break
    assert found == expected


@pytest.mark.parametrize("content", [b"new\n", b"new one\nnew two\nnew three\n"])
def test_a_truncated_and_rewritten_file_is_read_anew(path: Path, content: bytes) -> None:
    path.write_bytes(b"old one\nold two\n")
    position = tail.read(path).position
    path.write_bytes(content)  # the same inode
    chunk = tail.read(path, position)
    assert chunk.restarted
    assert lines_of(chunk) == content.split(b"\n")[:-1]


def test_a_file_truncated_to_nothing_is_read_anew_when_it_grows(path: Path) -> None:
    path.write_bytes(b"old one\n")
    position = tail.read(path).position
    path.write_bytes(b"")
    emptied = tail.read(path, position)
    assert emptied.restarted
    assert emptied.position.offset == 0
    path.write_bytes(b"new\n")
    assert lines_of(tail.read(path, emptied.position)) == [b"new"]


def test_a_replaced_file_is_read_anew(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"old one\nold two\n")
    position = tail.read(path).position
    other = tmp_path / "other"
    other.write_bytes(b"new one\nnew two\nnew three\n")
    other.replace(path)
    chunk = tail.read(path, position)
    assert chunk.restarted
    assert lines_of(chunk) == [b"new one", b"new two", b"new three"]


def test_a_copy_with_the_same_beginning_is_read_on(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"one\ntwo\n")
    position = tail.read(path).position
    copy = tmp_path / "copy"
    copy.write_bytes(b"one\ntwo\nthree\n")  # another inode
    copy.replace(path)
    chunk = tail.read(path, position)
    assert not chunk.restarted
    assert lines_of(chunk) == [b"three"]


def test_a_rewritten_tail_is_noticed(path: Path) -> None:
    path.write_bytes(b"one\ntwo\n")
    position = tail.read(path).position
    path.write_bytes(b"one\nTWO\nthree\n")
    assert tail.read(path, position).restarted


def test_a_missing_file_is_said(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tail.read(path)


def test_lines_that_are_not_wanted_are_counted_and_read_past(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"no 1\nyes\r\nno 2\nhalf")

    chunk = tail.read(path, skip=lambda data, start: data.startswith(b"no", start))

    assert [(line.offset, line.data) for line in chunk.lines] == [(5, b"yes")]
    assert (chunk.skipped, chunk.position.offset, chunk.more) == (2, 15, True)
    path.write_bytes(b"no 1\nyes\r\nno 2\nno 3\n")
    last = tail.read(path, chunk.position, skip=lambda data, start: data.startswith(b"no", start))
    assert (last.lines, last.skipped, last.position.offset, last.more) == ((), 1, 20, False)
