"""Owns `claude-mem usage`: what asking the model came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.style import counted, local_time, say, say_json
from watcher.errors import UsageError

if TYPE_CHECKING:
    from watcher.memory.usage import Line, Spent
    from watcher.settings import AgentSettings

_COLUMNS = ("requests", "tool uses", "tokens in", "tokens out", "cost")
_WIDTHS = (9, 10, 13, 11, 9)
_NAME = 80 - sum(_WIDTHS)  # columns for the name
_OF = ("day", "project", "session")


def usage(
    by: Annotated[str, typer.Option("--by", help="What makes a line: day, project or session.")] = "day",
    days: Annotated[int, typer.Option("--days", help="How far to look back, today included.", min=1)] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the lines, their sum, and the budget.")] = False,
) -> None:
    """Say what was asked of the model, what it cost, and how much of today's budget is spent.

    Dollars are as Claude Code reckons them. The budget is `daily_requests` and `daily_dollars` under [agent] in
    config.toml.

    Examples:
        claude-mem usage
        claude-mem usage --by project --days 7
        claude-mem usage --by session --json | jq '.lines[0]'
    """
    from watcher import settings as settings_room
    from watcher.memory import lookup
    from watcher.memory import usage as rows
    from watcher.service.events import now

    if by not in _OF:
        raise UsageError(f"no usage by {by!r}", hint=f"--by {' or '.join(_OF)}")
    settings = settings_room.load()
    moment = now()
    since, (_, until) = rows.day(moment, days - 1)[0], rows.day(moment)
    with lookup.opened(settings.database) as connection:
        if by == "day":
            lines = rows.by_day(connection, days, moment)
        else:
            lines = (rows.by_project if by == "project" else rows.by_session)(connection, since)
        total = rows.between(connection, since, until)
        today = rows.today(connection, moment)
    if as_json:
        agent = settings.agent
        budget = {"daily_requests": agent.daily_requests, "daily_dollars": agent.daily_dollars, "resets_at": until}
        say_json({"by": by, "days": days, "lines": lines, "total": total, "today": today, "budget": budget})
        return
    if lines:
        _print_table(by, lines, total)
    else:
        say(f"nothing was asked of the model in the last {counted(days, 'day')}")
    say(f"today: {', '.join(share(today, settings.agent))}")


def share(today: Spent, settings: AgentSettings) -> tuple[str, str]:
    """Return how many of the day's requests are made, and how many of its dollars spent, each beside its bound."""
    requests, dollars = settings.daily_requests, settings.daily_dollars
    return (
        f"{today.requests:,} of {requests:,} requests" if requests else counted(today.requests, "request"),
        f"${today.cost_usd:.2f} of ${dollars:.2f}" if dollars else f"${today.cost_usd:.2f}",
    )


def _print_table(by: str, lines: list[Line], total: Spent) -> None:
    say(_fitted(by) + "".join(f"{name:>{width}}" for name, width in zip(_COLUMNS, _WIDTHS, strict=True)), bold=True)
    for line in lines:
        say(_fitted(_name(by, line)) + _figures(line.spent))
    if len(lines) > 1:
        say(_fitted("in all") + _figures(total), bold=True)


def _name(by: str, line: Line) -> str:
    """Return what a line is called: of a session its id's beginning, and when it was asked about last."""
    return f"{line.name[:8]} {local_time(line.last_at)}" if by == "session" else line.name or "(unknown)"


def _figures(spent: Spent) -> str:
    told = (
        f"{spent.requests:,}",
        f"{spent.tool_uses:,}",
        f"{spent.input_tokens:,}",
        f"{spent.output_tokens:,}",
        f"${spent.cost_usd:,.2f}",
    )
    return "".join(f"{text:>{width}}" for text, width in zip(told, _WIDTHS, strict=True))


def _fitted(name: str) -> str:
    """Return a name in its column; the end of a folder says most."""
    return f"{name if len(name) < _NAME else '…' + name[-(_NAME - 2) :]:<{_NAME}}"
