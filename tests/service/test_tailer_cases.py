"""The cases by which other tailers are tested, by their names: Fluent Bit's, OTel's, Filebeat's, coreutils', and ours.

The promise in each: every tool use and prompt that stood whole in a file when it was read is in the database exactly
once, whatever became of the file, and of the watcher, before or after. Vector's random interpreter of Write, Rotate,
Delete, Truncate, Read and Pause is the state machine in `test_random.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.service.recorder import Recorder
from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher.memory.database import Database
from watcher.service.recording import find
from watcher.settings import Settings

OTHER = "22222222-2222-4222-8222-222222222222"
ROOT = Path(__file__).parents[2]
NOW = int(time.time() * 1000) - lines.BEGIN  # for real watchers: what is older than the memory is left alone


class Tailer:
    """A transcript, and a watcher that can die: the next one knows what is in the database, and nothing else."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database.create(settings.database)
        self.recorder = Recorder(settings, self.database)
        self.path = self.recorder.transcript
        self.write = self.recorder.write

    def restart(self) -> None:
        self.database.close()
        self.database = Database.create(self.settings.database)
        self.recorder = Recorder(self.settings, self.database)

    def read(self, path: Path | None = None) -> None:
        self.recorder.ingest.take_in(path or self.path)

    def put(self, *content: bytes, path: Path | None = None) -> None:
        """Write a file in place: the same inode where there is one."""
        (path or self.path).write_bytes(b"".join(content))

    def holds(self, *ids: str) -> bool:
        """Say whether exactly these tool uses and prompts are in the memory, each once, and counted once."""
        found = self.recorder.rows("SELECT tool_use_id FROM tool_uses UNION ALL SELECT uuid FROM user_prompts")
        ((counted,),) = self.recorder.rows("SELECT coalesce(sum(prompt_count + tool_use_count), 0) FROM sdk_sessions")
        assert sorted(name for (name,) in found) == sorted(ids)
        return bool(counted == len(ids))

    def broken(self) -> list[tuple[int, int]]:
        """Return where broken lines began, and how long they were."""
        return self.recorder.rows('SELECT "offset", length FROM broken_lines ORDER BY "offset"')


@pytest.fixture
def tailer(settings: Settings) -> Iterator[Tailer]:
    made = Tailer(settings)
    yield made
    made.database.close()


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    with WatcherProcess(tmp_path) as process:
        process.environment["CLAUDE_MEM_WATCH_DISCOVER_INTERVAL"] = "0.2"
        yield process


def numbered(first: int, count: int, size: int = 0, prefix: str = "t") -> bytes:
    """Return tool uses `t-<first>` and on, each of some `size` bytes."""
    return b"".join(
        lines.tool_use(number, f"{prefix}-{number}", command="x" * size) for number in range(first, first + count)
    )


def names(first: int, count: int, prefix: str = "t") -> list[str]:
    return [f"{prefix}-{number}" for number in range(first, first + count)]


def as_claude_code(tool_use_id: str) -> bytes:
    """Return a tool use whose last 80 bytes are those of every other line of its session, as in real transcripts."""
    entry = json.loads(lines.tool_use(1, tool_use_id))
    tail = {"sessionId": SESSION, "version": "2.1.330", "gitBranch": "main"}
    return json.dumps({**{key: entry[key] for key in entry if key not in tail}, **tail}).encode() + b"\n"


# Fluent Bit


def test_partial_line_across_restart_is_completed_once(tailer: Tailer) -> None:
    whole = lines.tool_use(1, "t")
    tailer.write(lines.prompt(0, "Go", "p"), whole[:50])
    tailer.read()
    assert tailer.holds("p")
    tailer.restart()
    tailer.write(whole[50:])
    tailer.read()
    assert tailer.holds("p", "t")
    assert tailer.broken() == []


