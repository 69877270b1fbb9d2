"""Owns the choice of an agent: tool uses in, observations and a summary out.

Knows neither the transcript nor the database. Importing this package stays cheap: claude-agent-sdk, whose
import alone takes a second or two, is loaded only where `create` is asked for the agent that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.agent.extractive import ExtractiveAgent

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
    from watcher.agent.claude import ClaudeAgent  # a second or two, see above

    return ClaudeAgent(settings, workdir, claude_dir)
