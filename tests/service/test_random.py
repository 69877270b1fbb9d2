"""Whatever happens to a transcript, in whatever order: what was in it when it was read is in the memory, once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.rows import rows
from tests.transcript import lines
from watcher.memory.database import Database
from watcher.service.ingest import Ingest
from watcher.settings import CaptureSettings

SESSION = "33333333-3333-4333-8333-333333333333"


SOON = st.sampled_from([True, True, False])  # whether the watcher reads before the next thing happens


class Transcript(RuleBasedStateMachine):
    """A transcript that is written to, torn, cut, replaced and removed, beside a watcher that dies at will."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / f"{SESSION}.jsonl"
        self.database_path = Path(self.folder.name) / "memory" / "data" / "claude-mem.db"
        self.database = Database.create(self.database_path)
        self.ingest = Ingest(self.database, CaptureSettings())
        self.content = b""  # what is on disk
        self.torn = b""  # the rest of a line that was half written
        self.count = 0
        self.seen: set[str] = set()  # what stood in the file, whole, when it was read

    def teardown(self) -> None:
        self.read()
        self.database.close()
        self.folder.cleanup()

    def line(self, size: int) -> bytes:
        """Return a new line, unlike any before."""
        self.count += 1
        text = f"{self.count} " + "é\u2028" * size
        if self.count % 3:
            return lines.tool_use(self.count, f"tool-{self.count}", command=text)
        return lines.prompt(self.count, text, uuid=f"uuid-{self.count}")

    def put(self, content: bytes) -> None:
        """Write the file in place: the same inode."""
        self.content = content
        self.path.write_bytes(content)

    @rule(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=5), is_read=SOON)
    def append(self, sizes: list[int], is_read: bool) -> None:
        """Write whole lines; a torn one before them is finished first, as Claude Code does."""
        self.put(self.content + self.torn + b"".join(self.line(size) for size in sizes))
        self.torn = b""
        self.read_if(is_read)

    @rule(size=st.integers(0, 400), part=st.floats(0.01, 0.99), is_read=SOON)
    def write_half_a_line(self, size: int, part: float, is_read: bool) -> None:
        line = self.line(size)
        cut = max(1, int(len(line) * part))
        self.put(self.content + self.torn + line[:cut])
        self.torn = line[cut:]
        self.read_if(is_read)

    @rule(is_read=SOON)
    def lose_the_rest_of_a_line(self, is_read: bool) -> None:
        """Kill the writer mid-line; a resumed session ends the torn line and goes on: it stays broken for ever."""
        if self.torn:
            self.put(self.content + b"\n")
            self.torn = b""
        self.read_if(is_read)

    @rule(keep=st.floats(0, 1), is_read=SOON)
    def cut_off_the_end(self, keep: float, is_read: bool) -> None:
        self.put(self.content[: int(len(self.content) * keep)])
        self.torn = b"\n" if self.content and not self.content.endswith(b"\n") else b""
        self.read_if(is_read)

    @rule(keep=st.floats(0, 1), sizes=st.lists(st.integers(0, 400), max_size=4), is_read=SOON)
    def rewrite_the_tail(self, keep: float, sizes: list[int], is_read: bool) -> None:
        whole = self.content[: int(len(self.content) * keep)]
        whole = whole[: whole.rfind(b"\n") + 1]
        self.put(whole + b"".join(self.line(size) for size in sizes))
        self.torn = b""
        self.read_if(is_read)

    @rule(sizes=st.lists(st.integers(0, 400), max_size=4), is_read=SOON)
    def replace_the_file(self, sizes: list[int], is_read: bool) -> None:
        """Rename another file over it: another inode."""
        other = self.path.with_name("other")
        self.content = b"".join(self.line(size) for size in sizes)
        self.torn = b""
        other.write_bytes(self.content)
        other.replace(self.path)
        self.read_if(is_read)

    @rule(is_read=SOON)
    def copy_the_file(self, is_read: bool) -> None:
        """Put a copy in its place: another inode, the same content."""
        if self.path.exists():
            other = self.path.with_name("other")
            other.write_bytes(self.content)
            other.replace(self.path)
        self.read_if(is_read)

    @rule(is_read=SOON)
    def remove_the_file(self, is_read: bool) -> None:
        self.path.unlink(missing_ok=True)
        self.content = self.torn = b""
        self.read_if(is_read)

    def read_if(self, is_read: bool) -> None:
        if is_read:
            self.read()

    @rule()
    def read(self) -> None:
        if self.path.exists():
            self.ingest.take_in(self.path)
            self.seen |= {
                f"{kind}-{number}"
                for kind, mark in (("tool", b'"id": "tool-'), ("uuid", b'"uuid": "uuid-'))
                for line in self.content.split(b"\n")[:-1]
                if mark in line and line.endswith(b"}")
                for number in [line.split(mark)[1].split(b'"')[0].decode()]
            }

    @rule()
    def restart(self) -> None:
        """Kill the watcher, and start the next one."""
        self.database.close()
        self.database = Database.create(self.database_path)
        self.ingest = Ingest(self.database, CaptureSettings())

    @invariant()
    def all_that_was_seen_is_there_once(self) -> None:
        found = rows(self.database_path, "SELECT tool_use_id FROM tool_uses UNION ALL SELECT uuid FROM user_prompts")
        assert sorted(text for (text,) in found) == sorted(self.seen)
        numbers = rows(self.database_path, "SELECT prompt_number FROM user_prompts ORDER BY id")
        assert [number for (number,) in numbers] == list(range(1, len(numbers) + 1))


TestTranscript = Transcript.TestCase
TestTranscript.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
