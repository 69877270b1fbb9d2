"""Owns the agent that asks nobody: no model, no network, no login, the same answer to the same batch.

It says what can be told from the tool uses and the words around them. Its summary is there at once while a
model still thinks, and its observations are all there is where no model can be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from watcher.agent import actions, wording
from watcher.agent.actions import Command, Edit
from watcher.agent.base import Batch, Observation, ObservationType, Reply, Summary, Turn

_FIELD = 1_200  # characters of a summary's field
_FACTS = 10  # of one observation


class ExtractiveAgent:
    """Answers a batch from its own words, in milliseconds."""

    name = "extractive"

    def __init__(self, max_files: int = 8) -> None:
        """Take how many changed files get an observation each; what else changed shares one."""
        self._max_files = max_files

    def digest(self, batch: Batch) -> Reply:
        """Answer one batch, turn by turn; never fails, and costs nothing."""
        observations = tuple(one for turn in batch.turns for one in self._observations(turn, batch.project))
        summaries = {turn.number: _summary(turn, batch.project) for turn in batch.turns if turn.wants_summary}
        return Reply(observations, summaries)

    @staticmethod
    def summary(turn: Turn, project: str) -> Summary:
        """Return what a turn came to, and nothing else."""
        return _summary(turn, project)

    def close(self) -> None:
        """Do nothing: nothing runs."""

    def _observations(self, turn: Turn, project: str) -> list[Observation]:
        by_file: dict[str, list[Edit]] = {}
        for edit in actions.edits(turn.tool_uses):
            by_file.setdefault(actions.relative(edit.path, project), []).append(edit)
        files = list(by_file.items())
        found = [_changed_file(turn, path, edits) for path, edits in files[: self._max_files]]
        if rest := files[self._max_files :]:
            found.append(_changed_files(turn, rest))
        run = [command for command in actions.commands(turn.tool_uses) if not command.is_look]
        if run:
            found.append(_commands(run))
        if not files:
            found += _looks(turn, project)
        return found


def _changed_file(turn: Turn, path: str, edits: Sequence[Edit]) -> Observation:
    name = PurePath(path).name or path
    names = list(dict.fromkeys(filter(None, (edit.names() for edit in edits))))
    how = "; ".join(names) or next(filter(None, (edit.words() for edit in edits)), "edited")
    request = wording.first_sentence(" ".join(turn.prompts[-1:]))
    said = [s for s in wording.sentences(turn.closing_text) if name in s]
    kind = wording.type_of(turn.prompts)
    narrative = [
        f"Changed {_times(len(edits))}{f' for: {request}' if request else ''}",
        *said,
        *wording.closing(turn.closing_text).learned[:2],
    ]
    return Observation(
        type=kind,
        title=wording.bounded(f"{name}: {how}", 160),
        subtitle=request,
        narrative=wording.joined(narrative, _FIELD),
        facts=tuple(_distinct(f"{path}: {words}" for edit in edits if (words := edit.words()))),
        concepts=("what-changed", "problem-solution") if kind is ObservationType.BUGFIX else ("what-changed",),
        tool_use_ids=_ids(edits),
    )


def _changed_files(turn: Turn, files: Sequence[tuple[str, Sequence[Edit]]]) -> Observation:
    return Observation(
        type=wording.type_of(turn.prompts),
        title=f"{len(files)} more files changed",
        subtitle=wording.first_sentence(" ".join(turn.prompts[-1:])),
        facts=tuple(_distinct((f"{path}: {edits[0].words() or 'edited'}" for path, edits in files), 20)),
        concepts=("what-changed",),
        tool_use_ids=_ids(edit for _, edits in files for edit in edits),
    )


def _commands(run: Sequence[Command]) -> Observation:
    """What was run, with what failed in front: a failure is what a successor must not repeat."""
    failed = [command for command in run if command.failed]
    still = _still_failing(run)
    if still:
        title = still[-1].words()
    elif failed:
        title = f"Failed at first, then passed: {failed[-1].words()}"
    else:
        title = f"Ran {run[-1].words()}" if len(run) == 1 else f"Ran {len(run)} commands, last {run[-1].words()}"
    passed = [command for command in run if not command.failed]
    return Observation(
        type=ObservationType.DISCOVERY,
        title=wording.bounded(title, 160),
        subtitle=f"{len(run)} run, {len(failed)} failed" if failed else "",
        facts=tuple(_distinct(command.words() for command in [*failed, *passed])),
        concepts=("gotcha",) if still else ("problem-solution",) if failed else (),
        tool_use_ids=_ids(run),
    )


def _looks(turn: Turn, project: str) -> list[Observation]:
    """What was looked at, as one observation; of interest only where nothing was changed."""
    seen = list(actions.looks(turn.tool_uses, project))
    if not seen:
        return []
    learned = wording.closing(turn.closing_text).learned
    words = list(dict.fromkeys(look.words for look in seen))
    more = f" and {len(words) - 2} more" if len(words) > 2 else ""
    return [
        Observation(
            type=ObservationType.DISCOVERY,
            title=wording.bounded(learned[0] if learned else f"{'; '.join(words[:2])}{more}", 160),
            subtitle=wording.first_sentence(" ".join(turn.prompts[-1:])),
            narrative=wording.joined(learned or wording.sentences(turn.closing_text), _FIELD),
            facts=tuple(_distinct(words)),
            concepts=("how-it-works",),
            tool_use_ids=_ids(seen),
        )
    ]


def _summary(turn: Turn, project: str) -> Summary:
    closing = wording.closing(turn.closing_text)
    run = list(actions.commands(turn.tool_uses))
    changed = dict.fromkeys(actions.relative(e.path, project) for e in actions.edits(turn.tool_uses))
    still = _still_failing(run)
    seen = [look.words for look in actions.looks(turn.tool_uses, project)]
    return Summary(
        request=wording.bounded(" / ".join(turn.prompts), _FIELD),
        investigated=wording.joined([*seen, *(f"ran `{c.text}`" for c in run if c.is_look)], _FIELD),
        learned=wording.joined([*closing.learned, *_lessons(turn, project, run)], _FIELD),
        completed=wording.joined(
            [
                *closing.done,
                *([f"Files changed: {', '.join(list(changed)[:15])}"] if changed else []),
                *([f"Last run: {run[-1].words()}"] if run and not run[-1].failed and not run[-1].is_look else []),
            ],
            _FIELD,
        ),
        next_steps=wording.joined([*closing.next_steps, *(f"Still to solve: {c.words()}" for c in still)], _FIELD),
        notes=wording.joined(
            [*actions.denied(turn.tool_uses), *(f"`{c.text}` failed" for c in run if c.failed), *_failed_uses(turn)],
            _FIELD,
        ),
    )


def _lessons(turn: Turn, project: str, run: Sequence[Command]) -> Iterable[str]:
    """Say of each failure what followed it: the same command passing, and the files changed in between."""
    order = {use.tool_use_id: n for n, use in enumerate(turn.tool_uses)}
    edits = list(actions.edits(turn.tool_uses))
    for position, command in enumerate(run):
        if not command.failed or not command.outcome:
            continue
        later = run[position + 1 :]
        again = next((c for c in later if c.text == command.text), None)
        if again and again.failed:
            continue  # the later one says the same, and how it went on
        end = order[again.tool_use_id] if again else len(order)
        between = [e for e in edits if order[command.tool_use_id] < order[e.tool_use_id] < end]
        files = ", ".join(dict.fromkeys(actions.relative(e.path, project) for e in between))
        after = f" after changes to {wording.bounded(files, 120)}" if files else " later"
        yield f"{command.words()}{f'; passed{after}' if again else ''}"


def _still_failing(run: Sequence[Command]) -> list[Command]:
    """Return the commands whose last run failed, the last one last."""
    last = {command.text: command for command in run}
    return [command for command in run if command.failed and last[command.text] is command]


def _failed_uses(turn: Turn) -> Iterable[str]:
    for use in turn.tool_uses:
        if use.is_error and use.name not in actions.SHELLS and not actions.is_denied(use):
            yield f"{use.name} failed: {wording.bounded(use.output, 160)}" if use.output else f"{use.name} failed"


def _distinct(texts: Iterable[str], limit: int = _FACTS) -> list[str]:
    return [wording.bounded(text, 300) for text in dict.fromkeys(texts)][:limit]


def _ids(parts: Iterable[Edit | Command | actions.Look]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.tool_use_id for part in parts))


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