def test_copytruncate_across_restart_reads_new_content_only(tailer: Tailer) -> None:
    tailer.write(numbered(0, 20))
    tailer.read()
    before = tailer.recorder.rows("SELECT * FROM tool_uses")
    tailer.restart()
    shutil.copy(tailer.path, tailer.path.with_suffix(".copy"))
    os.truncate(tailer.path, 0)
    tailer.write(numbered(20, 3))
    tailer.read()
    assert tailer.holds(*names(0, 23))
    assert tailer.recorder.rows("SELECT * FROM tool_uses")[:20] == before


@pytest.mark.parametrize("is_seen_empty", [True, False])
def test_copytruncate_with_stale_writer(tailer: Tailer, is_seen_empty: bool) -> None:
    """A writer that goes on at its old offset leaves a hole of NUL bytes; the line behind it comes in."""
    with tailer.path.open("wb") as writer:
        writer.write(numbered(0, 20))
        writer.flush()
        tailer.read()
        os.truncate(tailer.path, 0)
        if is_seen_empty:
            tailer.read()
        writer.write(numbered(20, 2))
    assert tailer.path.read_bytes().startswith(bytes(1000))
    tailer.read()
    assert tailer.holds(*names(0, 22))
    assert tailer.broken() == []


def test_delete_and_recreate_same_path(tailer: Tailer) -> None:
    for number in range(3):
        tailer.write(numbered(number, 1))
        tailer.read()
        tailer.path.unlink()
        with pytest.raises(FileNotFoundError):
            tailer.read()
    tailer.restart()
    tailer.write(numbered(3, 1))
    tailer.read()
    assert tailer.holds(*names(0, 4))


def test_multi_file_rapid_rotation(tailer: Tailer) -> None:
    """Renamed away and begun anew, again and again, several files by turns; each is read before it goes."""
    files = {prefix: tailer.path.with_name(f"{prefix * 8}-0000.jsonl") for prefix in "abc"}
    for round_ in range(12):
        for prefix, path in files.items():
            tailer.write(numbered(round_ * 5, 5, prefix=prefix), path=path)
        for path in files.values():
            tailer.read(path)
            path.rename(path.with_suffix(f".{round_}"))
        if round_ % 4 == 3:
            tailer.restart()
    assert tailer.holds(*(name for prefix in files for name in names(0, 60, prefix)))


