"""Owns the checks of the memory: the database, and what in it is late, broken or lost."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.memory import figures, health, lookup
from watcher.memory.database import driver
from watcher.memory.states import ConditionName
from watcher.service.diagnosis.conditions import gravity, told
from watcher.service.diagnosis.finding import Case, Finding, State, counted, size, span
from watcher.service.diagnosis.life import Life

CHECK_TIME = 0.5  # seconds that SQLite may look through its file
FLAG_LATE = 60_000  # milliseconds that a flag may be up while a watcher runs
WAITING_LATE = 86_400_000  # milliseconds that a tool use may wait for the agent
SHOWN = 3  # broken lines
_START = "claude-mem watch --background (or type a prompt in claude)"


def database(case: Case) -> Iterator[Finding]:
    """Is the file sound?"""
    path = case.settings.database
    with case.read() as connection:
        found, has_log = health.problems(connection, CHECK_TIME), health.has_log(connection)
    text = f"{path}, {size(path.stat().st_size)}"
    if found:
        case.is_database_told = True
        hint = "claude-mem watch --stop; claude-mem watch --background (it is rebuilt from the transcripts)"
        yield Finding("database", State.WRONG, f"{path} is damaged: {found[0]}", hint)
    elif not has_log:
        text += ", without a write-ahead log: hooks may have to wait for the watcher"
        yield Finding("database", State.WARNING, text, "claude-mem watch --stop; claude-mem status")
    elif found is None:
        yield Finding("database", State.OK, f"{text}; too large to look through all of it here")
    else:
        yield Finding("database", State.OK, f"{text}, sound")


def schema(case: Case) -> Iterator[Finding]:
    """Are the tables those of this version?"""
    with case.read() as connection:
        found = health.schema(connection)
    match found:
        case health.Schema.OURS:
            yield Finding("schema", State.OK, "of this version")
        case health.Schema.OLDER:
            text = "of an older claude-mem; the next watcher brings it up to date"
            yield Finding("schema", State.WARNING, text, "claude-mem watch --stop; claude-mem watch --background")
        case health.Schema.NEWER:
            text = "of a newer claude-mem"
            yield Finding("schema", State.WRONG, text, "upgrade claude-mem, or set CLAUDE_MEM_HOME to another folder")
        case health.Schema.NONE:
            yield Finding("schema", State.WRONG, "no tables of claude-mem", "claude-mem install")


def flags(case: Case) -> Iterator[Finding]:
    """Is what the hooks ask for done, and how fast?"""
    with case.read() as connection:
        last, raised = health.last_flag(connection), health.raised(connection)
    if last is None:
        yield Finding("flags", State.OK, "none was raised yet")
        return
    text = f"the last one ({last.kind}, {case.since(last.raised_at)}) "
    if last.lowered_at is None:
        text += "is still up"
    else:
        took = max(0, last.lowered_at - last.raised_at)
        text += f"was handled in {f'{took / 1000:.1f} s' if took < 60_000 else span(took)}: {last.outcome or 'done'}"
    late = case.now - raised.oldest if raised.oldest is not None else 0
    if late > FLAG_LATE:
        text = f"{counted(raised.number, 'flag')} up, the oldest for {span(late)}; {text}"
        if case.life in (Life.ALIVE, Life.STALLED):
            yield Finding("flags", State.WRONG, text, f"tail {case.settings.logs / 'watcher.log'}")
        else:
            yield Finding("flags", State.WARNING, text, _START)
    else:
        yield Finding("flags", State.OK, text)


def set_aside(case: Case) -> Iterator[Finding]:
    """Do flags wait in files, which the hooks could not raise in the database?"""
    folder = case.settings.flags_aside
    waiting = sorted(folder.glob("*.json"))
    if waiting:
        text = f"{counted(len(waiting), 'flag')} in {folder}, for the database could not be written"
        late = case.now - min(path.stat().st_mtime_ns for path in waiting) // 1_000_000
        if case.is_watched and late > FLAG_LATE:
            yield Finding("set aside", State.WRONG, text, f"tail {case.settings.logs / 'watcher.log'}")
        else:
            yield Finding("set aside", State.WARNING, f"{text}; the watcher raises them", _START)
    else:
        yield Finding("set aside", State.OK, "no flag")


def broken_lines(case: Case) -> Iterator[Finding]:
    """Were there lines in transcripts that are no entries? They are kept apart; nothing else is wrong with them."""
    with case.read() as connection:
        number = figures.counts(driver(connection)).broken_lines
        newest = health.broken_lines(connection, SHOWN)
    if not number:
        yield Finding("broken lines", State.OK, "none")
        return
    places = "; ".join(f"{place.path} at byte {place.offset}: {place.reason}" for place in newest)
    text = f"{counted(number, 'line')} of transcripts could not be read; the newest: {places}"
    where = f"tail -c +{newest[0].offset + 1} {newest[0].path} | head -1 (all else of it is taken in)"
    yield Finding("broken lines", State.WARNING, text, where)


def tool_uses(case: Case) -> Iterator[Finding]:
    """Is anything lost, or late, of what the agent is to see?"""
    with case.read() as connection:
        up = figures.given_up(driver(connection), case.settings.agent.max_attempts)
        late = health.waiting(connection, case.now - WAITING_LATE)
        counts = figures.counts(driver(connection)).tool_uses
        is_put_off = any(one.name == ConditionName.BUDGET for one in lookup.conditions(driver(connection)))
    if up.tool_uses:
        text = f"{counted(up.tool_uses, 'tool use')} failed: the agent could not be had for them in all their tries"
        yield Finding("tool uses", State.WRONG, text, "claude-mem retry")
    if up.forgotten:
        text = f"{counted(up.forgotten, 'tool use')} failed for good; the provisional summaries tell of them"
        yield Finding("tool uses", State.WARNING, text)
    if late:
        state = State.WRONG if case.is_watched and not is_put_off else State.WARNING
        hint = "claude-mem usage" if is_put_off else "see conditions and agent, below" if case.is_watched else _START
        yield Finding(
            "tool uses", state, f"{counted(late, 'tool use')} of more than a day ago wait for the agent", hint
        )
    if not (up.tool_uses or up.forgotten or late):
        yield Finding("tool uses", State.OK, f"{counts['observed']} observed, {counts['pending']} wait, none failed")


def summaries(case: Case) -> Iterator[Finding]:
    """Are there summaries that the agent was to write, and never did?"""
    with case.read() as connection:
        up = figures.given_up(driver(connection), case.settings.agent.max_attempts)
        counts = figures.counts(driver(connection))
    if up.summaries:
        text = f"the agent was given up for {counted(up.summaries, 'summary', 'summaries')}; the provisional one stands"
        yield Finding("summaries", State.WARNING, text, "claude-mem retry")
    else:
        text = f"{counts.summaries} kept, {counts.provisional_summaries} of them wait for the agent"
        yield Finding("summaries", State.OK, text)


def standing_conditions(case: Case) -> Iterator[Finding]:
    """What does the watcher itself say is wrong?"""
    with case.read() as connection:
        current = lookup.conditions(driver(connection))
    for condition in current:
        text = f"{condition.name}: {told(condition, case.now)}"
        state = gravity(condition)
        if not case.is_watched:
            text, state = f"{text} (as the last watcher saw it)", min(state, State.WARNING, key=list(State).index)
        yield Finding("conditions", state, text, condition.hint)
    if not current:
        text = "the watcher says that nothing is wrong" if case.is_watched else "the last watcher left none behind"
        yield Finding("conditions", State.OK, text)
