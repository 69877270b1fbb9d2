"""Raises the cleanup flag: a session is over. Run by Claude Code at SessionEnd."""

import sys

sys.path.insert(0, __file__[: -len("session_end.py")])  # `-I` leaves a script's own folder out

import hook


def cleanup(event: hook.Event) -> None:
    """Raise the flag."""
    hook.raise_flag(event, "cleanup")


hook.run("SessionEnd", cleanup)
