"""Owns the choice of an agent: tool uses in, observations and a summary out.

Knows neither the transcript nor the database. Cheap to import and to hold: claude-agent-sdk, whose import alone takes
a second and 40 MB, is loaded in a process of its own (see `proxy`), and only while there is something to ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.agent.extractive import ExtractiveAgent
from watcher.agent.proxy import AgentProxy

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.agent.base import Agent
    from watcher.settings import AgentSettings

__all__ = ["create"]


def create(settings: AgentSettings, workdir: Path, claude_dir: Path) -> Agent:
    """Return the agent that the settings name; no process is started before its first batch.

    Args:
        settings: the `[agent]` section.
        workdir: a folder for the model's process alone; made where it is missing.
        claude_dir: Claude Code's own folder, whose login is used.
    """
    if settings.name == ExtractiveAgent.name:
        return ExtractiveAgent()
    return AgentProxy(settings, workdir, claude_dir)
