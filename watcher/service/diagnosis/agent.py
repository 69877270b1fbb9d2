"""Owns the check of the agent: that the Claude Code it asks is there, is new enough, and is logged in."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.agent import cli, faults
from watcher.service.diagnosis.finding import Case, Finding, State


def agent(case: Case) -> Iterator[Finding]:
    """Can observations and summaries be written?"""
    settings = case.settings.agent
    if settings.name == "extractive":
        yield Finding("agent", State.OK, "extractive: it needs no model, no network and no login")
        return
    path = cli.find_cli(settings)
    if path is None:
        yield Finding("agent", State.WRONG, f"no Claude Code CLI {cli.looked_at(settings)}", faults.CLI_HINT)
        return
    version = cli.version_of(path)
    if version is None:
        yield Finding("agent", State.WRONG, f"{path} does not say its version", faults.CLI_HINT)
        return
    text = f"{settings.name}, with Claude Code {_dotted(version)} in {path}"
    if version < cli.OLDEST:
        text = f"{text}, which is too old: {_dotted(cli.OLDEST)} is needed"
        yield Finding("agent", State.WRONG, text, faults.UPDATE_HINT)
        return
    yield Finding("agent", State.OK, text)
    login = cli.login_of(path, case.settings.claude_dir)
    if login.logged_in is None:
        yield Finding("login", State.WARNING, login.text, "claude auth status")
    elif login.logged_in:
        yield Finding("login", State.OK, login.text)
    else:
        yield Finding("login", State.WRONG, login.text, faults.LOGIN_HINT)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
