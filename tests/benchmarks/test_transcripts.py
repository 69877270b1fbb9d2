"""What the benchmarks read is like what Claude Code writes: in its shape, its proportions, and to the last count."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import transcripts
from benchmarks.transcripts import MEGABYTE, Session, Written
from tests.rows import rows
from watcher.memory.database import Database
from watcher.service.ingest import Ingest
from watcher.settings import CaptureSettings
from watcher.transcript import entries

BEGUN = 1_780_000_000_000
FIXTURES = Path(__file__).parents[2] / "fixtures"
NOT_RECORDED = {"ai-title", "attachment hook_success", "assistant thinking"}


def session(number: int = 1, seed: int = 7) -> Session:
    return Session(transcripts.session_id(number), "/home/dev/api", seed=seed, begun=BEGUN)


@pytest.fixture(scope="module")
def transcript(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Written]:
    """Twelve megabytes of one session."""
    path = tmp_path_factory.mktemp("transcript") / "session.jsonl"
    written = transcripts.write(path, session(), 12 * MEGABYTE)
    return path.read_bytes(), written


def test_the_same_seed_writes_the_same_bytes() -> None:
    first, again, other = (b"".join([*one.opening(), *one.turn(9)]) for one in (session(), session(), session(seed=8)))
    assert first == again
    assert first != other


def test_sessions_share_no_id() -> None:
    def ids(one: Session) -> set[str]:
        found = [entry for line in one.turn(50) for entry in entries.understand(line[:-1]).entries]
        uses = {entry.tool_use_id for entry in found if isinstance(entry, entries.ToolUse)}
        return uses | {entry.uuid for entry in found if isinstance(entry, entries.Prompt)}

    first, second = ids(session(1)), ids(session(2))
    assert len(first) == len(second) == 51
    assert not first & second


def test_the_proportions_are_those_of_real_ones(transcript: tuple[bytes, Written]) -> None:
    data, written = transcript
    lines = data.splitlines(keepends=True)
    assert (written.size, written.lines) == (len(data), len(lines))
    useless = sum(len(line) for line in lines if not entries.understand(line[:-1]).entries)
    assert written.useless == useless
    assert 0.55 <= useless / len(data) <= 0.65
    assert 3000 <= len(data) / len(lines) <= 4000
    assert 40_000 <= len(data) / written.tool_uses <= 56_000


def test_outputs_are_small_and_some_are_as_long_as_may_be(transcript: tuple[bytes, Written]) -> None:
    data, written = transcript
    texts = [len(entry.text) for entry in understood(data) if isinstance(entry, entries.ToolResult)]
    assert 1000 <= statistics.median(texts) <= 4000
    assert max(texts) == transcripts.LONGEST_OUTPUT
    assert 0.02 <= sum(length > 25_000 for length in texts) / len(texts) <= 0.15
    assert 4000 <= written.payload / written.tool_uses <= 8000


def test_every_line_is_understood_and_counted(transcript: tuple[bytes, Written]) -> None:
    data, written = transcript
    found = list(understood(data))
    uses = {entry.tool_use_id: entry for entry in found if isinstance(entry, entries.ToolUse)}
    results = [entry for entry in found if isinstance(entry, entries.ToolResult)]
    assert len(uses) == len(results) == written.tool_uses
    assert {entry.tool_use_id for entry in results} == set(uses)
    assert {entry.name for entry in uses.values()} == set(transcripts.TOOLS)
    assert 0.02 <= sum(entry.is_error for entry in results) / len(results) <= 0.12
    assert sum(isinstance(entry, entries.Prompt) for entry in found) == written.turns
    assert sum(isinstance(entry, entries.Title) for entry in found) == 1
    inputs = sum(
        len(json.dumps(use.input, separators=(",", ":"), ensure_ascii=False).encode()) for use in uses.values()
    )
    assert written.payload == inputs + sum(len(entry.text.encode()) for entry in results)


def test_its_lines_have_the_keys_of_recorded_ones(transcript: tuple[bytes, Written]) -> None:
    data, _ = transcript
    recorded: dict[str, list[list[str]]] = {}
    for path in FIXTURES.glob("*/*.jsonl"):
        for line in path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # one of them is torn
            if path.name != "hooks.jsonl":
                recorded.setdefault(kind(entry), []).append(list(entry))
    written = {kind(entry := json.loads(line)): list(entry) for line in data.splitlines()}
    assert set(written) - set(recorded) == NOT_RECORDED
    for name in set(written) - NOT_RECORDED:
        is_like_one = any(is_in_order(written[name], keys) for keys in recorded[name])
        assert is_like_one, f"{name}: {written[name]}"


def test_a_megabyte_now_and_then() -> None:
    one = Session("s", "/home/dev/api", seed=7, begun=BEGUN, long_every=10)
    lines = [*one.opening(), *one.turn(40)]
    results = [entry for entry in understood(b"".join(lines)) if isinstance(entry, entries.ToolResult)]
    assert [len(result.text) >= MEGABYTE for result in results].count(True) in (3, 4)  # an error is short
    assert 0.55 <= one.written.useless / one.written.size <= 0.65


def test_a_turn_that_goes_on_has_no_end() -> None:
    one = session()
    assert not [
        entry for entry in understood(b"".join(one.turn(2, is_over=False))) if isinstance(entry, entries.TurnEnd)
    ]
    ends = [entry for entry in understood(b"".join(one.turn_end())) if isinstance(entry, entries.TurnEnd)]
    assert len(ends) == 2


def test_it_is_taken_in_to_the_last_tool_use(database: Database, tmp_path: Path) -> None:
    one = session()
    path = tmp_path / f"{one.session_id}.jsonl"
    path.write_bytes(b"".join([*one.opening(), *one.turn(30, prompt="Do it."), *one.turn(0)]))
    taken = Ingest(database, CaptureSettings()).take_in(path)
    assert (taken.prompts, taken.tool_uses) == (2, 30)
    assert rows(database.path, "SELECT count(*) FROM tool_uses WHERE status IN ('pending', 'skipped')") == [(30,)]
    assert rows(database.path, "SELECT closing_text FROM user_prompts")[-1] == (one.closing,)
    assert rows(database.path, "SELECT prompt_text FROM user_prompts")[0] == ("Do it.",)
    assert rows(database.path, "SELECT count(*) FROM broken_lines") == [(0,)]


def understood(data: bytes) -> Iterator[entries.Entry]:
    for line in data.split(b"\n")[:-1]:
        yield from entries.understand(line).entries


def kind(entry: dict[str, Any]) -> str:
    """Return what distinguishes a line: its type, and that of what it holds."""
    match entry["type"]:
        case "attachment":
            return f"attachment {entry['attachment']['type']}"
        case "system":
            return f"system {entry['subtype']}"
        case "user" | "assistant" if isinstance(entry["message"]["content"], list):
            return f"{entry['type']} {entry['message']['content'][0]['type']}"
    return str(entry["type"])


def is_in_order(some: list[str], keys: list[str]) -> bool:
    """Say whether some keys stand among others in the same order."""
    rest = iter(keys)
    return all(key in rest for key in some)
