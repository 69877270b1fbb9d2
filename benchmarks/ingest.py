"""What taking a transcript in costs, against reading it and against decoding it."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import Figure, pairs
from watcher.memory.database import Database
from watcher.service.ingest import Ingest
from watcher.settings import CaptureSettings

SIZE = 50_000_000  # bytes
PAIRS = 3


def figures() -> Iterator[Figure]:
    """Measure a transcript six tenths of whose bytes are in lines of no use, as real ones are."""
    folder = Path(tempfile.mkdtemp(prefix="claude-mem-bench-"))
    try:
        path = folder / "11111111-0000-4000-8000-000000000000.jsonl"
        write_transcript(path, SIZE)

        def taken_in() -> float:
            home = Path(tempfile.mkdtemp(dir=folder))
            database = Database.create(home / "m" / "data" / "claude-mem.db")
            begun = time.perf_counter()
            Ingest(database, CaptureSettings()).take_in(path)
            seconds = time.perf_counter() - begun
            database.close()
            shutil.rmtree(home)
            return seconds

        read = pairs(PAIRS, taken_in, lambda: _timed(lambda: _read(path)))
        yield Figure("Taking in a 50 MB transcript, wall", "`for line in file`", read, 10)
        decoded = pairs(PAIRS, taken_in, lambda: _timed(lambda: _decode(path)))
        yield Figure("Taking in a 50 MB transcript, wall", "`json.loads` of every line", decoded, 0.5)
    finally:
        shutil.rmtree(folder)


def write_transcript(path: Path, size: int) -> None:
    """Write turns of ten tool uses, with as many useless bytes as real transcripts have."""
    written = number = 0
    with path.open("wb") as file:
        while written < size:
            for line in _turn(number):
                written += file.write(line + b"\n")
            number += 1


def _turn(number: int) -> Iterator[bytes]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_780_000_000 + number)) + ".000Z"
    common = {"timestamp": stamp, "cwd": "/project", "sessionId": "s"}

    def line(kind: str, **more: object) -> bytes:
        whole = {"parentUuid": None, "isSidechain": False, **more, "type": kind, **common}
        return json.dumps(whole, separators=(",", ":")).encode()

    yield line("user", message={"role": "user", "content": f"Do {number}"}, uuid=f"p{number}", promptSource="sdk")
    for index in range(10):
        tool_use_id = f"t{number}-{index}"
        call = {"type": "tool_use", "id": tool_use_id, "name": "Bash", "input": {"command": "pytest " + "x" * 400}}
        yield line("assistant", message={"role": "assistant", "content": [call]}, uuid=f"a{tool_use_id}")
        result = {"type": "tool_result", "tool_use_id": tool_use_id, "content": "passed\n" * 300}
        yield line("user", message={"role": "user", "content": [result]}, uuid=f"r{tool_use_id}")
        blob = {"type": "api-request-blob", "sessionId": "s", "hash": "h", "message": {"content": "y" * 5500}}
        yield json.dumps(blob, separators=(",", ":")).encode()
    said = {"type": "text", "text": f"Did {number}."}
    yield line("assistant", message={"role": "assistant", "content": [said]}, uuid=f"w{number}")
    yield line("system", subtype="stop_hook_summary", uuid=f"e{number}")


def _timed(act: Callable[[], None]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def _read(path: Path) -> None:
    with path.open("rb", 1 << 20) as file:
        for _line in file:
            pass


def _decode(path: Path) -> None:
    with path.open("rb", 1 << 20) as file:
        for line in file:
            json.loads(line)
