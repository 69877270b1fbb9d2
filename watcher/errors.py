"""Owns the one error base. An error's text says what is wrong; its hint says what to type next."""

from __future__ import annotations


class ClaudeMemError(Exception):
    """Anything that a user can be told in one line; only the command line prints it and exits (code 1)."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ClaudeMemError):
    """What was typed, or what a settings file holds, cannot be meant (exit code 2)."""
