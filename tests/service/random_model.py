"""Owns what the random test expects: what stood whole in a file when it was read, and what must come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.service.ingest import kept_of_broken, source_of

if TYPE_CHECKING:
    from tests.service.random_world import World


@dataclass
class Transcript:
    """One file as its writer knows it."""

    path: Path
    content: bytes = b""  # what is on disk
    torn: bytes = b""  # the rest of a line that was half written
    held: bytes = b""  # a line that Claude Code has not yet flushed
    open_uses: list[str] = field(default_factory=list)
    last_words: str = ""

    @property
    def is_side(self) -> bool:
        return self.path.name.startswith("agent-")

    def whole_lines(self) -> Iterator[tuple[int, bytes]]:
        """Return the whole lines on disk, and where each begins."""
        at = 0
        for line in self.content.split(b"\n")[:-1]:
            yield at, line
            at += len(line) + 1


class Model:
    """What the memory must hold: what stood whole in a file when it was read."""

    def __init__(self) -> None:
        self.meaning: dict[bytes, str] = {}  # what a line holds: the id of a tool use or a prompt; empty: nothing
        self.owner: dict[str, str] = {}  # of each id: the session in whose file it was read first
        self.broken: set[tuple[str, int, bytes]] = set()

    def says(self, line: bytes) -> str | None:
        """Return the id that a line holds, empty where none, None where it is broken."""
        line = line.lstrip(b"\0") or line
        return "" if not line else self.meaning.get(line)

    def read(self, transcript: Transcript) -> None:
        """Note that a file was read to its end."""
        session = source_of(transcript.path).session_id
        for at, line in transcript.whole_lines():
            said = self.says(line)
            if said is None:
                self.broken.add((str(transcript.path), at, kept_of_broken(line)))
            elif said:
                self.owner.setdefault(said, session)

    def learn(self, transcripts: list[Transcript], owner: dict[str, str], broken: set[tuple[str, int, bytes]]) -> None:
        """Take over what a watcher had committed when it died: nothing may be there that no file held."""
        could_be = Model()
        could_be.meaning = self.meaning
        for transcript in transcripts:
            one = Model()
            one.meaning = self.meaning
            one.read(transcript)
            could_be.broken |= one.broken
            for said, session in one.owner.items():
                if owner.get(said) == session:
                    could_be.owner[said] = session
        new = {said: session for said, session in owner.items() if said not in self.owner}
        assert new.items() <= could_be.owner.items()
        assert broken - self.broken <= could_be.broken
        self.owner |= new
        self.broken |= broken


def check(world: World) -> None:
    """See that the memory holds what the model does: each thing once, in the right session, rightly numbered."""
    assert world.owners() == world.model.owner
    assert world.broken() == world.model.broken
    numbers: dict[str, list[int]] = {}
    for session, number in world.rows("SELECT session_id, prompt_number FROM user_prompts ORDER BY id"):
        numbers.setdefault(session, []).append(number)
    assert all(given == list(range(1, len(given) + 1)) for given in numbers.values())
    counted = world.rows("SELECT session_id, prompt_count, tool_use_count FROM sdk_sessions")
    found = dict(world.rows("SELECT session_id, count(*) FROM tool_uses GROUP BY 1"))
    assert counted == [(session, len(numbers.get(session, [])), found.get(session, 0)) for session, _, _ in counted]
    beyond = "SELECT * FROM tool_uses JOIN sdk_sessions USING (session_id) WHERE prompt_number > prompt_count"
    assert world.rows(beyond) == []
    check_observations(world)
    check_flags(world)


def check_observations(world: World) -> None:
    """See that what the agent has observed is observed once, and nothing else is."""
    rests_on = [name for (names,) in world.rows("SELECT tool_use_ids FROM observations") for name in json.loads(names)]
    observed = world.rows("SELECT tool_use_id FROM tool_uses WHERE status = 'observed'")
    assert sorted(rests_on) == sorted(name for (name,) in observed)
    kept = world.rows(
        "SELECT count(*) FROM tool_uses WHERE status = 'observed' AND (input, output) IS NOT (NULL, NULL)"
    )
    assert kept == [(0,)]


def check_flags(world: World) -> None:
    """See that flags were lowered last: what they are about was read, ended and summarised by then."""
    query = "SELECT id, session_id, kind, raised_at_epoch, event FROM flags WHERE lowered_at_epoch IS NOT NULL"
    for number, session, kind, at, event in world.rows(query):
        if number in world.lowered:
            continue
        world.lowered.add(number)
        if world.has_gone_on:
            continue
        path = Path(json.loads(event)["transcript_path"])
        for transcript in world.transcripts():
            said = {world.model.says(line) for _, line in transcript.whole_lines() if transcript.path == path}
            assert said <= {"", None, *world.model.owner}
        if kind == "finalize":
            assert not _unfinished(world, session, at)
    world.has_gone_on = False


def _unfinished(world: World, session: str, at: int) -> list[tuple[object, ...]]:
    """Return the turn that was a session's last at some time, where it is not over, or not summarised.

    A prompt that was typed while it ran has it go on.
    """
    return world.rows(
        f"""
        WITH prompts AS (SELECT * FROM user_prompts WHERE session_id = '{session}')
        SELECT prompt_number, ended_at_epoch FROM prompts AS last
        WHERE prompt_number = (SELECT max(prompt_number) FROM prompts WHERE created_at_epoch <= {at})
        AND NOT EXISTS (SELECT 1 FROM prompts WHERE prompt_number = last.prompt_number + 1 AND continues_turn)
        AND (
            ended_at_epoch IS NULL
            OR NOT EXISTS (
                SELECT 1 FROM session_summaries WHERE session_id = '{session}' AND prompt_number >= last.prompt_number
            )
        )
        """
    )


def check_end(world: World) -> None:
    """See that nothing is left to do: every turn has its summary, every tool use was seen by the agent."""
    assert world.rows("SELECT session_id, status FROM sdk_sessions WHERE status = 'active'") == []
    assert world.rows("SELECT * FROM sdk_sessions WHERE end_reason IS NULL OR completed_at_epoch IS NULL") == []
    given_up = "SELECT status FROM tool_uses WHERE NOT (status = 'observed' OR status = 'failed' AND attempts >= 5)"
    assert world.rows(given_up) == []
    summaries: dict[str, list[int]] = {}
    for session, number in world.rows("SELECT session_id, prompt_number FROM session_summaries ORDER BY 1, 2"):
        summaries.setdefault(session, []).append(number)
    assert summaries == turns(world)
    provisional = "SELECT * FROM session_summaries WHERE source NOT IN ('agent', 'brief') AND attempts < 5"
    assert world.rows(provisional) == []
    for session, number in world.rows("SELECT session_id, prompt_number FROM session_summaries WHERE source = 'brief'"):
        before = max((one for one in summaries[session] if one < number), default=-1)
        query = f"SELECT * FROM tool_uses WHERE session_id = '{session}' AND status = 'observed'"
        assert world.rows(f"{query} AND prompt_number > {before} AND prompt_number <= {number}") == []
    assert world.rows("PRAGMA integrity_check") == [("ok",)]
    assert world.rows("PRAGMA foreign_key_check") == []


def turns(world: World) -> dict[str, list[int]]:
    """Return under which numbers each session's turns must be summarised: that of the last prompt of each."""
    found = {session: [0] for (session,) in world.rows("SELECT DISTINCT session_id FROM tool_uses")}
    prompts: dict[str, list[int]] = {}
    rows = world.rows("SELECT session_id, prompt_number, continues_turn FROM user_prompts ORDER BY 1, 2")
    for session, number, continues in rows:
        numbers = prompts.setdefault(session, [])
        numbers[-1 if continues and numbers else len(numbers) :] = [number]
    return found | prompts
