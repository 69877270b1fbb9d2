"""What taking a transcript in costs, against reading it and against decoding it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import transcripts
from benchmarks.measure import MEGABYTE, Figure, Pairs, progress, temporary_folder, wall_seconds
from benchmarks.transcripts import Session
from tests.rows import rows
from watcher.memory.database import Database
from watcher.service.ingest import Ingest
from watcher.settings import CaptureSettings

SIZE = 200  # megabytes
ROUNDS = 5


def figures() -> Iterator[Figure]:
    """Measure one long transcript, as a watcher finds it that was not there when it was written."""
    with temporary_folder() as folder:
        path = folder / f"{transcripts.session_id(1)}.jsonl"
        session = Session(path.stem, "/home/dev/api", seed=1, begun=round(time.time() * 1000) - 3_600_000, step=10)
        written = transcripts.write(path, session, SIZE * MEGABYTE)
        progress(f"ingest: {written.lines} lines, {written.tool_uses} tool uses")

        def take_in() -> float:
            """Take it in, into a memory of its own."""
            home = Path(tempfile.mkdtemp(dir=folder))
            database = Database.create(home / "m" / "data" / "claude-mem.db")
            seconds = wall_seconds(lambda: Ingest(database, CaptureSettings()).take_in(path))
            database.close()
            assert rows(database.path, "SELECT count(*) FROM tool_uses") == [(written.tool_uses,)]
            return seconds

        taken, read, decoded = [], [], []
        for number in range(ROUNDS + 1):  # in turn, and the first warms up
            progress(f"ingest: round {number} of {ROUNDS}")
            taken.append(take_in())
            read.append(wall_seconds(lambda: _read(path)))
            decoded.append(wall_seconds(lambda: _decode(path)))
        what = f"Taking in a transcript of {SIZE} MB, rows committed, wall"
        for baseline, name, target in (
            (read, "`for line in file` over it", 10),
            (decoded, "`json.loads` of its lines", 0.5),
        ):
            measured = Pairs(tuple(taken[1:]), tuple(baseline[1:]))
            yield Figure(what, measured.against(name), measured.ratios, target)


def _read(path: Path) -> None:
    with path.open("rb", 1 << 20) as file:
        for _line in file:
            pass


def _decode(path: Path) -> None:
    with path.open("rb", 1 << 20) as file:
        for line in file:
            json.loads(line)
