"""The fixtures hold what they are named for, and nothing of the machine that recorded them."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.cases import CASES
from fixtures.scrub import FILLER_LIMIT, KEPT_ATTACHMENTS, Scrubber
from tests.claude_cli import API_KEY

Entry = dict[str, Any]

FIXTURES = Path(__file__).parent.parent / "fixtures"
SIZE_LIMIT = 2 << 20  # bytes, of all recordings
CASE_SIZE_LIMIT = 400 << 10  # bytes
SCRUBBED_LINE_LIMIT = FILLER_LIMIT + 1500  # bytes; what is left around the filler stays small
HIDDEN = {
    "temporary path": r"/tmp/|recording-[a-z0-9_]{8}",
    "home of the recorder": r"/root\b|/home/(?!dev\b)|/Users/",
    "key": rf"sk-ant|{API_KEY}",
    "address": r"[\w.+-]+@(?!example\.)[\w-]+\.\w+",
    "host": r"https?://(?!127\.0\.0\.1)|\b[\w-]+\.(?:internal|local|lan|corp)\b",
    "machine": r"device_id|machineID|pidDomain|Linux \d|osVersion\":\"[^\"]",
    "signature": r"\"signature\"",
}


def recorded(case: str, pattern: str = "**/*") -> list[Path]:
    return sorted(path for path in (FIXTURES / case).glob(pattern) if path.is_file())


def transcripts(case: str) -> list[Path]:
    """The main transcripts of a case, the one begun first first."""
    found = [path for path in recorded(case, "*.jsonl") if path.name != "hooks.jsonl"]
    order = [event["session_id"] for event in events(case)]
    return sorted(found, key=lambda path: order.index(path.stem))


def entries(path: Path) -> list[Entry]:
    """A transcript's entries, its broken lines left out."""
    return [entry for entry, _ in parsed(path) if entry is not None]


def parsed(path: Path) -> Iterator[tuple[Entry | None, bytes]]:
    for line in path.read_bytes().removesuffix(b"\n").split(b"\n"):
        try:
            yield json.loads(line), line
        except ValueError:
            yield None, line


