"""Owns where hooks of ours are written down: in Claude Code's settings.json, and in its lists of plugins.

Observed of Claude Code 2.1.330: `enabledPlugins` in settings.json, `plugins/installed_plugins.json`, and
`plugins/known_marketplaces.json`. It runs a plugin of a folder's marketplace from that folder, any other from its copy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watcher import resources
from watcher.service import claude_settings


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook of ours."""

    event: str
    command: str  # the Python that runs it, as it is written
    script: Path

    @property
    def root(self) -> Path:
        """The installation that its script is of."""
        return self.script.parent.parent


@dataclass(frozen=True, slots=True)
class Plugin:
    """Our plugin as Claude Code has it."""

    name: str  # mem@claude-mem
    root: Path  # from where its hooks are run
    is_installed: bool
    is_enabled: bool
    projects: int  # that it is installed for; 0: for all
    hooks: list[Hook]


def hooks_of_settings(written: dict[str, Any]) -> list[Hook]:
    """Return the hooks of ours in a settings.json."""
    events = written.get("hooks")
    return [
        Hook(event, str(hook.get("command", "")), Path(hook["args"][-2]))
        for event, groups in _dict(events).items()
        for group in _list(groups)
        for hook in _list(_dict(group).get("hooks"))
        if _is_ours(event, hook)
    ]


def _is_ours(event: str, hook: object) -> bool:
    """Say whether a hook would be taken away with ours."""
    return bool(claude_settings.with_hooks({"hooks": {event: [{"hooks": [hook]}]}}, {})[1])


def read_plugin(claude_dir: Path, written: dict[str, Any]) -> Plugin | None:
    """Return our plugin, None where Claude Code does not know it. `written` is its settings.json."""
    marketplace = _read(resources.plugin_root() / ".claude-plugin" / "marketplace.json").get("name", "")
    plugin = _read(resources.plugin_root() / ".claude-plugin" / "plugin.json").get("name", "")
    name = f"{plugin}@{marketplace}"
    is_enabled = _dict(written.get("enabledPlugins")).get(name) is True
    places = _dict(_read(claude_dir / "plugins" / "installed_plugins.json").get("plugins")).get(name)
    installed = [place for place in _list(places) if isinstance(place, dict)]
    if not installed and not is_enabled:
        return None
    is_for_all = any(place.get("scope") == "user" for place in installed)
    root = _root(claude_dir, marketplace, installed)
    return Plugin(
        name=name,
        root=root,
        is_installed=bool(installed),
        # For one project it is enabled in that project's settings, which are not ours to search.
        is_enabled=is_enabled or (bool(installed) and not is_for_all),
        projects=0 if is_for_all else len(installed),
        hooks=_declared(root),
    )


def _root(claude_dir: Path, marketplace: str, installed: list[dict[str, Any]]) -> Path:
    known = _dict(_read(claude_dir / "plugins" / "known_marketplaces.json").get(marketplace))
    if _dict(known.get("source")).get("source") == "directory" and known.get("installLocation"):
        return Path(str(known["installLocation"]))
    return Path(str(installed[0].get("installPath", ""))) if installed else claude_dir / "plugins"


def _declared(root: Path) -> list[Hook]:
    """Return the hooks that a plugin declares, with its folder put in."""
    found = []
    for event, groups in _dict(_read(root / "hooks" / "hooks.json").get("hooks")).items():
        hook = groups[0]["hooks"][0]
        script = str(hook["args"][-1]).replace("${CLAUDE_PLUGIN_ROOT}", str(root))
        found.append(Hook(event, str(hook["command"]), Path(script)))
    return found


def version_in(root: Path) -> str:
    """Return the version of an installation."""
    return str(_read(root / ".claude-plugin" / "plugin.json").get("version") or "unknown")


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON file's object, empty where there is none."""
    try:
        return _dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
