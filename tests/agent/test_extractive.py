"""The agent without a model: what it makes of a turn, of half a turn, and of garbage."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from watcher.agent import actions, closing, wording
from watcher.agent.base import Batch, ObservationType, Reply, ToolUse, Turn
from watcher.agent.extractive import ExtractiveAgent

SHOP = "/home/me/shop"
SESSION = f"{SHOP}/auth/session.py"
CLOSING = """\
I fixed the login timeout in `auth/session.py`. The root cause was that the expiry was stored in minutes. \
All 5 tests pass now.

**Next steps:**
- Run the migration on staging
- Update the docs

You should also rotate the keys."""


def use(name: str, output: str = "", *, error: bool = False, **given: object) -> ToolUse:
    """A tool use as the watcher hands it over, its id made of what it does."""
    text = json.dumps(given)
    path = str(given.get("file_path", ""))
    files = (path,) if path else ()
    return ToolUse(
        tool_use_id=f"toolu_{name}_{abs(hash((text, output)))}",
        name=name,
        input=text,
        output=output,
        is_error=error,
        files_read=files if name == "Read" else (),
        files_modified=files if name in actions.EDITORS else (),
    )


GREP = use("Grep", "auth/session.py:12", pattern="session_timeout", path=SHOP)
READ = use("Read", "def login(): ...", file_path=SESSION)
RED = use(
    "Bash", "Exit code 1\nFAILED test_login\nE   AssertionError: assert 30 == 1800", error=True, command="pytest -q"
)
EDIT = use("Edit", "ok", file_path=SESSION, old_string="x = 1\ny = 30\n", new_string="x = 1\ny = 1800\n")
MORE = use(
    "Edit", "ok", file_path=SESSION, old_string="y = 1800\n", new_string="y = 1800\ndef refresh(user):\n    pass\n"
)
GREEN = use("Bash", "5 passed in 0.2s", command="pytest -q")
DENIED = use("Bash", "Permission to use Bash with command git push has been denied.", error=True, command="git push")
LINT = use("Bash", "sh: eslint: not found", error=True, command="npm run lint")
TURN = Turn(
    1,
    ("Users are logged out after 30 seconds. Fix the timeout.",),
    (GREP, READ, RED, EDIT, MORE, GREEN, DENIED, LINT),
    closing_text=CLOSING,
)


def answer(*turns: Turn) -> Reply:
    return ExtractiveAgent().digest(Batch(SHOP, turns))


def digest(turn: Turn) -> tuple[list[str], dict[str, str]]:
    """Titles and summary of a turn."""
    reply = answer(turn)
    assert reply.usage.cost_usd == 0
    summary = reply.summaries[1]
    fields = ("request", "investigated", "learned", "completed", "next_steps", "notes")
    return [o.title for o in reply.observations], {f: getattr(summary, f) for f in fields}


def test_a_turn() -> None:
    reply = answer(TURN)
    changed, run = reply.observations

    assert changed.type is ObservationType.BUGFIX
    assert changed.title == "session.py: added refresh (+3 −1)"
    assert "I fixed the login timeout" in changed.narrative
    assert "root cause" in changed.narrative
    assert changed.facts == (
        "auth/session.py: `y = 30` → `y = 1800` (+1 −1)",
        "auth/session.py: added refresh (+2 −0)",
    )
    assert changed.tool_use_ids == (EDIT.tool_use_id, MORE.tool_use_id)

    assert run.type is ObservationType.DISCOVERY
    assert run.title == "`npm run lint` failed: sh: eslint: not found"
    assert run.facts == (
        "`pytest -q` failed: AssertionError: assert 30 == 1800",
        "`npm run lint` failed: sh: eslint: not found",
        "`pytest -q` ok: 5 passed",
    )
    assert DENIED.tool_use_id not in run.tool_use_ids

    summary = reply.summaries[1]
    assert summary.request == "Users are logged out after 30 seconds. Fix the timeout."
    assert summary.investigated == "Searched `session_timeout`. Read auth/session.py."
    assert "The root cause was" in summary.learned
    assert "assert 30 == 1800; passed after changes to auth/session.py" in summary.learned
    assert summary.completed.startswith("I fixed the login timeout in `auth/session.py`. All 5 tests pass now.")
    assert "Files changed: auth/session.py: added refresh (+3 −1)." in summary.completed
    assert summary.completed.endswith("Ran `pytest -q` ok: 5 passed.")
    assert summary.next_steps.startswith(
        "Run the migration on staging. Update the docs. You should also rotate the keys."
    )
    assert summary.next_steps.endswith("Still failing: `npm run lint`.")
    assert "`npm run lint` failed: sh: eslint: not found." in summary.notes
    assert "Bash was denied: `git push`" in summary.notes


def test_the_same_batch_has_the_same_answer() -> None:
    assert answer(TURN) == answer(TURN)


def test_it_is_quick() -> None:
    long = use("Edit", file_path=SESSION, old_string="a = 1\nb\n" * 500, new_string="b = 2\na\n" * 500)
    turn = replace(TURN, tool_uses=(*TURN.tool_uses, long) * 10, closing_text=CLOSING * 50)
    started = time.perf_counter()
    answer(turn)
    assert time.perf_counter() - started < 2  # seconds, on the slowest machine


def test_no_summary_unless_wanted() -> None:
    assert answer(replace(TURN, wants_summary=False)).summaries == {}


def test_every_turn_of_a_batch_is_answered_by_itself() -> None:
    other = Turn(3, ("Add a cache.",), (use("Write", file_path=f"{SHOP}/cache.py", content="x = 1\n"),), "Added it.")
    going_on = Turn(4, ("And now",), (use("Bash", "made", command="make"),), wants_summary=False)
    together = answer(TURN, other, going_on)
    assert together.observations == tuple(one for turn in (TURN, other, going_on) for one in answer(turn).observations)
    assert together.summaries == {1: answer(TURN).summaries[1], 3: answer(other).summaries[3]}


def test_without_words_the_tool_uses_speak() -> None:
    titles, summary = digest(replace(TURN, prompts=(), closing_text=""))
    assert titles[0] == "session.py: added refresh (+3 −1)"
    assert summary["request"] == ""
    assert summary["completed"] == (
        "Files changed: auth/session.py: added refresh (+3 −1). Ran `pytest -q` ok: 5 passed."
    )


def test_without_tool_uses_the_words_speak() -> None:
    titles, summary = digest(replace(TURN, tool_uses=()))
    assert titles == []
    assert summary["request"].startswith("Users are logged out")
    assert summary["completed"] == "I fixed the login timeout in `auth/session.py`. All 5 tests pass now."
    assert summary["next_steps"] == "Run the migration on staging. Update the docs. You should also rotate the keys."


def test_what_was_read_counts_only_where_nothing_was_changed() -> None:
    page = use("WebFetch", "…", url="https://example.com/docs")
    subagent = use("Agent", "Three callers found.", description="find callers")
    turn = replace(TURN, tool_uses=(GREP, READ, page, subagent), closing_text="Sessions live in Redis.")
    (observation,) = answer(turn).observations
    assert observation.type is ObservationType.DISCOVERY
    assert observation.facts == (
        "searched `session_timeout`",
        "read auth/session.py",
        "fetched https://example.com/docs",
        "Agent: find callers → Three callers found.",
    )
    assert observation.narrative == "Sessions live in Redis."
    assert observation.title == "Sessions live in Redis."


def test_a_failure_that_was_solved_says_so() -> None:
    titles, summary = digest(replace(TURN, tool_uses=(RED, EDIT, GREEN), closing_text=""))
    assert titles[-1].startswith("Failed at first, then passed: `pytest -q`")
    assert summary["next_steps"] == ""
    assert "Ran `pytest -q` ok: 5 passed" in summary["completed"]


@pytest.mark.parametrize(
    ("output", "ran"),
    [
        ("Permission to use Bash with command git push has been denied.", False),
        ("The user doesn't want to proceed with this tool use. The tool use was rejected.", False),
        ("Claude requested permissions to use Bash, but you haven't granted it yet.", False),
        ("git@example.com: Permission denied (publickey).", True),
        ("error: failed to push some refs; updates were rejected", True),
    ],
)
def test_a_denied_command_did_not_run_and_did_not_fail(output: str, ran: bool) -> None:
    push = use("Bash", output, error=True, command="git push")
    titles, summary = digest(replace(TURN, tool_uses=(push,), closing_text=""))
    assert bool(titles) is ran
    assert ("Still failing" in summary["next_steps"]) is ran
    assert ("Bash was denied" in summary["notes"]) is not ran


def test_many_files_share_an_observation() -> None:
    edits = tuple(use("Write", file_path=f"{SHOP}/f{n}.py", content="x = 1\n") for n in range(40))
    observations = answer(replace(TURN, tool_uses=(*edits, LINT))).observations
    assert len(observations) == 10
    assert observations[8].title == "32 more files changed"
    assert len(observations[8].facts) == 20
    assert len(observations[8].tool_use_ids) == 32


def test_a_refused_edit_changed_nothing() -> None:
    refused = use("Edit", "String to replace not found in file.", error=True, file_path=SESSION, old_string="a")
    titles, summary = digest(replace(TURN, tool_uses=(refused,), closing_text=""))
    assert titles == []
    assert summary["notes"] == "Edit failed: String to replace not found in file."


@pytest.mark.parametrize("name", ["Bash", "Edit", "MultiEdit", "Write", "Read", "Grep", "WebFetch", "mcp__x__y", ""])
@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "42", '"x"', "{", '{"command": 5, "edits": [1, {"old_string": 2}]}', "\x00\ud800", "[" * 99_999],
)
@pytest.mark.parametrize("error", [True, False])
def test_garbage_is_no_error(name: str, text: str, error: bool) -> None:
    broken = ToolUse("t", name, text, text, error, ("/a",), ("/b",))
    bare = ToolUse("t", name, text, text, error)
    batch = Batch("", (Turn(1, (text,), (broken, bare), closing_text=text),), previous_summary=text)
    assert len(ExtractiveAgent().digest(batch).observations) <= 12


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"command": "ls -l"}', {"command": "ls -l"}),
        (
            '{"file_path": "/a.py", "content": "line one\\nline […] the end"',
            {"file_path": "/a.py", "content": "line one\nline […] the end"},
        ),
        ('{"command": "echo \\"hi\\" && mak', {"command": 'echo "hi" && mak'}),
        ('{"command": "echo \\', {"command": "echo "}),
        ('{"a": "1", "a": "2"', {"a": "1"}),
        ("no JSON at all", {}),
    ],
)
def test_cut_arguments_are_read_as_far_as_they_go(text: str, arguments: dict[str, str]) -> None:
    assert actions.arguments(text) == arguments


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Fix the login", ObservationType.BUGFIX),
        ("it crashes on start", ObservationType.BUGFIX),
        ("Add a test for the crash", ObservationType.FEATURE),
        ("Implement dark mode", ObservationType.FEATURE),
        ("Rename Foo to Bar", ObservationType.REFACTOR),
        ("clean up the imports", ObservationType.REFACTOR),
        ("Bump the version", ObservationType.CHANGE),
        ("", ObservationType.CHANGE),
    ],
)
def test_the_prompt_tells_the_type(prompt: str, kind: ObservationType) -> None:
    assert wording.type_of([prompt]) is kind


@pytest.mark.parametrize(
    ("text", "next_steps"),
    [
        ("Done. Next, run the tests.", ["Next, run the tests."]),
        ("Remaining work: the docs.", ["Remaining work: the docs."]),
        ("All good.\n\n## Next steps\n1. Deploy\n2. Watch\n\n## Changes\n- a.py", ["Deploy", "Watch"]),
        ("## TODO\nWrite the docs.", ["Write the docs."]),
        ("What is left:\n- [ ] docs\n- [ ] tests\n\nThe rest is done.", ["docs", "tests"]),
        ("The parser should now work. It must be fast.", []),
        ("I used Next.js and next-gen tools.", []),
        (
            "You should rotate the keys. We still need to test it.",
            ["You should rotate the keys.", "We still need to test it."],
        ),
        ("Want me to open a pull request?", ["Want me to open a pull request?"]),
        (
            "The docs have not been updated yet; consider adding an example.",
            ["The docs have not been updated yet; consider adding an example."],
        ),
        ("Fertig. Als Nächstes: die Doku.", ["Als Nächstes: die Doku."]),
        ("Terminé. La prochaine étape est le déploiement.", ["La prochaine étape est le déploiement."]),
        ("修复完成。下一步运行测试。", ["下一步运行测试。"]),
        ("```\n# TODO: not a step\nnext()\n```\nDone here.", []),
        ("Fixed it.", []),
        ("", []),
    ],
)
def test_next_steps_are_found(text: str, next_steps: list[str]) -> None:
    assert list(closing.read(text).next_steps) == next_steps


def test_sentences_keep_their_dots() -> None:
    text = "Changed auth/session.py and v1.2.3 of it, e.g. the login. See `a.b()`. Done."
    assert list(closing.sentences(text)) == [
        "Changed auth/session.py and v1.2.3 of it, e.g. the login.",
        "See `a.b()`.",
    ]


def test_words_are_bounded() -> None:
    _, summary = digest(replace(TURN, prompts=("p" * 9_999,), closing_text="I did a thing. " * 999 + "x" * 9_999))
    assert all(len(value) <= 1_200 for value in summary.values())
    assert wording.joined(["a" * 2_000], 100) == "a" * 99 + "…"


def test_next_steps_are_told_without_their_label() -> None:
    turn = Turn(
        number=1,
        prompts=("Commit it.",),
        tool_uses=(),
        closing_text="Committed. Next: tag the release. What is left: fractions are still refused.",
    )
    summary = answer(turn).summaries[1]
    assert summary.next_steps == "tag the release. What is left: fractions are still refused."
    assert summary.completed == "Committed."
