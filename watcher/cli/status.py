"""Owns `claude-mem status`: whether it works, and what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.style import ago, counted, fitted, local_time, say, say_json, wrapped
from watcher.errors import UsageError

if TYPE_CHECKING:
    from watcher.memory.figures import Counts, GivenUp
    from watcher.memory.lookup import CurrentCondition, WatcherRun
    from watcher.memory.usage import Spent
    from watcher.service.diagnosis.life import Life
    from watcher.settings import AgentSettings, Settings


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say whether a watcher runs, and what is in the memory and what waits.

    `claude-mem doctor` looks closer, at everything else that a memory needs.

    Examples:
        claude-mem status
        claude-mem status --json
    """
    from watcher import settings as settings_room
    from watcher.memory import figures, lookup, usage
    from watcher.memory.states import ConditionName
    from watcher.service.diagnosis.life import Life, life
    from watcher.service.events import now

    settings = settings_room.load()
    moment = now()
    with lookup.opened(settings.database) as connection:
        counts = figures.counts(connection)
        up = figures.given_up(connection, settings.agent.max_attempts)
        current = lookup.conditions(connection)
        run = lookup.last_run(connection)
        spent = usage.today(connection, moment) if usage.is_any(connection) else None
    error = _refused(settings)
    state = life(settings.lock, run, moment)
    polls = any(condition.name == ConditionName.WATCHING for condition in current)
    watching = ("polling" if polls else "events") if state in (Life.ALIVE, Life.STALLED) else ""
    if as_json:
        told: dict[str, Any] = {
            "watcher": {
                "running": state in (Life.ALIVE, Life.STALLED),
                "state": state,
                "watching_by": watching or None,
                "last_run": run,
            },
            "database": str(settings.database),
            "agent": settings.agent.name,
            "settings_error": {"text": str(error), "hint": error.hint} if error is not None else None,
            "today": spent,
            "conditions": current,
            "given_up": up,
            **counts._asdict(),
        }
        say_json(told)
        return
    _watcher(state, run, moment, watching, can_start=error is None)
    _row("memory", str(settings.database))
    _row("agent", settings.agent.name)
    if error is not None and not any(condition.name == ConditionName.SETTINGS for condition in current):
        _row("settings", f"{error} (settings are in {settings.config}). Try: {error.hint}", colour="red")
    if spent is not None:
        _spent(spent, settings.agent)
    _conditions(current, moment)
    _counts(counts, up)
    if counts.last_error and not any(condition.name == ConditionName.AGENT for condition in current):
        _row("trouble", counts.last_error, colour="red")
    last = counts.last_summary
    if last is not None:
        _row("last summary", f"{local_time(last.at)} ({last.source}) in {last.project}")
        _row("", last.request)


def _refused(settings: Settings) -> UsageError | None:
    """Return what no watcher would start with."""
    if not settings.privacy.ignore and not settings.privacy.exclude:
        return None
    from watcher.service import admission

    try:
        admission.check(settings.privacy)
    except UsageError as error:
        return error
    return None


def _watcher(state: Life, run: WatcherRun | None, moment: int, watching: str, *, can_start: bool) -> None:
    pid = run.pid if run else 0
    next_one = (
        "the next session or prompt starts it" if can_start else "none can start before the settings below are mended"
    )
    heartbeat = ago(moment - run.heartbeat_at) if run else ""
    match state.value:
        case "alive":
            _row("watcher", f"running (pid {pid}, heartbeat {heartbeat}), watching by {watching}", colour="green")
        case "stalled":
            text = f"stalled (pid {pid}, last heartbeat {heartbeat}); try: claude-mem watch --stop"
            _row("watcher", text, colour="red")
        case "starting":
            text = "an unknown process holds its lock; a watcher may be starting: try again in a moment"
            _row("watcher", text, colour="yellow")
        case "dead":
            text = f"not running: killed (pid {pid}, last heartbeat {heartbeat}); nothing is lost,"
            _row("watcher", f"{text} {next_one}", colour="yellow" if can_start else "red")
        case _:
            _row("watcher", f"not running; {next_one}", colour="yellow" if can_start else "red")


def _spent(today: Spent, settings: AgentSettings) -> None:
    from watcher.cli.usage import share

    tokens = f"{today.input_tokens:,} tokens in, {today.output_tokens:,} out"
    requests, dollars = share(today, settings)
    _row("today", f"{requests}, {tokens}, {dollars}")


def _conditions(current: list[CurrentCondition], moment: int) -> None:
    """Print what the watcher says is wrong, one row each."""
    if not current:
        return
    from watcher.service.diagnosis.conditions import gravity, told

    colours = {"wrong": "red", "warning": "yellow", "ok": ""}
    for condition in current:
        hint = f". Try: {condition.hint}" if condition.hint else ""
        _row(condition.name, f"{told(condition, moment)}{hint}", colour=colours[gravity(condition)])


def _counts(counts: Counts, up: GivenUp) -> None:
    _row("sessions", _listed(counts.sessions))
    waiting = {name: counts.tool_uses[name] for name in ("open", "pending", "failed")}
    to_do = counts.provisional_summaries - up.summaries
    _row("queue", f"{_listed(waiting)} tool uses; {to_do} summaries to do")
    if up.tool_uses or up.summaries:
        what = f"{counted(up.tool_uses, 'tool use')} and {counted(up.summaries, 'summary', 'summaries')}"
        _row("given up", f"{what}; try: claude-mem retry", colour="red")
    _row("flags", f"{counts.flags_raised} up")
    _row("kept", f"{counted(counts.observations, 'observation')}, {counted(counts.summaries, 'summary', 'summaries')}")
    broken = counted(counts.broken_lines, "broken line")
    where = " (claude-mem doctor says where)" if counts.broken_lines else ""
    _row("transcripts", f"{counts.transcripts} followed, {broken}{where}")


def _row(label: str, text: str, *, colour: str = "") -> None:
    head = f"{label:<13} "
    # Trouble is told whole: its end says what to do.
    for line in wrapped(head, text) if colour in ("red", "yellow") else [fitted(head + text)]:
        say(line, colour=colour)


def _listed(by_status: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in by_status.items())
