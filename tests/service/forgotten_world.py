"""Owns a memory of which something is to be forgotten, and the ways on which that may come back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tests.service.recorder import PROJECT, Recorder
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher import settings as settings_room
from watcher.agent import base
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import beside
from watcher.memory.browse import ref
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.memory.selection import Wanted
from watcher.service import forgetting, history, rebuild
from watcher.service.digest import Digest
from watcher.service.housekeeping import Housekeeping
from watcher.service.importing import Import
from watcher.service.lifecycle import Lifecycle

NOW = lines.BEGIN + 86_400_000
FORK = "22222222-2222-4222-8222-222222222222"
SECRET = "Quetzalcoatl"  # in all of the second turn
EDITED = "Xochipilli"  # in what was edited there alone


def told(at: int, number: int, word: str, edited: str = "") -> bytes:
    """Return a turn that says a word wherever it can, and another where it edits."""
    edited = edited or word
    return b"".join(
        [
            lines.prompt(at, f"Do number {number} with {word}"),
            lines.tool_use(at + 10, f"tool-{number}", "Edit", file_path=f"{PROJECT}/{edited}.py", new_string=edited),
            lines.tool_result(at + 20, f"tool-{number}", f"edited {edited}"),
            lines.words(at + 30, f"Did number {number} with {word}."),
            lines.turn_end(at + 40),
        ]
    )


TURNS = (told(0, 1, "marmalade"), told(10_000, 2, SECRET, EDITED), told(20_000, 3, "gooseberry"))
TITLE = json.dumps({"type": "ai-title", "aiTitle": f"About {SECRET}", "sessionId": SESSION}).encode() + b"\n"


def holds(home: Path, word: str) -> list[str]:
    """Return the files below the home in which a word stands."""
    needle = word.lower().encode()[3:]  # as the search index leaves out what a word has in common with the one before
    return sorted(path.name for path in home.rglob("*") if path.is_file() and needle in path.read_bytes().lower())


def words(database: Path) -> set[str]:
    """Return the words that the search index knows, however it spells them on the disk."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search_index, row)")
        return {word for (word,) in connection.execute("SELECT term FROM words")}


class World:
    """A session of three turns, of which the second is to be forgotten."""

    def __init__(self, recorder: Recorder, *turns: bytes, is_taken_in: bool = True) -> None:
        self.recorder = recorder
        self.settings, self.database = recorder.settings, recorder.database
        recorder.write(*(turns or (*TURNS, TITLE)))
        if is_taken_in:
            self.take_in()

    def take_in(self, path: Path | None = None, *, anew: bool = False) -> None:
        """Take in what is new, and have all of it digested."""
        self.recorder.now = NOW
        path = path or self.recorder.transcript
        self.recorder.life.take_in(path, anew=anew)
        self.recorder.life.finalize(path.stem)
        while self.recorder.digest.ask_agent(path.stem).name == "DONE":
            pass

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def forget(self, *ids: str, **wanted: Any) -> forgetting.Done:
        """Forget something, a day later."""
        meant = Wanted(tuple(found for one in ids if (found := ref(one))), **wanted)
        return forgetting.forget(self.settings, self.database, meant, clock=lambda: NOW)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a plain SQLite client sees."""
        return self.recorder.rows(sql)

    def prompts(self) -> list[str]:
        """Return the last word of each prompt that is kept."""
        rows = self.rows("SELECT prompt_text FROM user_prompts ORDER BY session_id, prompt_number")
        return [text.split()[-1] for (text,) in rows]

    def dump(self) -> dict[str, Any]:
        """Return all that is kept of what was done."""
        return {
            table: self.rows(f"SELECT * FROM {table}")
            for table in ("sdk_sessions", "user_prompts", "tool_uses", "observations", "session_summaries", "contexts")
        }

    def leaks(self, word: str) -> list[str]:
        """Return where a word stands in the home: names of files, and the search index."""
        index = ["search index"] if word.lower() in words(self.settings.database) else []
        return holds(self.settings.home, word) + index


def made(folder: Path, *, is_taken_in: bool = True) -> World:
    """Return a world in a folder of its own; to be closed."""
    variables = {"CLAUDE_MEM_AGENT": "extractive", "CLAUDE_MEM_AGENT_QUIET": "0"}
    places = {"CLAUDE_MEM_HOME": str(folder / "memory"), "CLAUDE_CONFIG_DIR": str(folder / "claude")}
    settings = settings_room.load({**places, **variables})
    return World(Recorder(settings, Database.create(settings.database)), is_taken_in=is_taken_in)


def _read_anew(world: World) -> None:
    world.take_in(anew=True)


def _replaced(world: World) -> None:
    path = world.recorder.transcript
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    copy.replace(path)
    world.take_in()


def _truncated(world: World) -> None:
    path = world.recorder.transcript
    whole = path.read_bytes()
    path.write_bytes(whole[: len(TURNS[0]) // 2])
    world.take_in()
    path.write_bytes(whole)
    world.take_in()


def _checkpoints_lost(world: World) -> None:
    with world.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM checkpoints")
    world.take_in()


def _imported(world: World) -> None:
    """Import a copy that lies elsewhere, as another machine's."""
    folder = world.settings.home.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    copy = Path(shutil.copy(world.recorder.transcript, folder))
    found = history.find([copy], world.settings.projects, {})
    Import(world.settings, world.database, ExtractiveAgent(), clock=lambda: NOW).run(found.sessions)


