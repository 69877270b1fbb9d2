"""Owns a project's memory made by hand, turn by turn, on days that can be read."""

from __future__ import annotations

from typing import Any

from watcher.memory import outcomes, recalled, recollection
from watcher.memory.database import Database, driver, insert
from watcher.memory.models import SdkSession, UserPrompt
from watcher.memory.outcomes import ObservationFields, SummaryFields
from watcher.memory.turns import Turn
from watcher.recall import context
from watcher.settings import ContextSettings

PROJECT = "/home/dev/api"
HOUR, DAY = 3_600_000, 86_400_000  # milliseconds
BEGUN = 1_780_041_600_000  # 2026-05-29 08:00 UTC


class Memory:
    """One project's memory."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def turn(
        self, session: str, number: int, at: int, *, source: str = "agent", origin: str = "", **fields: str
    ) -> None:
        """Store one turn's summary; a session begins with its first one."""
        summary = SummaryFields(**dict.fromkeys(SummaryFields.__dataclass_fields__, "") | fields)
        turn = Turn(session, PROJECT, number, number, (), "", 0, True, at, 0, 0, None, 0, 0)
        with self.database.write() as connection:
            self._begin(connection, session, at)
            if source == "agent":
                outcomes.put_agent_summary(connection, turn, summary, agent="claude", origin=origin, now=at)
            else:
                brief = source == "brief"
                outcomes.put_provisional(
                    connection, turn, summary, is_brief=brief, agent="extractive", origin=origin, now=at
                )

    def observe(self, session: str, at: int, title: str, **values: Any) -> None:
        """Store one observation."""
        fields: dict[str, Any] = {"type": "change", "prompt_number": 1, "subtitle": "", "narrative": ""}
        fields |= dict.fromkeys(("facts", "concepts", "files_read", "files_modified", "tool_use_ids"), ())
        with self.database.write() as connection:
            self._begin(connection, session, at)
            observation = ObservationFields(**fields | values, title=title, at=at)
            outcomes.put_observations(connection, session, PROJECT, [observation], agent="claude")

    def open(self, session: str, at: int, prompt: str = "", *, status: str = "active", project: str = PROJECT) -> None:
        """Store a session that was heard of at some time, and its last prompt."""
        with self.database.write() as connection:
            self._begin(connection, session, at, status=status, project=project)
            if prompt:
                of = {"session_id": session, "prompt_number": 1, "created_at": "", "created_at_epoch": at}
                values = {**of, "uuid": session, "prompt_text": prompt, "continues_turn": False}
                connection.execute(insert(UserPrompt).values(values))

    @staticmethod
    def _begin(connection: Any, session: str, at: int, *, status: str = "completed", project: str = PROJECT) -> None:
        times = {"started_at": "", "started_at_epoch": at, "last_activity_at_epoch": at}
        values = {"session_id": session, "project": project, "status": status, **times}
        connection.execute(insert(SdkSession).values(values).on_conflict_do_nothing())

    def rendered(self, **settings: Any) -> str:
        """Return the project's context as it is stored."""
        with self.database.read() as connection:
            return context.render(driver(connection), PROJECT, ContextSettings(**settings))

    def composed(self, **settings: Any) -> context.Context:
        """Return it part by part."""
        with self.database.read() as connection:
            return context.compose(driver(connection), PROJECT, ContextSettings(**settings))

    def read_at_start(self, now: int, **settings: Any) -> str:
        """Store it, and return what a session that starts then reads."""
        with self.database.write() as connection:
            text = context.render(driver(connection), PROJECT, ContextSettings(**settings))
            recollection.put_context(connection, PROJECT, text, now=now)
            return recalled.with_beside(driver(connection), PROJECT, now=now)
