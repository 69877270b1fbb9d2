"""Prints the table: `python -m benchmarks`, or one figure of it: `python -m benchmarks hooks`.

`--readme` also writes the whole table into the README, between its two markers.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import hooks, ingest
from benchmarks.measure import HEADER, Figure, machine, progress

ALL: dict[str, Callable[[], Iterator[Figure]]] = {
    "hooks": hooks.figures,
    "ingest": ingest.figures,
}
README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(ALL)}; all unless given")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md too (all of it only)")
    given = parser.parse_args()
    if unknown := set(given.names) - set(ALL):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    if given.readme and given.names:
        parser.error("--readme takes no names: the README holds the whole table")
    # Whatever runs is in a `with` block, which an ordinary end leaves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lines = [machine(), "", *HEADER.splitlines()]
    print("\n".join(lines), flush=True)
    for name in given.names or ALL:
        progress(name)
        for figure in ALL[name]():
            lines.append(figure.row())
            print(lines[-1], flush=True)
    if given.readme:
        README.write_text(put_between(README.read_text(encoding="utf-8"), "\n".join(lines)), encoding="utf-8")


def put_between(text: str, table: str) -> str:
    """Return a text with a table between its two markers, in the place of what was there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"README.md lacks {BEGIN} or {END}")
    return f"{before}{begin}\n{table}\n{end}{after}"


if __name__ == "__main__":
    main()