PERMISSIONS = """
import json, sys
from pathlib import Path
from tests.service.recorder import Recorder
from tests.transcript import lines
from watcher import settings
from watcher.memory.database import Database

home = settings.load({"CLAUDE_MEM_HOME": sys.argv[1], "CLAUDE_CONFIG_DIR": sys.argv[2]})
recorder = Recorder(home, Database.create(home.database))
def seen():
    return [name for (name,) in recorder.rows("SELECT tool_use_id FROM tool_uses ORDER BY id")]
recorder.write(lines.tool_use(0, "before"))
recorder.life.follow(recorder.transcript)
recorder.write(lines.tool_use(1, "meanwhile"))
recorder.transcript.chmod(0)
for _ in range(3):
    recorder.life.follow(recorder.transcript)
found = [seen()]
recorder.transcript.chmod(0o600)
recorder.write(lines.tool_use(2, "after"))
recorder.life.follow(recorder.transcript)
print(json.dumps([*found, seen(), [event.kind for event in recorder.events]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes that keep a file's owner from reading it")
def test_permissions_restored(tmp_path: Path) -> None:
    hold: list[str] = []
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may read anything, and there is no setpriv to take that from it")
        hold = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    ran = subprocess.run(
        [*hold, sys.executable, "-c", PERMISSIONS, str(tmp_path / "memory"), str(tmp_path / "claude")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    withdrawn, restored, told = json.loads(ran.stdout)
    assert withdrawn == ["before"]
    assert restored == ["before", "meanwhile", "after"]
    assert told == ["taken in", "trouble", "taken in", "mended"]


# OTel's fileconsumer


def test_split_write(tailer: Tailer) -> None:
    """TestSplitWrite: byte by byte, read at each."""
    whole = lines.tool_use(1, "é\u2028😀")
    for cut in range(len(whole)):
        tailer.write(whole[cut : cut + 1])
        tailer.read()
        assert tailer.recorder.rows("SELECT count(*) FROM tool_uses") == [(int(cut == len(whole) - 1),)]
    assert tailer.holds("é\u2028😀")


def test_offsets_after_restart_big_files_written_while_off(tailer: Tailer) -> None:
    """TestOffsetsAfterRestart_BigFilesWrittenWhileOff: of several chunks each."""
    other = tailer.path.with_name(f"{OTHER}.jsonl")
    for path, prefix in ((tailer.path, "a"), (other, "b")):
        tailer.write(numbered(0, 1200, size=1000, prefix=prefix), path=path)
        tailer.read(path)
    tailer.restart()
    for path, prefix in ((tailer.path, "a"), (other, "b")):
        tailer.write(numbered(1200, 1200, size=1000, prefix=prefix), path=path)
    tailer.restart()
    for path in (tailer.path, other):
        assert path.stat().st_size > 2 << 20
        tailer.read(path)
    assert tailer.holds(*names(0, 2400, "a"), *names(0, 2400, "b"))
    assert tailer.recorder.rows("SELECT lines_taken FROM checkpoints") == [(2400,), (2400,)]


def test_truncate_then_write(tailer: Tailer) -> None:
    """TestTruncateThenWrite: shorter than before, then longer, then longer in one go."""
    for content in (numbered(0, 5), numbered(5, 2), numbered(7, 9), numbered(16, 30)):
        tailer.put(content)
        tailer.read()
    assert tailer.holds(*names(0, 46))


def test_file_moved_while_off_big_files(tailer: Tailer) -> None:
    """TestFileMovedWhileOff_BigFiles: the file, or the folder it is in."""
    tailer.write(numbered(0, 1500, size=1000))
    tailer.read()
    before = tailer.recorder.rows("SELECT * FROM tool_uses")
    tailer.restart()
    folder = tailer.path.parent.rename(tailer.path.parent.with_name("-home-dev-moved"))
    elsewhere = tailer.path.parent.with_name("-home-dev-elsewhere")
    elsewhere.mkdir()
    moved = (folder / tailer.path.name).rename(elsewhere / tailer.path.name)
    tailer.write(numbered(1500, 2), path=moved)
    tailer.read(moved)
    assert tailer.holds(*names(0, 1502))
    assert tailer.recorder.rows("SELECT * FROM tool_uses")[:1500] == before


# coreutils


def test_inotify_race(watcher: WatcherProcess) -> None:
    """What is written between the watcher's first look and its first event comes in."""
    watcher.projects.mkdir(parents=True)
    is_watching = threading.Event()
    written: list[str] = []

    def go_on() -> None:
        while not is_watching.wait(0.005):
            number = len(written)
            session = f"{number % 7:08}-0000-4000-8000-000000000000"
            watcher.write(lines.tool_use(NOW + number, f"t-{number}"), session=session, project=f"-p-{number % 3}")
            written.append(f"t-{number}")

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        watcher.start()
        watcher.wait_for_rows("SELECT count(*) > 20 FROM tool_uses", [(1,)])
    finally:
        is_watching.set()
        writer.join()
    watcher.wait_for_rows("SELECT tool_use_id FROM tool_uses ORDER BY 1", [(name,) for name in sorted(written)])


def test_inotify_dir_recreate(watcher: WatcherProcess) -> None:
    """A project's folder goes and comes again, with the same name or another."""
    watcher.projects.mkdir(parents=True)
    watcher.start()
    for number in range(3):
        watcher.write(lines.tool_use(NOW + number, f"t-{number}"), session=SESSION)
        expected = [(f"t-{seen}",) for seen in range(number + 1)]
        watcher.wait_for_rows("SELECT tool_use_id FROM tool_uses ORDER BY id", expected)
        shutil.rmtree(watcher.projects / "-home-dev-api")
    assert watcher.is_alive()


