"""Owns telling whether the process that writes a session still lives, by what it says of itself.

Claude Code keeps `<config>/sessions/<pid>.json` while it lives, in the terminal and in `-p` (observed of 2.1.330; the
scenarios with the real one would show a change). A kill leaves the file behind, with a pid that is nobody's or by now
somebody else's.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from watcher import system
from watcher.memory.sessions import Session

GONE_AFTER = 60_000  # milliseconds of silence before a session that no process claims counts as gone


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a process says of itself in the file that lives as long as it."""

    pid: int
    started_at: int  # epoch
    updated_at: int  # epoch


class Claims:
    """Which process says that it writes which session, as it is now: each folder is read once."""

    def __init__(self) -> None:
        self._read: dict[Path, dict[str, list[_Claim]]] = {}

    def is_gone(self, session: Session, silence: int) -> bool:
        """Say whether the process that wrote a session, silent for some milliseconds, has ended."""
        if not session.transcript_path:
            return False
        folder = Path(session.transcript_path).parent.parent.parent / "sessions"
        claims = self._of(folder, session.session_id)
        if any(system.process_is_alive(claim.pid, claim.started_at) for claim in claims):
            return False
        # What was left behind by an earlier process, killed long before the last line, says nothing of this one.
        if any(claim.updated_at + GONE_AFTER >= session.last_activity_at for claim in claims):
            return True
        return folder.is_dir() and silence >= GONE_AFTER

    def _of(self, folder: Path, session_id: str) -> list[_Claim]:
        if folder not in self._read:
            self._read[folder] = _claims(folder)
        return self._read[folder].get(session_id, [])


def _claims(folder: Path) -> dict[str, list[_Claim]]:
    """Return the processes that say they write a session, by its id."""
    claims: dict[str, list[_Claim]] = {}
    for path in folder.glob("*.json"):
        try:
            said = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            continue  # It is being written, or just went; the next look tells.
        if isinstance(said, dict) and isinstance(said.get("sessionId"), str) and isinstance(said.get("pid"), int):
            started, updated = said.get("startedAt"), said.get("updatedAt")
            started_at = started if isinstance(started, int) else sys.maxsize
            claim = _Claim(said["pid"], started_at, updated if isinstance(updated, int) else started_at)
            claims.setdefault(said["sessionId"], []).append(claim)
    return claims
