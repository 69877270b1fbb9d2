"""Tries every attack and prints the table of what got through; exit code 1 where something did without a reason.

Run as `python -m tests.attacks [MODULE ...]`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.attacks import MODULES, load
from tests.attacks.outcome import Outcome


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in MODULES]:
        sys.stderr.write(f"no attacks named {', '.join(unknown)}; there are {', '.join(MODULES)}\n")
        return 2
    found: list[Outcome] = []
    for name in names or MODULES:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found += load(name)(Path(folder))
        sys.stderr.write(f"{name}: {time.monotonic() - began:.1f} s\n")
    sys.stdout.write(table(found) + "\n")
    return 1 if any(one.unexplained for one in found) else 0


def table(found: list[Outcome]) -> str:
    """Return outcomes as a table in Markdown, and below it the reason of each case that may get through."""
    lines = ["| attack or secret | tried | got through |", "|---|---|---|"]
    lines += [f"| {one.kind} | {one.tried} | {len(one.through)} |" for one in found]
    lines.append(f"| all | {sum(one.tried for one in found)} | {sum(len(one.through) for one in found)} |")
    for one in found:
        for case in one.through:
            lines.append(f"\n{one.kind}, {case}: {one.reasons.get(case, 'NOT MEANT TO GET THROUGH')}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
