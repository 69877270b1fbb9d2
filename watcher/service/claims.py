"""Owns telling whether the process that writes a session still lives, by what it says of itself.

Claude Code keeps `<config>/sessions/<pid>.json` while it lives, in the terminal and in `-p` (observed of 2.1.330; the
scenarios with the real one would show a change). A kill leaves the file behind, with a pid that is nobody's or by now
somebody else's.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from watcher import system
from watcher.memory.sessions import Session
from watcher.service.events import Pace

GONE_AFTER = 60_000  # milliseconds of silence before a session that no process claims counts as gone
VOUCHED_FOR = 60.0  # seconds that a process that writes a session is believed to, as long as its pid is there


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a process says of itself in the file that lives as long as it."""

    pid: int
    started_at: int  # epoch
    updated_at: int  # epoch


class _Voucher(NamedTuple):
    """A process that was seen to write a session."""

    pid: int
    until: float  # pace: when it is looked at again


class Claims:
    """Which process says that it writes which session.

    To look it up takes a read of every such file, and two of what the system knows of a process: too much for each
    second and each session that is open. So what was looked up is believed for a while, but for the end of a process.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._read: dict[Path, dict[str, list[_Claim]]] = {}
        self._vouchers: dict[str, _Voucher] = {}

    def look_again(self) -> None:
        """Look up what is asked from now on as it is now, each folder once; what was believed long enough, too."""
        self._read.clear()
        moment = self._pace()
        self._vouchers = {name: voucher for name, voucher in self._vouchers.items() if moment < voucher.until}

    def is_gone(self, session: Session, silence: int) -> bool:
        """Say whether the process that wrote a session, silent for some milliseconds, has ended."""
        voucher = self._vouchers.get(session.session_id)
        if voucher is not None and system.pid_exists(voucher.pid):
            return False
        if not session.transcript_path:
            return False
        folder = Path(session.transcript_path).parent.parent.parent / "sessions"
        claims = self._of(folder, session.session_id)
        alive = next((claim for claim in claims if system.process_is_alive(claim.pid, claim.started_at)), None)
        if alive is not None:
            self._vouchers[session.session_id] = _Voucher(alive.pid, self._pace() + VOUCHED_FOR)
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
