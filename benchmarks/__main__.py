"""Prints the table: `python -m benchmarks`, or some of it: `python -m benchmarks hooks`."""

from __future__ import annotations

import sys

from benchmarks import hooks, ingest
from benchmarks.measure import HEADER

ALL = {"hooks": hooks.figures, "ingest": ingest.figures}

chosen = sys.argv[1:] or list(ALL)
if unknown := set(chosen) - set(ALL):
    sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
print(HEADER)
for name in chosen:
    for figure in ALL[name]():
        print(figure.row(), flush=True)
