"""Prints the table: `python -m benchmarks`, or one figure of it: `python -m benchmarks hooks`.

`--readme` also writes the whole table into the README, between its two markers.
"""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import agent, commands, hooks, idle, ingest, latency, many, model, past, redaction, retrieval, sessions
from benchmarks.measure import HEADER, Figure, machine, progress

ALL: dict[str, Callable[[], Iterator[Figure]]] = {
    "hooks": hooks.figures,
    "session": sessions.session_figures,
    "tool-calls": sessions.tool_call_figures,
    "append": latency.append_figures,
    "stop": latency.stop_figures,
    "ingest": ingest.figures,
    "many": many.figures,
    "idle": idle.figures,
    "model": model.figures,
    "commands": commands.figures,
    "past": past.figures,
    "retrieval": retrieval.figures,
    "redaction": redaction.figures,
    "agent": agent.figures,
}
README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(ALL)}; all unless given")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md too (all of it only)")
    given = parser.parse_args()
    if unknown := set(given.names) - set(ALL):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    if given.readme and given.names:
        parser.error("--readme takes no names: the README holds the whole table")
    # Whatever runs is in a `with` block, which an ordinary end leaves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    lines = [machine(), "", *HEADER.splitlines()]
    print("\n".join(lines), flush=True)
    failed = []
    for name in given.names or ALL:
        progress(name)
        try:
            for figure in ALL[name]():
                lines.append(figure.row())
                print(lines[-1], flush=True)
        except Exception:  # noqa: BLE001 - the others take a quarter of an hour; this one is told, and in the exit code
            traceback.print_exc()
            failed.append(name)
    if failed:
        progress(f"failed: {', '.join(failed)}")
        return 1
    if given.readme:
        README.write_text(put_between(README.read_text(encoding="utf-8"), "\n".join(lines)), encoding="utf-8")
    return 0


def put_between(text: str, table: str) -> str:
    """Return a text with a table between its two markers, in the place of what was there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"README.md lacks {BEGIN} or {END}")
    return f"{before}{begin}\n{table}\n{end}{after}"


if __name__ == "__main__":
    sys.exit(main())
