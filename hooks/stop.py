"""Raises the finalize flag: a turn is over. Run by Claude Code at Stop."""

import sys

sys.path.insert(0, __file__[: -len("stop.py")])  # `-I` leaves a script's own folder out

import hook


def finalize(event: hook.Event) -> None:
    """Raise the flag."""
    hook.raise_flag(event, "finalize")


hook.run("Stop", finalize)
