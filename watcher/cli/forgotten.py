"""Owns how it is shown what is forgotten, where in the memory a text stays, and what may still hold it elsewhere."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from watcher.cli.style import counted, fitted, local_time, on_one_line, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.memory.mentions import Places
    from watcher.memory.preview import Preview
    from watcher.memory.selection import Wanted

SHOWN = 10  # lines of what goes, and of where it stays


def show_preview(preview: Preview, wanted: Wanted) -> None:
    """Show how much would go, and some of it."""
    say(f"would go: {amounts(preview)}", bold=True)
    for line in preview.lines:
        say(fitted(f"  {line.id:<8}{local_time(line.at)}  {on_one_line(line.text)}"))
    if preview.more:
        say(f"  and {preview.more:,} more")
    if preview.anew:
        shown = ", ".join(preview.anew[:SHOWN]) + (", …" if len(preview.anew) > SHOWN else "")
        say(f"  {shown} {'is' if len(preview.anew) == 1 else 'are'} made anew of what is left")
    if wanted.project is not None and wanted.is_whole:
        say(f"  and all that is known of the project {wanted.project}")


def show_places(places: Places | None, *, is_over: bool = True) -> None:
    """Show where in the memory a text stays, and what takes it away there too."""
    if places is None or not any(places):
        return
    state = "Still" if is_over else "May stay"
    if places.projects:
        say(f"{state} in the paths of projects. What takes that away, and all else of one:", bold=True)
    for project in places.projects[:SHOWN]:
        say(f"  claude-mem forget --project {shlex.quote(on_one_line(project))}")
    if len(places.projects) > SHOWN:
        say(f"  and {len(places.projects) - SHOWN:,} more")
    if places.transcripts:
        paths = counted(places.transcripts, "path of a transcript", "paths of transcripts")
        say(f"{state} in {paths}: by these none is read again, whatever is forgotten", bold=True)


def show_copies(found: Sequence[dict[str, str]]) -> None:
    """Name what may still hold it outside of the memory."""
    if found:
        say("Not touched, and may still hold it:", bold=True)
        for one in found:
            say(f"  {one['path']}  ({one['what']})")


def amounts(preview: Preview) -> str:
    """Return how much of what kinds goes."""
    nouns = {
        "sessions": ("session", "sessions"),
        "prompts": ("prompt", "prompts"),
        "observations": ("observation", "observations"),
        "summaries": ("summary", "summaries"),
        "tool_uses": ("tool use", "tool uses"),
        "titles": ("title of a session", "titles of sessions"),
    }
    parts = [counted(preview.counts[name], one, many) for name, (one, many) in nouns.items() if preview.counts[name]]
    return ", ".join(parts) or "nothing that is in the memory; what it did until now is kept out"
