"""Owns what befalls transcripts: torn lines, and files that are cut, replaced, removed and made again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.soak import story
from tests.soak.faults_watcher import play
from tests.soak.kills import LONGEST_REST, home_with
from tests.soak.ledger import Ledger
from tests.soak.nursery import Home
from tests.soak.story import Manner, Write
from tests.soak.table import Place, Tally
from tests.transcript import lines


def torn(place: Place) -> Tally:
    """Write every line in pieces, each for itself on the disk for a moment."""
    told = story.tell(place.random.randrange(1 << 30), place.begin(), manner=Manner(torn=1.0, by_hook=0))
    pieces = sum(isinstance(step, Write) and not step.data.endswith(b"\n") for step in told.steps)
    tally = play(place, home_with(place.folder / "home"), 1, lambda *_: None, told=told)
    tally.injected = pieces
    return tally


def changed(place: Place) -> Tally:
    """Truncate, rewrite, replace, remove and make anew: what was read is kept, what is new comes in, once."""
    home = home_with(place.folder / "home", watch_discover_interval=0.2)
    begin = place.begin() - lines.BEGIN
    transcripts = [_Transcript(home, f"{n:08d}-0000-4000-8000-000000000000", begin + 20_000 * n) for n in range(8)]
    ledger = Ledger()
    watcher = place.nursery.start(home)
    times = 0
    for _ in range(8):
        for transcript in transcripts:
            change = place.random.choice((_truncate, _rewrite, _replace, _recreate, _copy, _cut_in_half))
            change(transcript)
            transcript.append(ledger, place.random.randrange(1, 5))
            times += 1
        _await_read(home, ledger, [transcript.path for transcript in transcripts])
        assert watcher.is_alive(), home.log()
    for transcript in transcripts:
        transcript.over()
    ledger.settle(home)
    code = watcher.end()
    tally = Tally.of(times, ledger, home, home.processes())
    if code:
        tally.told.append(f"the watcher ended with {code}:\n{home.log()[-2000:]}")
    return tally


class _Transcript:
    """A transcript of turns of one tool use each."""

    def __init__(self, home: Home, session_id: str, begin: int) -> None:
        self.path = home.projects / "-home-dev-api" / f"{session_id}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.id = session_id
        self._at = begin
        self._count = 0
        self._home = home

    def append(self, ledger: Ledger, turns: int) -> None:
        """Write new turns."""
        for _ in range(turns):
            self._count += 1
            tool_use_id = f"toolu_{self.id[:8]}_{self._count}"
            uuid = f"prompt-{tool_use_id}"
            ledger.prompts.add(uuid)
            ledger.tool_uses.add(tool_use_id)
            ledger.turns[self.id] += 1
            with self.path.open("ab") as file:
                file.write(lines.prompt(self._tick(), f"Do {tool_use_id}", uuid))
                file.write(lines.tool_use(self._tick(), tool_use_id, command=f"make {tool_use_id}"))
                file.write(lines.tool_result(self._tick(), tool_use_id))
                file.write(lines.words(self._tick(), f"Did {tool_use_id}"))
                file.write(lines.turn_end(self._tick()))

    def over(self) -> None:
        """Write something of no use, so that there is something to look at."""
        with self.path.open("ab") as file:
            file.write(b'{"type":"mode"}\n')

    def _tick(self) -> int:
        self._at += 10
        return self._at


Change = Callable[[_Transcript], None]


def _truncate(transcript: _Transcript) -> None:
    if transcript.path.exists():
        transcript.path.write_bytes(b"")


def _cut_in_half(transcript: _Transcript) -> None:
    """Cut off the later half in place, at a line's end."""
    if transcript.path.exists():
        content = transcript.path.read_bytes()
        with transcript.path.open("r+b") as file:
            file.truncate(content.rfind(b"\n", 0, len(content) // 2) + 1)


def _rewrite(transcript: _Transcript) -> None:
    """Take one line out of the tail, in place, as a removed message does."""
    if transcript.path.exists():
        whole = transcript.path.read_bytes().splitlines(keepends=True)
        transcript.path.write_bytes(b"".join(whole[:-2] + whole[-1:]))


def _replace(transcript: _Transcript) -> None:
    """Put another file in its place, with nothing of it."""
    other = transcript.path.with_name("other")
    other.write_bytes(b'{"type":"mode","mode":"normal"}\n')
    other.replace(transcript.path)


def _copy(transcript: _Transcript) -> None:
    """Put a copy in its place: another inode, the same content."""
    if transcript.path.exists():
        other = transcript.path.with_name("other")
        other.write_bytes(transcript.path.read_bytes())
        other.replace(transcript.path)


def _recreate(transcript: _Transcript) -> None:
    transcript.path.unlink(missing_ok=True)


def _await_read(home: Home, ledger: Ledger, paths: list[Path]) -> None:
    """Wait until all is taken in: what nobody has read may go for good with its file.

    The checkpoints alone do not tell: a file that was made anew may have the inode and the size of the one before.
    """
    deadline = time.monotonic() + LONGEST_REST
    while time.monotonic() < deadline:
        read = {str(path): (file_id, offset) for path, file_id, offset in home.rows(_READ)}
        is_known = ledger.tool_uses <= {row[0] for row in home.rows("SELECT tool_use_id FROM tool_uses")}
        if is_known and all(read.get(str(path)) == (_file_id(path), path.stat().st_size) for path in paths):
            return
        time.sleep(0.02)
    raise AssertionError(f"not read: {read}, {[(str(p), _file_id(p), p.stat().st_size) for p in paths]}\n{home.log()}")


_READ = "SELECT path, file_id, offset FROM checkpoints"


def _file_id(path: Path) -> str:
    status = path.stat()
    return f"{status.st_dev}:{status.st_ino}"