# Filebeat


def test_empty_line(tailer: Tailer) -> None:
    tailer.put(b"\n\n", numbered(0, 1), b"\n\r\n\n", numbered(1, 1), b"\n")
    tailer.read()
    assert tailer.holds("t-0", "t-1")
    assert tailer.broken() == []
    assert tailer.recorder.rows("SELECT lines_taken, lines_skipped FROM checkpoints") == [(2, 6)]


def test_bom(tailer: Tailer) -> None:
    tailer.put(b"\xef\xbb\xbf", numbered(0, 1), b"\xef\xbb\xbf", numbered(1, 1))
    tailer.read()
    assert tailer.holds("t-0", "t-1")
    assert tailer.broken() == []


# What lines hold


@pytest.mark.parametrize(
    ("stray", "kept"),
    [
        (b"caf\xe9", "caf\ufffd"),
        (b"cut \\ud83d here", "cut ? here"),
        (b"a\x00b\x01c", "abc"),
        (b"a\\u0000b", "ab"),
        ("a\u2028b\u2029c\x85d".encode(), "a\nb\nc\nd"),
        (b"a\\u2028b \\ud83d\\ude00", "a\nb 😀"),
        (b"a\rb", "a\nb"),
    ],
    ids=["bytes", "surrogate", "nul", "escaped-nul", "separators", "escapes", "cr"],
)
def test_strange_bytes_in_a_line(tailer: Tailer, stray: bytes, kept: str) -> None:
    tailer.put(lines.prompt(0, "PLACE", "p").replace(b"PLACE", stray), numbered(1, 1))
    tailer.put(tailer.path.read_bytes(), lines.tool_use(2, "t-2", command="PLACE").replace(b"PLACE", stray))
    tailer.read()
    assert tailer.holds("p", "t-1", "t-2")
    assert tailer.recorder.rows("SELECT prompt_text FROM user_prompts") == [(kept,)]
    ((command,),) = tailer.recorder.rows("SELECT json_extract(input, '$.command') FROM tool_uses WHERE name = 'Bash'")[
        1:
    ]
    assert command == kept


def test_crlf(tailer: Tailer) -> None:
    tailer.put(numbered(0, 3).replace(b"\n", b"\r\n"), b"broken\r\n", numbered(3, 1).replace(b"\n", b"\r\n"))
    tailer.read()
    assert tailer.holds(*names(0, 4))
    assert tailer.broken() == [(len(numbered(0, 3)) + 3, len(b"broken\r"))]


def test_unknown_entry_types_and_fields(tailer: Tailer) -> None:
    known = json.loads(lines.tool_use(1, "t"))
    known["message"]["content"].append({"type": "never-seen", "id": "x", "name": "x"})
    tailer.put(
        b'{"type":"never-seen","uuid":"x","message":{"content":[{"type":"tool_use","id":"x","name":"x"}]}}\n',
        b'{"no":"type"}\n{"type":null}\n{"type":["tool_use"]}\n',
        json.dumps({"new": {"deep": [None]}, **known, "later": 2**70}).encode() + b"\n",
        lines.line(2, type="system", subtype="never-seen", uuid="u"),
        lines.prompt(3, "Go", "p"),
    )
    tailer.read()
    assert tailer.holds("t", "p")
    assert tailer.broken() == []


