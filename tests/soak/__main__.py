"""Prints the table of faults: `python -m tests.soak [--minutes M] [--seed S] [--only WORD] [--json]`.

Exit code 1 where anything was lost, duplicated or left behind. POSIX only.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict

from tests.soak import faults_agent, faults_claude, faults_storage, faults_transcript, faults_watcher, table
from tests.soak.table import Fault

FAULTS = (
    Fault("watcher killed at a random line", faults_watcher.killed_at_lines, 20),
    Fault("watcher killed at a random time", faults_watcher.killed_at_times, 12),
    Fault("agent killed in the middle of a turn", faults_agent.killed, 8),
    Fault("Claude Code killed in the middle of a turn (the real one)", faults_claude.killed, 14),
    Fault("line torn", faults_transcript.torn, 3),
    Fault("transcript truncated, rewritten, replaced or made anew", faults_transcript.changed, 5),
    Fault("database locked for up to 3 s", faults_storage.locked, 8),
    Fault("disk full", faults_storage.disk_full, 6),
    Fault("watcher stopped for a while (SIGSTOP), events lost", faults_watcher.stopped, 5),
    Fault("model answers 429, 500, 529, prose, half, or not at all", faults_agent.faults, 6),
    Fault("API answers 429, 500, 529, cuts or hangs (the real agent)", faults_agent.api_faults, 6),
    Fault("clock put forward or back by up to 3 h", faults_watcher.clock_jumps, 3),
    Fault("ten sessions at once (the real Claude Code)", faults_claude.ten_at_once, 6),
)


def main() -> int:
    """Run the faults and print the table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="for all faults together; each has one round")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all that is drawn")
    parser.add_argument("--only", default="", help="the faults whose name holds this word")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    chosen = [fault for fault in FAULTS if given.only in fault.name]
    if not chosen:
        parser.error(f"no fault {given.only!r}; there are: {'; '.join(fault.name for fault in FAULTS)}")
    found = table.run(chosen, given.minutes, given.seed)
    if given.json:
        told = {name: asdict(tally) for name, tally in found.items()}
        sys.stdout.write(json.dumps({"seed": given.seed, "faults": told}, indent=2) + "\n")
    else:
        where = f"{platform.system()}, Python {platform.python_version()}"
        sys.stdout.write(f"Run on {time.strftime('%Y-%m-%d')} on {where}, seed {given.seed}:\n\n{table.HEADER}\n")
        sys.stdout.writelines(f"{row}\n" for row in table.rows(found))
    return 0 if all(tally.is_clean for tally in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
