"""Owns the files by which hooks hear of the settings that they go by: they have no time to read those themselves."""

from __future__ import annotations

from pathlib import Path

from watcher import permissions
from watcher.privacy.excluded import Excluded
from watcher.service.events import Event, EventKind, Listener
from watcher.settings import Settings


def tell_hooks(settings: Settings, listener: Listener) -> None:
    """Write down what hooks are to know; where that cannot be done, say what they will do until the next time."""
    globs = Excluded(settings.privacy.exclude).globs
    for path, text, otherwise in (
        (settings.at_prompt, f"{settings.context.at_prompt}\n", "prompts bring nothing up"),
        (settings.excluded, "\n".join(globs), "hooks write down sessions that are left out, and this takes them away"),
        (settings.sdk_sessions, "1\n" if settings.privacy.sdk_sessions else "", "hooks leave out what the SDK begins"),
    ):
        try:
            _put(path, text)
        except OSError as error:  # the disk is full: no reason not to watch
            said = f"cannot write {path} ({error.strerror}): until the next start, {otherwise}"
            listener(Event(EventKind.TROUBLE, said))


def _put(path: Path, text: str) -> None:
    """Write a file whole, for its owner only; take it away where it would be empty."""
    if not text:
        path.unlink(missing_ok=True)
        return
    fresh = path.with_name(path.name + ".new")
    permissions.make_private_file(fresh)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
