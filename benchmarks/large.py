"""What memory a watcher needs at most while it takes a large transcript in: `python -m benchmarks.large [MEGABYTES]`.

Run by hand: a gigabyte takes minutes. A real `claude-mem watch` follows a generated transcript, six tenths of whose
bytes are in lines of no use and some of whose lines are a megabyte long, until all of it is taken in and summarised:
with the agent that needs no model, then with the other, for which no model can be reached.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import transcripts
from benchmarks.measure import MEGABYTE, clean_environment, memory
from benchmarks.transcripts import Session, Written
from tests.rows import rows

SIZE = 1000  # megabytes
TARGET = 120.0  # megabytes
TOOL_USES = 60  # a turn
LONG_EVERY = 40  # tool uses between two results of a megabyte
SESSION = "11111111-0000-4000-8000-000000000000"
POLL_INTERVAL = 0.1  # seconds
TIMEOUT = 3600.0  # seconds


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
    """Write whole turns until there are so many bytes, some lines of them a megabyte and more."""
    begun = round(time.time() * 1000) - 1_800_000  # what is older than an hour is left alone
    session = Session(SESSION, "/project", seed=1, begun=begun, step=2, long_every=LONG_EVERY)
    return transcripts.write(path, session, size, tool_uses=TOOL_USES)


if __name__ == "__main__":
    main()
