"""Fuzzes: `python -m tests.fuzz [TARGET …] [--minutes N]`, `MINUTES=60 make fuzz`.

Says every few seconds how far it is. A case that fails is made small and kept in fixtures/crashes, where the suite
tries it ever after; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.fuzz import TARGETS, campaign, load


def main(arguments: list[str] | None = None) -> int:
    """Fuzz, tell how it goes, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all unless told")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all of them together; 10 unless told")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.targets if name not in TARGETS]:
        parser.error(f"no target {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory(prefix="claude-mem-fuzz-") as folder:
        leave_home(Path(folder))
        names = given.targets or TARGETS
        found = campaign.run([load(name) for name in names], given.minutes, Path(folder), _tell)
    failed = [one for one in found if one.crash]
    for one in failed:
        _print(f"\n{one.target.name}: {one.problem}\nThe case is kept in {one.crash}. To try it again:")
        _print(f"  .venv/bin/python -m pytest tests/fuzz -k {one.crash.name if one.crash else ''}")
    total = sum(one.examples for one in found)
    _print(f"\n{total:,} examples of {len(found)} targets, {len(failed)} failed")
    return 1 if failed else 0


def leave_home(folder: Path) -> None:
    """See to it that nothing of whoever runs this is read or changed."""
    for name in list(os.environ):
        if name.startswith(("CLAUDE", "ANTHROPIC", "AI_AGENT")):
            del os.environ[name]
    os.environ |= {"HOME": str(folder), "USERPROFILE": str(folder)}


def _tell(one: campaign.Progress) -> None:
    state = f"FAILED, {one.crash}" if one.crash else "ok"
    _print(f"{one.target.name:<16} {one.examples:>9,} examples in {one.seconds:>6.0f} s  {state}")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