def events(case: str) -> list[dict[str, Any]]:
    lines = (FIXTURES / case / "hooks.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["event"] for line in lines]


def event_names(case: str) -> list[str]:
    """The events of a case, with what they say of themselves."""
    names = []
    for event in events(case):
        detail = event.get("source") or event.get("reason")
        names.append(event["hook_event_name"] + (f"({detail})" if detail else ""))
    return names


def blocks(path: Path, block_type: str) -> list[dict[str, Any]]:
    """The content blocks of one type in a transcript."""
    contents = [entry["message"]["content"] for entry in entries(path) if entry["type"] in ("user", "assistant")]
    found = itertools.chain.from_iterable(content for content in contents if isinstance(content, list))
    return [block for block in found if block["type"] == block_type]


def prompts(path: Path) -> list[str]:
    """What a person, or a script in a person's place, asked."""
    users = [entry for entry in entries(path) if entry["type"] == "user"]
    return [user["message"]["content"] for user in users if user.get("promptSource") in ("sdk", "typed")]


def attachments(path: Path) -> list[str]:
    return [entry["attachment"]["type"] for entry in entries(path) if entry["type"] == "attachment"]


def test_every_case_is_recorded() -> None:
    folders = {path.name for path in FIXTURES.iterdir() if (path / "hooks.jsonl").exists()}
    assert folders == set(CASES)


def test_every_case_is_in_the_readme() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", (FIXTURES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(CASES)


def test_the_recordings_are_small() -> None:
    sizes = {case: sum(path.stat().st_size for path in recorded(case)) for case in CASES}
    assert max(sizes.values()) < CASE_SIZE_LIMIT
    assert sum(sizes.values()) < SIZE_LIMIT


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_the_recording_machine_is_left(case: str) -> None:
    for path in recorded(case):
        text = path.read_text(encoding="utf-8")
        found = {what: match[0] for what, pattern in HIDDEN.items() if (match := re.search(pattern, text))}
        assert not found, path


@pytest.mark.parametrize("case", CASES)
def test_the_clients_own_text_is_filler(case: str) -> None:
    for path in recorded(case, "**/*.jsonl"):
        for entry, line in parsed(path):
            if entry is None or not is_the_clients_own(entry):
                continue
            assert len(line) < SCRUBBED_LINE_LIMIT, line[:200]
            assert b"You are " not in line
            assert not entry.get("rendered")


def is_the_clients_own(entry: Entry) -> bool:
    entry_type = entry.get("type", "")
    if entry_type == "attachment":
        return entry["attachment"]["type"] not in KEPT_ATTACHMENTS
    return bool(entry_type.startswith("api-request"))


@pytest.mark.parametrize("case", CASES)
def test_every_line_parses_but_the_torn_one(case: str) -> None:
    broken = [line for path in recorded(case, "**/*.jsonl") for entry, line in parsed(path) if entry is None]
    assert len(broken) == (case == "torn-then-resumed")


@pytest.mark.parametrize("case", CASES)
def test_every_session_has_its_events_and_its_transcript(case: str) -> None:
    sessions = {event["session_id"] for event in events(case)}
    assert sessions == {path.stem for path in transcripts(case)}
    assert event_names(case)[:2] == ["SessionStart(startup)", "UserPromptSubmit"]
    for event in events(case):
        assert Path(event["transcript_path"]).stem == event["session_id"]
        assert event["cwd"] == "/home/dev/tidytime"


def test_ordinary_is_three_turns_that_end_well() -> None:
    (path,) = transcripts("ordinary")
    turn = ["UserPromptSubmit", "Stop"]
    assert event_names("ordinary") == ["SessionStart(startup)", *turn * 3, "SessionEnd(prompt_input_exit)"]
    assert len(prompts(path)) == 3
    used = Counter(block["name"] for block in blocks(path, "tool_use"))
    assert used == {"Read": 3, "Edit": 3, "Bash": 5, "Write": 1}
    assert not any(block.get("is_error") for block in blocks(path, "tool_result"))
    texts = {block["text"] for block in blocks(path, "text")}
    last_messages = {
        event["last_assistant_message"] for event in events("ordinary") if "last_assistant_message" in event
    }
    assert last_messages < texts


def test_parallel_tools_complete_in_another_order() -> None:
    (path,) = transcripts("parallel-tools")
    asked = [block["id"] for block in blocks(path, "tool_use")]
    answered = [block["tool_use_id"] for block in blocks(path, "tool_result")]
    messages = {e["message"]["id"] for e in entries(path) if e["type"] == "assistant" and "toolInputStreamMs" in e}
    assert len(messages) == 1
    assert len(asked) == 4
    assert set(asked) == set(answered)
    assert asked[0] == answered[-1]


def test_errors_and_denials_has_both_and_an_api_error() -> None:
    (path,) = transcripts("errors-and-denials")
    errors = [entry for entry in entries(path) if isinstance(entry.get("toolUseResult"), str)]
    assert len(errors) == 5
    assert sum("toolDenialKind" in entry for entry in errors) == 2
    assert sum(bool(entry.get("isApiErrorMessage")) for entry in entries(path)) == 1
    assert event_names("errors-and-denials").count("Stop") == 1


def test_subagents_have_sidechains_linked_to_their_tool_use() -> None:
    (path,) = transcripts("subagents")
    asked = {block["id"] for block in blocks(path, "tool_use") if block["name"] == "Agent"}
    folder = path.with_suffix("") / "subagents"
    metas = [json.loads(meta.read_bytes()) for meta in folder.glob("agent-*.meta.json")]
    sidechains = [entries(sidechain) for sidechain in folder.glob("agent-*.jsonl")]
    assert {meta["toolUseId"] for meta in metas} == asked
    assert len(sidechains) == 2
    for sidechain in sidechains:
        talk = [entry for entry in sidechain if entry["type"] in ("user", "assistant")]
        assert all(entry["isSidechain"] and entry["sessionId"] == path.stem for entry in talk)
    assert not any(entry.get("isSidechain") for entry in entries(path))
    origins = [entry.get("origin", {}).get("kind") for entry in entries(path)]
    assert origins.count("task-notification") == 1


def test_resumed_is_three_runs_in_one_file() -> None:
    (path,) = transcripts("resumed")
    assert len(prompts(path)) == 3
    assert event_names("resumed").count("SessionStart(resume)") == 2


def test_forked_shares_its_history_under_the_same_uuids() -> None:
    original, fork = transcripts("forked")
    shared = uuids(original) & uuids(fork)
    assert len(shared) > 10
    assert uuids(original) - shared
    assert uuids(fork) - shared
    assert {entry["sessionId"] for entry in entries(fork) if entry.get("uuid") in shared} == {fork.stem}
    assert "SessionStart(fork)" in event_names("forked")


def uuids(path: Path) -> set[str]:
    return {entry["uuid"] for entry in entries(path) if "uuid" in entry}


def test_cleared_goes_on_in_a_second_file() -> None:
    before, after = transcripts("cleared")
    names = event_names("cleared")
    at = names.index("SessionEnd(clear)")
    assert names[at + 1] == "SessionStart(clear)"
    assert len(prompts(before)) == len(prompts(after)) == 1
    # What a reader must not be misled by: the old id beside the new one.
    old_ids = {entry.get("session_id") for entry in entries(after)}
    assert before.stem in old_ids
    assert {entry["sessionId"] for entry in entries(after) if "sessionId" in entry} == {after.stem}


def test_compacted_goes_on_below_a_boundary() -> None:
    (path,) = transcripts("compacted")
    subtypes = [entry.get("subtype") for entry in entries(path)]
    summaries = [at for at, entry in enumerate(entries(path)) if entry.get("isCompactSummary")]
    assert summaries == [subtypes.index("compact_boundary") + 1]
    assert "SessionStart(compact)" in event_names("compacted")
    assert len(prompts(path)) == 2


def test_killed_mid_tool_left_a_tool_use_without_result_or_farewell() -> None:
    (path,) = transcripts("killed-mid-tool")
    assert len(blocks(path, "tool_use")) == 1
    assert not blocks(path, "tool_result")
    assert event_names("killed-mid-tool") == ["SessionStart(startup)", "UserPromptSubmit"]


def test_torn_line_is_followed_by_the_resumed_session() -> None:
    (path,) = transcripts("torn-then-resumed")
    lines = list(parsed(path))
    (at,) = (at for at, (entry, _) in enumerate(lines) if entry is None)
    assert lines[at][1].startswith(b'{"parentUuid":')
    assert any(entry and entry.get("promptSource") for entry, _ in lines[at:])
    assert "SessionStart(resume)" in event_names("torn-then-resumed")


def test_queued_prompt_exists_only_as_an_attachment() -> None:
    (path,) = transcripts("queued-mid-turn")
    queued = [e["attachment"] for e in entries(path) if e.get("attachment", {}).get("type") == "queued_command"]
    assert [(item["prompt"], item["commandMode"]) for item in queued] == [
        ("Actually, leave the README alone.", "prompt")
    ]
    assert queued[0]["prompt"] not in prompts(path)
    assert event_names("queued-mid-turn").count("Stop") == 1


def test_large_outputs_are_stored_beside_or_in_the_line() -> None:
    (path,) = transcripts("large-outputs")
    results = [entry["toolUseResult"] for entry in entries(path) if "toolUseResult" in entry]
    assert [result.get("persistedOutputSize", 0) > 30_000 for result in results] == [True, False]
    assert recorded("large-outputs", "*/tool-results/*.txt")
    assert max(len(line) for _, line in parsed(path)) > 60_000


def test_scrubbing_keeps_other_lines_byte_for_byte(tmp_path: Path) -> None:
    scrubber = Scrubber(tmp_path)
    line = b'{"b": 1.0e2, "type" : "user","a":"caf\xc3\xa9 \xe2\x80\xa8"}'
    data = line + b"\n" + line[:10]
    assert scrubber.transcript(data) == data


def test_scrubbing_hides_paths_and_the_clients_text_but_keeps_the_keys_in_order(tmp_path: Path) -> None:
    path = json.dumps(f"{tmp_path}/home/dev/x")
    line = (
        f'{{"cwd":{path},"attachment":{{"type":"skill_listing","content":"{"y" * 9000}","n":1}},"type":"attachment"}}'
    )
    scrubbed = Scrubber(tmp_path).transcript(line.encode())
    assert scrubbed.startswith(b'{"cwd":"/home/dev/x","attachment":{"type":"skill_listing","content":"...')
    assert scrubbed.endswith(b'","n":""},"type":"attachment"}')
    assert len(scrubbed) < 2000
