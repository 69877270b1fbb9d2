"""Tries every attack and prints the table of what got through; exit code 1 where something did without a reason.

Run as `python -m tests.attacks [MODULE ...]`; with `--docs`, all of it is also written into docs/attacks.md.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.attacks import MODULES, load
from tests.attacks.outcome import Outcome

DOCS = Path(__file__).parent.parent.parent / "docs" / "attacks.md"
BEGIN, END = "<!-- attacks: begin -->\n", "<!-- attacks: end -->\n"
NAMED = 3  # of the cases that get through for one reason


def main(names: list[str]) -> int:
    """Try the attacks of some modules, or of all."""
    if is_written := names == ["--docs"]:
        names = []
    if unknown := [name for name in names if name not in MODULES]:
        sys.stderr.write(f"no attacks named {', '.join(unknown)}; there are {', '.join(MODULES)}\n")
        return 2
    found: list[Outcome] = []
    for name in names or MODULES:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found += load(name)(Path(folder))
        sys.stderr.write(f"{name}: {time.monotonic() - began:.1f} s\n")
    told = table(found) + "\n"
    sys.stdout.write(told)
    if is_written:
        write(told)
    return 1 if any(one.unexplained for one in found) else 0


def table(found: list[Outcome]) -> str:
    """Return outcomes as a table in Markdown, and below it why what got through may."""
    lines = ["| attack or secret | tried | got through |", "|---|---|---|"]
    attacks = [one for one in found if one.is_attack]
    lines += [f"| {one.kind} | {one.tried} | {len(one.through)} |" for one in attacks]
    lines.append(f"| all | {sum(one.tried for one in attacks)} | {sum(len(one.through) for one in attacks)} |")
    lines += [f"| {one.kind} | {one.tried} | {len(one.through)} |" for one in found if not one.is_attack]
    by_reason: dict[str, list[str]] = {}
    for one in found:
        for case in one.through:
            by_reason.setdefault(one.reasons.get(case, "NOT MEANT TO GET THROUGH"), []).append(f"{one.kind}: {case}")
    lines += ["\nWhy they get through:\n"] if by_reason else []
    lines += [f"- {reason} ({len(cases)}): {_some(cases)}" for reason, cases in by_reason.items()]
    return "\n".join(lines)


def write(told: str) -> None:
    """Put a table into the docs, in the place of the one that is there."""
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    ran = f"Run on {datetime.now(UTC):%Y-%m-%d} on {platform.system()} with Python {platform.python_version()}:"
    DOCS.write_text(f"{before}{BEGIN}{ran}\n\n{told}{END}{rest.partition(END)[2]}", encoding="utf-8")


def _some(cases: list[str]) -> str:
    more = f" and {len(cases) - NAMED} more" if len(cases) > NAMED else ""
    return "; ".join(cases[:NAMED]) + more


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