@pytest.mark.parametrize("written", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999Z"])
def test_a_time_at_the_edge_of_all_times_keeps_nothing_out(tailer: Tailer, written: str) -> None:
    strange = json.loads(lines.tool_use(1, "strange"))
    tailer.put(json.dumps({**strange, "timestamp": written}).encode() + b"\n", numbered(1, 2))
    tailer.read()
    kept = tailer.recorder.rows("SELECT count(*) FROM tool_uses WHERE tool_use_id = 'strange'")[0][0]
    assert kept + len(tailer.broken()) == 1
    assert tailer.holds(*["strange"] * kept, "t-1", "t-2")


def test_a_line_torn_for_ever_in_the_middle_of_a_file(tailer: Tailer) -> None:
    """Kept, counted once however often the file is read anew, and its place is right."""
    torn = lines.tool_use(9, "torn")[:70]
    tailer.put(numbered(0, 3), torn)
    tailer.read()
    assert tailer.broken() == []
    tailer.write(b"\n", numbered(3, 3))
    tailer.read()
    where = [(len(numbered(0, 3)), len(torn))]
    assert tailer.broken() == where
    tailer.restart()
    content = tailer.path.read_bytes()
    tailer.put(b"")
    tailer.read()
    tailer.put(content)
    tailer.read()
    assert tailer.broken() == where
    assert tailer.holds(*names(0, 6))


# What becomes of files


def test_the_last_64_kib_are_rewritten_in_place(tailer: Tailer) -> None:
    """As Claude Code may do when a message is removed."""
    tailer.put(numbered(0, 200, size=1000))
    tailer.read()
    keep = tailer.path.stat().st_size - (64 << 10)
    head = tailer.path.read_bytes()[:keep]
    head = head[: head.rfind(b"\n") + 1]
    with tailer.path.open("r+b") as file:
        file.seek(len(head))
        file.truncate()
        file.write(numbered(200, 80, size=1000))
    tailer.read()
    assert tailer.holds(*names(0, 280))


@pytest.mark.parametrize("is_copied_first", [True, False])
def test_replaced_by_another_inode_with_the_same_head(tailer: Tailer, is_copied_first: bool) -> None:
    """A copy that goes on is read on; one whose later part differs is read anew."""
    tailer.put(numbered(0, 10, size=500))
    tailer.read()
    other = tailer.path.with_name("other")
    first = 0 if is_copied_first else 100
    tailer.put(numbered(0, 5, size=500), numbered(first + 5, 5, size=500), numbered(50, 1), path=other)
    other.replace(tailer.path)
    tailer.read()
    changed = [] if is_copied_first else names(105, 5)
    assert tailer.holds(*names(0, 10), *changed, "t-50")


def test_replaced_by_another_inode_with_another_head(tailer: Tailer) -> None:
    tailer.put(numbered(0, 3))
    tailer.read()
    other = tailer.path.with_name("other")
    tailer.put(numbered(5, 6), path=other)
    other.replace(tailer.path)
    tailer.restart()
    tailer.read()
    assert tailer.holds(*names(0, 3), *names(5, 6))


def test_a_file_shrinks_to_the_same_head(tailer: Tailer) -> None:
    tailer.put(numbered(0, 10))
    tailer.read()
    os.truncate(tailer.path, len(numbered(0, 4)))
    tailer.read()
    tailer.write(numbered(20, 3))
    tailer.read()
    assert tailer.holds(*names(0, 10), *names(20, 3))


def test_rewritten_to_the_same_size_while_no_watcher_ran(tailer: Tailer) -> None:
    """Though all lines of a session end alike."""
    tailer.put(as_claude_code("t-1"), as_claude_code("t-2"))
    tailer.read()
    tailer.restart()
    size = tailer.path.stat().st_size
    tailer.put(as_claude_code("t-1"), as_claude_code("t-3"))
    assert tailer.path.stat().st_size == size
    tailer.read()
    assert tailer.holds("t-1", "t-2", "t-3")


def test_cut_off_and_grown_past_the_offset_at_a_line_end(tailer: Tailer) -> None:
    tailer.put(as_claude_code("t-1"), as_claude_code("t-2"))
    tailer.read()
    tailer.put(as_claude_code("t-1"), as_claude_code("t-3"), as_claude_code("t-4"))
    tailer.read()
    assert tailer.holds("t-1", "t-2", "t-3", "t-4")


@pytest.mark.parametrize("case", ["resumed", "forked", "cleared", "subagents"])
def test_recorded_sessions_with_a_kill_at_every_step(tailer: Tailer, case: str) -> None:
    """Written in steps that tear lines, each read by a watcher of its own: it comes to the same as read at once."""
    query = "SELECT tool_use_id, session_id, prompt_number, status FROM tool_uses UNION ALL "
    query += "SELECT uuid, session_id, prompt_number, continues_turn FROM user_prompts ORDER BY 1"
    recordings = find([FIXTURES / case])
    for recording in recordings:
        tailer.recorder.life.follow(recording.path)
    at_once = tailer.recorder.rows(query)
    with tailer.database.write() as connection:
        for table in ("checkpoints", "tool_uses", "user_prompts", "sdk_sessions"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    for recording in recordings:
        target = tailer.path.with_name(recording.path.name)
        content = recording.path.read_bytes()
        for cut in range(0, len(content), len(content) // 9):
            tailer.put(content[:cut], path=target)
            tailer.recorder.life.follow(target)
            tailer.restart()
        tailer.put(content, path=target)
        tailer.recorder.life.follow(target)
        if (sides := recording.path.with_suffix("")).is_dir():
            shutil.copytree(sides, target.with_suffix(""))
            tailer.recorder.life.follow(target)
    assert at_once
    assert tailer.recorder.rows(query) == at_once


# Lines too long to hold


def test_a_huge_line_comes_in_within_bounded_memory(tailer: Tailer) -> None:
    size = 30 << 20
    entry = json.loads(lines.tool_use(1, "toolu_huge", "Write", file_path="/a", content="PLACE"))
    before, after = json.dumps(entry).split("PLACE")
    with tailer.path.open("wb") as file:
        file.write(numbered(0, 1) + before.encode() + b"begin ")
        for _ in range(size >> 20):
            file.write(b"\\n" * (1 << 19))
        file.write(b" end" + after.encode() + b"\n" + numbered(2, 1))
    tracemalloc.start()
    try:
        tailer.read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 << 20
    assert tailer.holds("t-0", "toolu_huge", "t-2")
    assert tailer.broken() == []
    ((name, arguments, modified),) = tailer.recorder.rows(
        "SELECT name, input, files_modified FROM tool_uses WHERE tool_use_id = 'toolu_huge'"
    )
    assert (name, modified) == ("Write", '["/a"]')
    text = json.loads(arguments)["content"]
    assert text.startswith("begin \n\n")
    assert text.endswith("\n\n end")
    assert "left out" in text


def test_a_huge_line_of_short_strings_is_kept_as_broken(tailer: Tailer) -> None:
    """It cannot be shortened; whatever stands behind it comes in."""
    huge = b'{"type":"user","message":[' + b'"x",' * 1_500_000 + b'""]}'
    tailer.put(numbered(0, 1), huge, b"\n", numbered(1, 1))
    tailer.read()
    assert tailer.holds("t-0", "t-1")
    assert tailer.broken() == [(len(numbered(0, 1)), len(huge))]


def test_a_huge_torn_line_is_completed_later(tailer: Tailer) -> None:
    whole = lines.tool_use(1, "toolu_huge", content="x" * (9 << 20))
    tailer.put(numbered(0, 1), whole[: 7 << 20])
    tailer.read()
    assert tailer.holds("t-0")
    tailer.restart()
    tailer.write(whole[7 << 20 :], numbered(2, 1))
    tailer.read()
    assert tailer.holds("t-0", "toolu_huge", "t-2")
    assert tailer.broken() == []


def test_a_huge_hole_comes_in_with_the_line_behind_it(tailer: Tailer) -> None:
    with tailer.path.open("wb") as file:
        file.seek(12 << 20)
        file.write(numbered(0, 2))
    tailer.read()
    assert tailer.holds("t-0", "t-1")
    assert tailer.broken() == []