def _forked(world: World) -> None:
    path = world.recorder.transcript.with_name(f"{FORK}.jsonl")
    written = world.recorder.transcript.read_bytes().replace(SESSION.encode(), FORK.encode())
    # In two steps, the second of which begins in the middle of what is forgotten.
    middle = written.index(b"\n", len(TURNS[0]) + len(TURNS[1]) // 2) + 1
    for part in (written[:middle], written[middle:]):
        with path.open("ab") as file:
            file.write(part)
        world.take_in(path)


def _resumed(world: World) -> None:
    """What the fork of a fork, or a later line of the turn itself, tells again at a later time."""
    later = told(10_000, 2, SECRET, EDITED)
    world.recorder.write(later, TITLE)
    world.take_in()


def _rebuilt(world: World, *, is_lost: bool) -> None:
    """Rebuild the memory: of what is left in a damaged database, or of the transcripts and what stands beside alone."""
    world.database.close()
    file = beside.path_of(world.settings.database)
    away = world.settings.home.parent / file.name
    is_away = file.exists() and not is_lost
    if is_away:
        file.rename(away)
    if is_lost:
        size = world.settings.database.stat().st_size
        world.settings.database.write_bytes(b"\x00" * size)
    folder = rebuild.put_aside(world.settings, "damaged", listener=lambda _event: None, clock=lambda: NOW)
    rebuild.create(world.settings)
    world.database = Database(world.settings.database)
    world.recorder = Recorder(world.settings, world.database)
    rebuild.Rebuild(world.settings, world.database, clock=lambda: NOW).run()
    if is_away:
        away.rename(file)
    shutil.rmtree(folder)  # which is the user's to delete, and named


def _flag_raised(world: World) -> None:
    """A Stop hook tells the last words of the turn once more."""
    world.recorder.flag(FlagKind.FINALIZE, 10_045, last_assistant_message=f"Did number 2 with {SECRET}.")
    world.recorder.now = NOW
    world.recorder.life.handle_flags()
    Housekeeping(world.database, world.settings, clock=lambda: NOW + 3_600_000).step(is_idle=True)


WAYS: dict[str, Callable[[World], None]] = {
    "left alone": lambda _world: None,
    "read anew": _read_anew,
    "transcript replaced": _replaced,
    "transcript cut off and grown again": _truncated,
    "checkpoints lost": _checkpoints_lost,
    "imported": _imported,
    "copied by a fork": _forked,
    "told again behind": _resumed,
    "memory rebuilt, database saved": lambda world: _rebuilt(world, is_lost=False),
    "memory rebuilt, database lost": lambda world: _rebuilt(world, is_lost=True),
    "flag raised late": _flag_raised,
}


class What(NamedTuple):
    """Something to forget."""

    ids: tuple[str, ...]
    wanted: dict[str, Any]
    word: str  # that is gone then
    left: tuple[str, ...]  # the last words of the prompts that stay


WHATS = {
    "a prompt": What(("P2",), {}, SECRET, ("marmalade", "gooseberry")),
    "a summary": What(("S2",), {}, SECRET, ("marmalade", "gooseberry")),
    "an observation": What(("#2",), {}, EDITED, ("marmalade", SECRET, "gooseberry")),
    "a text": What((), {"text": SECRET.upper()}, SECRET, ("marmalade", "gooseberry")),
    "a span of time": What(
        (), {"since": lines.BEGIN + 9_000, "until": lines.BEGIN + 10_005}, SECRET, ("marmalade", "gooseberry")
    ),
    "a session": What((), {"session": SESSION}, SECRET, ()),
    "a project": What((), {"project": PROJECT}, SECRET, ()),
    "all up to a time": What((), {"until": NOW}, "marmalade", ()),
}


class Late(ExtractiveAgent):
    """An agent that has something forgotten while it thinks, and then tells of it."""

    name = "late"

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] | None = meanwhile
        self.fault: base.AgentError | None = None  # that it has then

    def digest(self, batch: base.Batch) -> base.Reply:
        """Answer."""
        reply = super().digest(batch)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
            if self.fault is not None:
                raise self.fault
        return reply


def thinking(folder: Path, *ids: str, **wanted: Any) -> World:
    """Return a world of which something is forgotten while the agent thinks about it, and then tells of it."""
    world = made(folder, is_taken_in=False)
    recorder = world.recorder
    recorder.agent = Late(lambda: world.forget(*ids, **wanted) and None)
    recorder.digest = Digest(world.database, recorder.agent, world.settings, clock=lambda: recorder.now)
    recorder.life = Lifecycle(
        world.database, recorder.ingest, recorder.digest, world.settings.watch, clock=lambda: recorder.now
    )
    return world
