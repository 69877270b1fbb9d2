"""What hooks are told: texts planted in every field of an event, and looked for in every byte that a hook leaves.

A text that is read is searched in the database and its log, the flags set aside, and the logs. Each hook runs where
all is well, without a memory, with a locked one, and with one whose tables are missing.
"""

from __future__ import annotations

import json
import random
import sqlite3
import string
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.attacks.doors import World
from tests.attacks.outcome import Outcome
from watcher.memory.database import Database

SCRIPTS = ("session_start.py", "user_prompt_submit.py", "stop.py", "session_end.py")
FIELDS = (
    "prompt",
    "last_assistant_message",
    "reason",
    "source",
    "tool_input",
    "stop_hook_active",
    "a_field_of_a_later_version",
)
SHAPES = ("plain", "nested", "quoted", "huge", "key", "broken")


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Try all of them in an empty folder."""
    for state in ("well", "without", "locked", "emptied"):
        through = []
        tried = 0
        for shape in SHAPES if state != "locked" else SHAPES[:1]:  # which each hook waits for a while
            world = World(folder / f"{state}-{shape}")
            world.user.mkdir()
            world.variables["CLAUDE_MEM_CONTEXT_AT_PROMPT"] = "3"  # the prompt is looked for, too
            planted: dict[str, str] = {}
            for script in SCRIPTS:
                texts = {field: _text(f"{state} {shape} {script} {field}") for field in FIELDS}
                planted |= {text: f"{shape} {field} of {script}" for field, text in texts.items()}
                _run(world, state, script, _event(shape, texts))
            left = b"".join(path.read_bytes() for path in world.home.rglob("*") if path.is_file())
            assert left, "no hook has left anything"
            through += [name for text, name in planted.items() if text.encode() in left]
            tried += len(planted)
        yield Outcome(f"a text in a hook's event is kept, memory {state}", tried, tuple(through))


def _run(world: World, state: str, script: str, event: bytes) -> None:
    database = world.data / "claude-mem.db"
    if state != "without" and not database.exists():
        Database.create(database).close()
        if state == "emptied":
            with closing(sqlite3.connect(database)) as connection:
                connection.executescript("DROP TABLE flags; DROP TABLE sdk_sessions; DROP TABLE deliveries")
    if state != "locked":
        world.run_hook(script, event)
        return
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        world.run_hook(script, event)


def _event(shape: str, texts: dict[str, str]) -> bytes:
    fields: dict[str, object] = {"session_id": "s-1", "cwd": "/p", "transcript_path": "/t/s-1.jsonl"}
    match shape:
        case "nested":
            fields |= {name: {"content": [{"text": text}]} for name, text in texts.items()}
        case "quoted":  # as would end a string of SQL, of JSON, or of a search
            fields |= {name: f'"\' OR {text}) MATCH "{text}:* \0' for name, text in texts.items()}
        case "huge":
            fields |= {name: f"{text} " * 5000 for name, text in texts.items()}
        case "key":
            fields |= {text: name for name, text in texts.items()}
        case _:
            fields |= texts
    event = json.dumps(fields)
    return (event[:-1] if shape == "broken" else event).encode()


def _text(seed: str) -> str:
    """Return a word that stands nowhere else."""
    return "zq" + "".join(random.Random(seed).choices(string.ascii_lowercase, k=16))
