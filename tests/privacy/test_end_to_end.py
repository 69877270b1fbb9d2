"""A session full of secrets, played through the whole of the watcher with a model: none is kept, told or sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.attacks import corpus
from tests.attacks.corpus import Planted
from tests.attacks.secrets import reason
from tests.claude_cli import clean_environment, seed_home
from tests.messages_api import Kind, MessagesAPI, Reply, Request
from tests.rows import rows
from watcher.memory import sessions
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service import aside
from watcher.service.ingest import Ingest
from watcher.settings import Settings

SESSION = "5ec12e75-0000-4000-8000-000000000001"
TELLING = 12  # characters of a secret that are nowhere by chance


@cache
def planted() -> list[Planted]:
    """Some of each kind, but what is known to get through."""
    found: dict[str, list[Planted]] = {}
    for one in corpus.plant("end to end"):
        if not reason(one):
            found.setdefault(one.kind, []).append(one)
    return [one for kind in found.values() for one in Random(kind[0].kind).sample(kind, 2)]


def pieces(one: Planted) -> set[bytes]:
    """Return what of a secret would tell it: its beginning, middle and end."""
    found = set()
    for secret in map(corpus.own_part, one.secrets):
        for at in (0, len(secret) // 2, len(secret) - TELLING):
            found.add(secret[max(0, at) :][:TELLING].encode())
    return {piece for piece in found if len(piece) >= 8}


def transcript(secrets: list[Planted]) -> Iterator[dict[str, Any]]:
    """Yield a session: each text is, in turn, a prompt, a tool's input, nested in one, its output, or closing words."""
    number = 0

    def line(kind: str, message: dict[str, Any], **more: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        at = f"2026-11-23T08:{number // 60 % 60:02}:{number % 60:02}.000Z"
        common = {"uuid": f"{number:08}-0000-4000-8000-000000000000", "timestamp": at, "cwd": "/home/dev/app"}
        return {"type": kind, "message": message, "sessionId": SESSION, **common, **more}

    def used(tool: str, given: dict[str, Any]) -> dict[str, Any]:
        block = {"type": "tool_use", "id": f"toolu_{number:04}", "name": tool, "input": given}
        return line("assistant", {"role": "assistant", "content": [block]})

    def came(output: str) -> dict[str, Any]:
        block = {"type": "tool_result", "tool_use_id": f"toolu_{number - 1:04}", "content": output}
        return line("user", {"role": "user", "content": [block]})

    def said(text: str) -> dict[str, Any]:
        return line("assistant", {"role": "assistant", "content": [{"type": "text", "text": text}]})

    yield {"type": "custom-title", "customTitle": secrets[0].text, "sessionId": SESSION}
    for at, one in enumerate(secrets):
        if at % 40 == 0:
            yield line(
                "user", {"role": "user", "content": f"Please do it. {secrets[at].text}"}, origin={"kind": "human"}
            )
        tool, given, output = _use(at, one.text)
        yield used(tool, given)
        yield came(output)
        if at % 40 == 39:
            yield said(one.text)
            yield line("system", {}, subtype="turn_duration")
    yield said(secrets[-1].text)


def _use(at: int, text: str) -> tuple[str, dict[str, Any], str]:
    """Return a tool use, its input and its output, of which one holds the text: whole, nested or where it is cut."""
    long = "word " * 20_000
    uses: list[tuple[str, dict[str, Any], str]] = [
        ("Bash", {"command": text, "description": "Run it"}, "done"),
        ("MultiEdit", {"file_path": "/a", "edits": [{"old_string": "x", "new_string": text}]}, "done"),
        ("Read", {"file_path": "/home/dev/app/.env"}, text),
        ("Bash", {"command": "make"}, f"{long}{text}\n" + "word " * 300),
        ("Write", {"file_path": f"/srv/{at}", "content": "word " * 470 + text}, "x" * 2390 + f" {text} {long}"),
    ]
    return uses[at % 5]


def write(folder: Path, secrets: list[Planted]) -> Path:
    """Write the session, a broken line in it and the hooks' events beside it."""
    path = folder / f"{SESSION}.jsonl"
    lines = [json.dumps(one) for one in transcript(secrets)]
    lines.insert(5, '{"type":"user","message":' + json.dumps(secrets[1].text))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    event = {"hook_event_name": "Stop", "session_id": SESSION, "last_assistant_message": secrets[2].text}
    (folder / "hooks.jsonl").write_text(json.dumps({"at_epoch": 1_795_422_688_310, "event": event}) + "\n")
    return path


def left_over(folder: Path, secrets: list[Planted]) -> list[str]:
    """Return the secrets of which something stands in a file below a folder."""
    files = [(path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        f"{one.kind}, {one.place} in {path.name}"
        for one in secrets
        for piece in pieces(one)
        for path, data in files
        if piece in data
    ]


@pytest.mark.cli
def test_no_planted_secret_is_in_a_file_or_a_request(tmp_path: Path) -> None:
    secrets = planted()
    recording, home = tmp_path / "recording", tmp_path / "home"
    recording.mkdir()
    seed_home(home)
    path = write(recording, secrets)
    answers = iter(secrets)

    def answer(_request: Request) -> Reply:
        one = next(answers)
        text = one.text.replace("&", "&amp;").replace("<", "&lt;")
        fields = f"<title>Set up {one.kind}</title><narrative>{text}</narrative><facts><fact>{text}</fact></facts>"
        observation = f"<observation><type>feature</type>{fields}<tool_uses>1</tool_uses></observation>"
        return Reply(f"{observation}<summary><request>{text}</request><completed>{text}</completed></summary>")

    with MessagesAPI(agent=answer) as api:
        environment = clean_environment(home, api.url, CLAUDE_MEM_AGENT_QUIET="0")
        command = [sys.executable, "-m", "watcher", "replay", str(path), "--agent", "claude"]
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=200, check=False, cwd=Path.cwd()
        )
        requests = json.dumps(api.requests_of(Kind.AGENT), ensure_ascii=False)
    database = home / ".claude-mem" / "data" / "claude-mem.db"

    assert rows(database, "SELECT count(*) FROM tool_uses") == [(len(secrets),)], finished.stderr
    assert rows(database, "SELECT count(*) FROM observations WHERE agent = 'claude'")[0][0] > 0, finished.stderr
    assert rows(database, "SELECT count(*) FROM broken_lines")[0][0] == 1
    assert "[redacted: " in requests
    assert left_over(home, secrets) == []
    assert [one.kind for one in secrets for piece in pieces(one) if piece.decode() in requests] == []
    said = finished.stdout + finished.stderr
    assert [one.kind for one in secrets for piece in pieces(one) if piece.decode() in said] == []


def test_without_redaction_the_very_test_would_find_them(tmp_path: Path) -> None:
    secrets = planted()
    write(tmp_path, secrets)

    assert len({found.split(",")[0] for found in left_over(tmp_path, secrets)}) > 100


def test_a_flag_that_was_set_aside_is_raised_without_secrets(settings: Settings, database: Database) -> None:
    secrets = planted()
    settings.flags_aside.mkdir(parents=True)
    for number, one in enumerate(secrets):
        event = json.dumps({"session_id": SESSION, "last_assistant_message": one.text})
        flag = {"kind": "finalize", "session_id": SESSION, "project": "/a", "event": event, "raised_at": number}
        (settings.flags_aside / f"{number}.json").write_text(json.dumps(flag))

    assert aside.raise_flags(database, settings.flags_aside, lambda _event: None) == len(secrets)

    with database.read() as connection:
        raised = sessions.raised_flags(connection)
    assert {flag.kind for flag in raised} == {FlagKind.FINALIZE}
    database.close()
    assert left_over(settings.home, secrets) == []


def test_a_line_that_is_no_entry_is_kept_without_secrets(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    secrets = [one for one in planted() if "\n" not in one.text]
    path = tmp_path / f"{SESSION}.jsonl"
    path.write_bytes(b"".join(b'{"type": \xff ' + one.text.encode() + b"\n" for one in secrets))

    Ingest(database, settings.capture).take_in(path)

    assert rows(settings.database, "SELECT count(*) FROM broken_lines") == [(len(secrets),)]
    database.close()
    assert left_over(settings.home, secrets) == []
