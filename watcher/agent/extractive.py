"""Owns the agent that asks nobody: no model, no network, no login, the same answer to the same batch.

It says what can be told from the tool uses and the words around them. Its summary is there at once while a
model still thinks, and its observations are all there is where no model can be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watcher.agent import actions, attempts, closing, files, summaries, wording
from watcher.agent.actions import Command
from watcher.agent.attempts import Attempts
from watcher.agent.base import Batch, Observation, ObservationType, Reply, Summary, Turn
from watcher.agent.closing import Closing
from watcher.agent.files import Change, Edit, Files

_NARRATIVE = 1_200  # characters
_TITLE = 160  # characters
_FACTS = 10  # of one observation
_DECISIONS = 3  # of one turn


class ExtractiveAgent:
    """Answers a batch from its own words, in milliseconds."""

    name = "extractive"

    def __init__(self, max_files: int = 8) -> None:
        """Take how many changed files get an observation each; what else changed shares one."""
        self._max_files = max_files

    def digest(self, batch: Batch) -> Reply:
        """Answer one batch, turn by turn; never fails, and costs nothing."""
        observations = tuple(one for turn in batch.turns for one in self._observations(turn, batch.project))
        wanted = [turn for turn in batch.turns if turn.wants_summary]
        return Reply(observations, {turn.number: self.summary(turn, batch.project) for turn in wanted})

    @staticmethod
    def summary(turn: Turn, project: str) -> Summary:
        """Return what a turn came to, and nothing else."""
        return summaries.summary(turn, project)

    def close(self) -> None:
        """Do nothing: nothing runs."""

    def _observations(self, turn: Turn, project: str) -> list[Observation]:
        words = closing.read(turn.closing_text)
        became = files.told(turn.tool_uses, project)
        run = [command for command in actions.commands(turn.tool_uses) if not command.is_look]
        changes = list(became.changes.values())
        found = [_changed_file(turn, change, words) for change in changes[: self._max_files]]
        if rest := changes[self._max_files :]:
            found.append(_changed_files(turn, rest))
        if became.taken_back:
            found.append(_taken_back(turn, became, words))
        if run:
            found.append(_commands(run, attempts.told(run), became.commits))
        found += [_decision(turn, decision) for decision in words.decisions[:_DECISIONS]]
        if not changes and not became.taken_back:
            found += _looks(turn, project, words)
        return found


def _changed_file(turn: Turn, change: Change, words: Closing) -> Observation:
    request = closing.gist(" ".join(turn.prompts[-1:]))
    said = [sentence for sentence in closing.sentences(turn.closing_text) if change.name in sentence]
    kind = wording.type_of(turn.prompts)
    return Observation(
        type=kind,
        title=wording.bounded(f"{change.name}: {change.words()}", _TITLE),
        subtitle=request,
        narrative=wording.joined([*said, *words.learned[:2]], _NARRATIVE),
        facts=tuple(_distinct(f"{change.path}: {edit.words()}" for edit in change.edits)),
        concepts=("what-changed", "problem-solution") if kind is ObservationType.BUGFIX else ("what-changed",),
        tool_use_ids=_ids(change.edits),
    )


def _changed_files(turn: Turn, changes: Sequence[Change]) -> Observation:
    return Observation(
        type=wording.type_of(turn.prompts),
        title=f"{len(changes)} more files changed",
        subtitle=closing.gist(" ".join(turn.prompts[-1:])),
        facts=tuple(_distinct((f"{change.path}: {change.words()}" for change in changes), 20)),
        concepts=("what-changed",),
        tool_use_ids=_ids(edit for change in changes for edit in change.edits),
    )


def _taken_back(turn: Turn, became: Files, words: Closing) -> Observation:
    """What was tried and does not stand: a successor need not try it again."""
    tried = [f"{edit.path}: {edit.words()}" for edit in became.taken_back]
    return Observation(
        type=ObservationType.DISCOVERY,
        title=wording.bounded(f"Tried and taken back: {tried[0]}", _TITLE),
        subtitle=closing.gist(" ".join(turn.prompts[-1:])),
        narrative=wording.joined([*words.learned, *words.troubles], _NARRATIVE),
        facts=tuple(_distinct(tried)),
        concepts=("gotcha",),
        tool_use_ids=_ids(became.taken_back),
    )


def _commands(run: Sequence[Command], came_to: Attempts, commits: Sequence[str]) -> Observation:
    """What was run, with what failed in front: a failure is what a successor must not repeat."""
    failed = [command for command in run if command.failed]
    passed = [command for command in run if not command.failed]
    tests = [
        *attempts.tests_words(came_to.failing_tests, attempts.FAILS),
        *attempts.tests_words(came_to.mended_tests, attempts.PASSES_NOW),
    ]
    if tests:
        title = tests[0]
    elif came_to.failing:
        title = came_to.failing[-1].words()
    elif commits and not any(command.run for command in run):
        title = f"Committed: {commits[-1]}"
    elif failed:
        title = f"Failed at first, then passed: {failed[-1].words()}"
    else:
        # Of several, the tests say most.
        telling = next((command for command in reversed(run) if command.run), run[-1])
        title = f"Ran {telling.words()}" if len(run) == 1 else f"Ran {len(run)} commands, {telling.words()}"
    return Observation(
        type=ObservationType.DISCOVERY,
        title=wording.bounded(title, _TITLE),
        subtitle=f"{len(run)} run, {len(failed)} failed" if failed else "",
        facts=tuple(_distinct([*tests, *(command.words() for command in [*failed, *passed])])),
        concepts=("gotcha",) if came_to.failing else ("problem-solution",) if failed else (),
        tool_use_ids=_ids(run),
    )


def _decision(turn: Turn, decision: str) -> Observation:
    return Observation(
        type=ObservationType.DECISION,
        title=wording.bounded(decision, _TITLE),
        subtitle=closing.gist(" ".join(turn.prompts[-1:])),
        narrative=wording.bounded(decision, _NARRATIVE) if len(decision) > _TITLE else "",
        concepts=("trade-off",),
        turn=turn.number,
    )


def _looks(turn: Turn, project: str, words: Closing) -> list[Observation]:
    """What was looked at, as one observation; of interest only where nothing was changed."""
    looked = list(actions.looks(turn.tool_uses, project))
    commands = [command for command in actions.commands(turn.tool_uses) if command.is_look]
    seen = actions.seen(turn.tool_uses, project)
    if not seen:
        return []
    return [
        Observation(
            type=ObservationType.DISCOVERY,
            title=wording.bounded((words.answer or seen)[0], _TITLE),
            subtitle=closing.gist(" ".join(turn.prompts[-1:])),
            narrative=wording.joined(closing.sentences(turn.closing_text), _NARRATIVE),
            facts=tuple(_distinct(seen)),
            concepts=("how-it-works",),
            tool_use_ids=_ids([*looked, *commands]),
        )
    ]


def _distinct(texts: Iterable[str], limit: int = _FACTS) -> list[str]:
    return [wording.bounded(text, 300) for text in dict.fromkeys(texts)][:limit]


def _ids(parts: Iterable[Edit | Command | actions.Look]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.tool_use_id for part in parts))
