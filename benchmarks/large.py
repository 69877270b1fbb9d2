"""What memory a watcher needs at most while it takes a large transcript in: `python -m benchmarks.large [MEGABYTES]`.

Run by hand: a gigabyte takes minutes. A real `claude-mem watch` follows a generated transcript, six tenths of whose
bytes are in lines of no use and some of whose lines are a megabyte long, until all of it is taken in and summarised:
with the agent that needs no model, then with the other, for which no model can be reached.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.measure import clean_environment
from tests.rows import rows

SIZE = 1000  # megabytes
TARGET = 120.0  # megabytes
TOOL_USES = 60  # a turn
LONG_EVERY = 40  # tool uses between two results of a megabyte
SESSION = "11111111-0000-4000-8000-000000000000"
MEGABYTE = 1_000_000
POLL_INTERVAL = 0.1  # seconds
TIMEOUT = 3600.0  # seconds


@dataclass
class Written:
    """What a transcript holds."""

    size: int = 0
    tool_uses: int = 0
    turns: int = 0


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    folder = Path(tempfile.mkdtemp(prefix="claude-mem-large-"))
    try:
        transcript = folder / "transcript.jsonl"
        written = write_transcript(transcript, megabytes * MEGABYTE)
        print(f"a transcript of {megabytes} MB: {written.turns} turns, {written.tool_uses} tool uses")
        print(
            "| agent | peak, MB | of it shared out (PSS), MB | seconds | tool uses | met |\n|---|---|---|---|---|---|"
        )
        for agent in ("extractive", "claude"):
            print(measured(folder / agent, transcript, written, agent), flush=True)
    finally:
        shutil.rmtree(folder)


def measured(home: Path, transcript: Path, written: Written, agent: str) -> str:
    """Have a watcher take a transcript in; return a row of the table."""
    projects = home / ".claude" / "projects" / "-project"
    projects.mkdir(parents=True)
    os.link(transcript, projects / f"{SESSION}.jsonl")
    database = home / ".claude-mem" / "data" / "claude-mem.db"
    environment = {
        **clean_environment(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "CLAUDE_MEM_AGENT": agent,
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{_closed_port()}",
        "ANTHROPIC_API_KEY": "nobody-listens",
    }
    begun = time.monotonic()
    peak = pss = 0.0
    with (home / "watch.out").open("wb") as out:
        command = [sys.executable, "-m", "watcher", "watch"]
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=out, stderr=out)
    try:
        while not _is_done(database, written):
            if process.poll() is not None or time.monotonic() - begun > TIMEOUT:
                raise SystemExit(f"the watcher did not get to its end:\n{(home / 'watch.out').read_text()[-4000:]}")
            time.sleep(POLL_INTERVAL)
            now, shared = memory(process.pid)
            peak, pss = max(peak, now), max(pss, shared)
        seconds = time.monotonic() - begun
    finally:
        process.terminate()
        process.wait(timeout=60)
    ((tool_uses,),) = rows(database, "SELECT count(*) FROM tool_uses")
    is_met = peak <= TARGET and tool_uses == written.tool_uses
    counted = f"{tool_uses} of {written.tool_uses}"
    return f"| {agent} | {peak:.1f} | {pss:.1f} | {seconds:.0f} | {counted} | {'yes' if is_met else '**no**'} |"


def memory(pid: int) -> tuple[float, float]:
    """Return the peak of a process so far, and its proportional share of memory now, in MB.

    Where the system does not tell, both are what it holds now.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        held = psutil.Process(pid).memory_info().rss / MEGABYTE
        return held, held
    return _kilobytes(status, "VmHWM:") * 1024 / MEGABYTE, _kilobytes(rollup, "Pss:") * 1024 / MEGABYTE


def _kilobytes(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)


def _is_done(database: Path, written: Written) -> bool:
    """Say whether all is taken in, and every turn has its summary."""
    offsets = rows(database, 'SELECT "offset" FROM checkpoints')
    return offsets == [(written.size,)] and rows(database, "SELECT count(*) FROM session_summaries") == [
        (written.turns,)
    ]


def _closed_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_transcript(path: Path, size: int) -> Written:
    """Write whole turns until there are so many bytes, a line at a time."""
    written = Written()
    began = time.time()
    with path.open("wb", 1 << 20) as file:
        while written.size < size:
            for line in _turn(written, began):
                written.size += file.write(line + b"\n")
            written.turns += 1
    return written


def _turn(written: Written, began: float) -> Iterator[bytes]:
    number = written.turns
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began - 1800 + number * 0.1)) + f".{number % 1000:03}Z"
    common = {"timestamp": stamp, "cwd": "/project", "sessionId": SESSION}

    def line(kind: str, **more: object) -> bytes:
        whole = {"parentUuid": None, "isSidechain": False, **more, "type": kind, **common}
        return json.dumps(whole, separators=(",", ":")).encode()

    yield line("user", message={"role": "user", "content": f"Do {number}"}, uuid=f"p{number}", promptSource="sdk")
    for index in range(TOOL_USES):
        tool_use_id = f"t{number}-{index}"
        call = {"type": "tool_use", "id": tool_use_id, "name": "Bash", "input": {"command": "pytest " + "x" * 400}}
        yield line("assistant", message={"role": "assistant", "content": [call]}, uuid=f"a{tool_use_id}")
        is_long = written.tool_uses % LONG_EVERY == 0
        result = {"type": "tool_result", "tool_use_id": tool_use_id, "content": "p" * (MEGABYTE if is_long else 2100)}
        yield line("user", message={"role": "user", "content": [result]}, uuid=f"r{tool_use_id}")
        # What is of no use is six tenths of a line of any length.
        blob = "y" * (1_500_000 if is_long else 4300)
        useless = {"type": "api-request-blob", "sessionId": SESSION, "message": {"content": blob}}
        yield json.dumps(useless, separators=(",", ":")).encode()
        written.tool_uses += 1
    said = {"type": "text", "text": f"Did {number}."}
    yield line("assistant", message={"role": "assistant", "content": [said]}, uuid=f"w{number}")
    yield line("system", subtype="stop_hook_summary", uuid=f"e{number}")


if __name__ == "__main__":
    main()
