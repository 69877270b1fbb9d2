"""Owns the summary that needs no model: what was asked, looked at, learned, done, is left, and went wrong.

Of its own turn alone, so a second one in a session says what is new.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from watcher.agent import actions, attempts, closing, files
from watcher.agent.attempts import Attempts
from watcher.agent.base import Summary, Turn
from watcher.agent.closing import Closing
from watcher.agent.files import Files
from watcher.agent.wording import bounded, joined

_FIELD = 1_200  # characters of a summary's field
_SAID = 700  # characters of it for what was said, where facts follow
_PROMPT = 400  # characters of one prompt
_PROMPTS = 4
_FILES = 8  # told with what changed in them; of the others, the names
_COMMANDS = 4
_CODE = re.compile(r"(?ms)^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z)")


def summary(turn: Turn, project: str) -> Summary:
    """Return what a turn came to."""
    words = closing.read(turn.closing_text)
    became = files.told(turn.tool_uses, project)
    came_to = attempts.told(actions.commands(turn.tool_uses))
    stands = bool(became.changes or became.moved or became.deleted or became.commits)
    facts = list(_facts(became, came_to, told=turn.closing_text))
    # Where nothing was done, or nothing of it stands, what is said is an answer, and what was run bears it out.
    is_answer = bool(turn.tool_uses) and not stands and (bool(became.taken_back) or not came_to.passing)
    learned = (*words.answer, *facts) if is_answer else words.learned
    return Summary(
        request=_request(turn.prompts),
        investigated=joined(map(_capital, actions.seen(turn.tool_uses, project)), _FIELD),
        learned=joined([*learned, *_lessons(turn, project, came_to)], _FIELD),
        completed="" if is_answer else joined([joined(words.done, _SAID), *facts], _FIELD),
        next_steps=joined([*words.next_steps, *(f"Still failing: `{c.text}`" for c in came_to.failing)], _FIELD),
        notes=joined(_troubles(turn, words, became, came_to), _FIELD),
    )


def _request(prompts: Sequence[str]) -> str:
    """Return what was asked, without the code and logs that were pasted with it."""
    asked = [bounded(_CODE.sub(" […] ", prompt), _PROMPT) for prompt in prompts]
    if len(asked) > _PROMPTS:  # how it began, and how it went on last
        asked = [asked[0], "…", *asked[1 - _PROMPTS :]]
    return bounded(" / ".join(filter(None, asked)), _FIELD)


def _facts(became: Files, came_to: Attempts, *, told: str) -> Iterator[str]:
    """Say what stands and what passed; not what was committed under words that are `told` already."""
    if became.moved:
        yield f"Moved {', '.join(f'{old} → {new}' for old, new in became.moved[:_FILES])}"
    changes = list(became.changes.values())
    if changes:
        said = [f"{change.path}: {change.words()}" for change in changes[:_FILES]]
        if more := ", ".join(change.path for change in changes[_FILES:]):
            said.append(f"and {bounded(more, 300)}")
        yield f"Files changed: {' | '.join(said)}"
    if became.deleted:
        yield f"Deleted {', '.join(became.deleted[:_FILES])}"
    yield from (f"Committed: {bounded(one, 120)}" for one in became.commits[-_COMMANDS:] if one not in told)
    if not became.taken_back or became.changes:
        yield from attempts.tests_words(came_to.mended_tests, attempts.PASSES_NOW)
    # What was moved or committed is told already.
    is_told = re.compile(r"\s*(?:git|mv|rm|mkdir)\b").match
    passing = [c for c in came_to.passing if c.run or not (c.is_trial or is_told(c.text))]
    tests_last = sorted(passing, key=lambda command: command.run is not None)
    yield from (f"Ran {command.words()}" for command in reversed(tests_last[-_COMMANDS:]))


def _lessons(turn: Turn, project: str, came_to: Attempts) -> Iterator[str]:
    """Say of each failure that was overcome which files were changed in between."""
    order = {use.tool_use_id: n for n, use in enumerate(turn.tool_uses)}
    for command in came_to.mended:
        start = order[command.tool_use_id]
        again = next((c for c in came_to.passing if c.text == command.text), None)
        uses = turn.tool_uses[start : order[again.tool_use_id] if again else None]
        between = dict.fromkeys(edit.path for use in uses for edit in files.edits(use, project))
        after = f" after changes to {bounded(', '.join(between), 120)}" if between else " later"
        yield f"{command.words()}; passed{after}"


def _troubles(turn: Turn, words: Closing, became: Files, came_to: Attempts) -> Iterator[str]:
    """Say what failed, what was denied, and what was tried and does not stand."""
    yield from words.troubles
    tried = dict.fromkeys(f"{edit.path}: {edit.words()}" for edit in became.taken_back)
    if tried:
        yield f"Tried and taken back: {' | '.join(list(tried)[:_FILES])}"
        if not became.changes:
            yield from attempts.tests_words(came_to.mended_tests, attempts.FAILED_WITH_IT)
    yield from attempts.tests_words(came_to.failing_tests, attempts.FAILS)
    told_by_tests = came_to.failing_tests.keys()
    for command in came_to.failing:
        if not (command.run and told_by_tests & command.run.failing.keys()):
            yield command.words()
    yield from dict.fromkeys(actions.denied(turn.tool_uses))
    yield from dict.fromkeys(_failed_uses(turn))


def _failed_uses(turn: Turn) -> Iterator[str]:
    """Say which other tools failed."""
    for use in turn.tool_uses:
        if use.is_error and use.name not in actions.SHELLS and not actions.is_denied(use):
            yield f"{use.name} failed: {bounded(use.output, 160)}" if use.output else f"{use.name} failed"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
