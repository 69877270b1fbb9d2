"""Owns a memory fed by hand: a transcript in the test's home, and the service around it with a clock of its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.transcript.lines import BEGIN, SESSION
from watcher.agent import base
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import lookup, sessions
from watcher.memory.database import Database, driver
from watcher.memory.models import FlagKind
from watcher.service.asking import Asking
from watcher.service.digest import Digest
from watcher.service.events import Event, Pace
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.settings import Settings

PROJECT = "/home/dev/api"


class ScriptedAgent:
    """An agent that answers as told, and keeps what it was asked."""

    name = "scripted"

    def __init__(self) -> None:
        self.asked: list[base.Batch] = []
        self.faults: list[base.AgentError] = []
        self.names_tool_uses = True
        self.forgets: set[int] = set()  # the turns that it writes no summary of
        self.meanwhile: Callable[[base.Batch], None] | None = None  # what happens while it thinks

    def digest(self, batch: base.Batch) -> base.Reply:
        self.asked.append(batch)
        if self.faults:
            raise self.faults.pop(0)
        if self.meanwhile is not None:
            self.meanwhile(batch)
        observations = [
            base.Observation(
                base.ObservationType.CHANGE,
                f"Saw {use.tool_use_id}",
                tool_use_ids=(use.tool_use_id,) * self.names_tool_uses,
            )
            for use in batch.tool_uses
        ]
        summaries = {
            turn.number: base.Summary("asked", "looked", "found", "did", "go on", "note")
            for turn in batch.turns
            if turn.number in batch.wanted and turn.number not in self.forgets
        }
        return base.Reply(tuple(observations), summaries, base.Usage(100, 10, 0.001))

    def close(self) -> None:
        """Nothing runs."""


class Recorder:
    """Everything between a transcript and the memory, driven step by step."""

    def __init__(self, settings: Settings, database: Database, agent: base.Agent | None = None) -> None:
        self.settings = settings
        self.database = database
        self.now = BEGIN + 10_000
        self.events: list[Event] = []
        self.transcript = settings.projects / "-home-dev-api" / f"{SESSION}.jsonl"
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        parts: dict[str, Any] = {"listener": self.events.append, "clock": lambda: self.now}
        self.ingest = Ingest(database, settings.capture, **parts)
        self.agent = agent or ExtractiveAgent()
        self.digest = Digest(database, self.agent, settings, **parts)
        self.life = Lifecycle(database, self.ingest, self.digest, settings.watch, pace=lambda: self.now / 1000, **parts)

    def write(self, *lines: bytes, path: Path | None = None) -> None:
        """Append lines to the transcript."""
        target = path or self.transcript
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as file:
            file.write(b"".join(lines))

    def flag(self, kind: FlagKind, at: int, **event: Any) -> None:
        """Raise a flag as a hook does."""
        whole = {"session_id": SESSION, "transcript_path": str(self.transcript), **event}
        with self.database.write() as connection:
            sessions.raise_flag(connection, SESSION, kind, json.dumps(whole), BEGIN + at)

    def asking(self, *, retry_pause: float, wake: Callable[[], None], pace: Pace) -> Asking:
        """Return what asks the agent from threads of its own; nobody else commits anything meanwhile."""
        return Asking(
            self.digest,
            self.agent,
            retry_pause=retry_pause,
            wake=wake,
            listener=self.events.append,
            commits=lambda: 0,
            pace=pace,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a plain SQLite client sees."""
        connection = sqlite3.connect(self.settings.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def context(self) -> str:
        """Return what the next session would read."""
        with self.database.read() as connection:
            return lookup.context(driver(connection), PROJECT)
