"""Owns what became of a project's files in a turn: what was changed and how, moved, deleted, committed, taken back."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from watcher.agent import actions, shell
from watcher.agent.base import ToolUse
from watcher.agent.wording import bounded

_LINE = 80  # characters of one quoted line
_NAMES = 4  # of the definitions that came, went or changed
_MODIFIERS = r"(?:(?:export|default|pub(?:\([a-z]+\))?|public|private|protected|static|final|abstract|async)\s+)*"
_DEFINITION = re.compile(
    rf"^[ \t]*{_MODIFIERS}(?:def|class|function\*?|fn|func|interface|struct|enum|trait|module|CREATE TABLE)\s+"
    r"(?:\([^)]*\)\s*)?([A-Za-z_$][\w$]*)"
    # A local variable is nothing to tell of.
    rf"|^{_MODIFIERS}(?:type|const|let|var)\s+([A-Za-z_$][\w$]*)|^([A-Z][A-Z0-9_]+)\s*(?::[^=\n]+)?=",
    re.MULTILINE,
)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_PROSE = frozenset({".md", ".mdx", ".markdown", ".qmd"})
_CUT = re.compile(r"\[… \d+ characters left out …\]")  # see `watcher.transcript.excerpts`
_CREATED = re.compile(r"(?i)^(file|new file) created\b")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to one file."""

    path: str
    old: str  # the text replaced; empty where a file was written
    new: str
    tool_use_id: str
    creates: bool = False

    def words(self) -> str:
        """Say what changed: the names defined or the first lines that differ, and how many lines came and went."""
        said = " ".join(filter(None, (self._what(), self._size())))
        return said or "edited"

    def names(self) -> dict[str, list[str]]:
        """Return the names of what came, went and changed, by these verbs."""
        before, after = _definitions(self.old, self.path), _definitions(self.new, self.path)
        added = [name for name in after if name not in before]
        removed = [name for name in before if name not in after]
        renamed = []
        if len(added) == len(removed) == 1 and before[removed[0]].replace(removed[0], added[0]) == after[added[0]]:
            renamed, added, removed = [f"{removed[0]} to {added[0]}"], [], []
        changed = [name for name in after if name in before and before[name] != after[name]]
        return {"renamed": renamed, "added": added, "removed": removed, "changed": changed}

    def lines(self) -> tuple[int, int] | None:
        """Return how many lines came, and how many went; None where the texts were cut, or a file was overwritten."""
        if _CUT.search(self.old + self.new) or not (self.old or self.new) or (not self.old and not self.creates):
            return None
        before, after = self.old.splitlines(), self.new.splitlines()
        gone = come = 0
        for _, i1, i2, j1, j2 in _changes(before, after):
            gone, come = gone + i2 - i1, come + j2 - j1
        return come, gone

    def _what(self) -> str:
        names = _said(self.names())
        if not self.old:
            names = names.removeprefix("added ")
            return names if self.creates or not self.new else f"written anew{f': {names}' if names else ''}"
        if names:
            return names
        before = [line for line in self.old.splitlines() if line.strip()]
        after = [line for line in self.new.splitlines() if line.strip()]
        _, i1, i2, j1, j2 = next(iter(_changes(before, after)), ("", 0, 0, 0, 0))
        gone = bounded(before[i1], _LINE) if i2 > i1 else ""
        come = bounded(after[j1], _LINE) if j2 > j1 else ""
        if gone and come:
            return f"`{gone}` → `{come}`"
        return f"added `{come}`" if come else f"removed `{gone}`" if gone else ""

    def _size(self) -> str:
        if self.creates:
            count = self.new.rstrip().count("\n") + 1
            return "" if _CUT.search(self.new) else f"({count} line{'' if count == 1 else 's'})"
        return _counted(self.lines()) if self.old else ""


@dataclass(slots=True)
class Change:
    """All that stands of what was done to one file."""

    path: str  # as seen from the project
    edits: list[Edit] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return PurePath(self.path).name or self.path

    @property
    def is_new(self) -> bool:
        """Whether the file was not there before."""
        return bool(self.edits) and self.edits[0].creates

    def words(self) -> str:
        """Say what changed, as one phrase."""
        if len(self.edits) == 1:
            said = self.edits[0].words()
        else:
            said = " ".join(filter(None, (self._names() or self.edits[0]._what(), self._size()))) or "edited"
        if not self.is_new:
            return said
        about = said.removeprefix("added ").removeprefix("edited")
        return f"new{'' if about.startswith('(') else ':'} {about}" if about else "new"

    def _names(self) -> str:
        merged: dict[str, list[str]] = {"renamed": [], "added": [], "removed": [], "changed": []}
        for names in (edit.names() for edit in self.edits):
            merged["renamed"] += names["renamed"]
            for name in names["added"]:
                _put(merged, "changed" if name in merged["removed"] else "added", name)
            for name in names["changed"]:
                _put(merged, "added" if name in merged["added"] else "changed", name)
            for name in names["removed"]:
                was_added = name in merged["added"]
                _put(merged, "" if was_added else "removed", name)
        return _said(merged)

    def _size(self) -> str:
        if self.is_new:
            return self.edits[0]._size()
        counts = [edit.lines() for edit in self.edits]
        known = [count for count in counts if count]
        return _counted((sum(c for c, _ in known), sum(g for _, g in known))) if len(known) == len(counts) else ""


@dataclass(slots=True)
class Files:
    """What became of the files: what stands at the end, and what was tried and taken back."""

    changes: dict[str, Change] = field(default_factory=dict)  # by path, in the order of the first change
    moved: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    taken_back: list[Edit] = field(default_factory=list)


def told(uses: Sequence[ToolUse], project: str) -> Files:
    """Return what became of the files in these tool uses."""
    files = Files()
    for use in uses:
        for edit in edits(use, project):
            _edit(files, edit)
        command = actions.command_of(use)
        if not command or actions.has_failed(use):
            continue
        files.commits += shell.commits(command)
        files.moved += shell.moves(command)
        for path in shell.takes_back(command):
            _take_back(files, [known for known in files.changes if _is_in(known, path, project)])
        for path in shell.deletions(command):
            inside = [known for known in files.changes if _is_in(known, path, project)]
            _take_back(files, [known for known in inside if files.changes[known].is_new])
            for known in inside:
                files.changes.pop(known, None)
            if not PurePath(path).is_absolute() and not inside:
                files.deleted.append(path)
            files.deleted += [known for known in inside if known not in {e.path for e in files.taken_back}]
    return files


def edits(use: ToolUse, project: str) -> Iterator[Edit]:
    """Yield the changes that a tool use made; a refused one made none."""
    if use.is_error or not (use.name in actions.EDITORS or use.files_modified):
        return
    given = actions.arguments(use.input)
    named = actions.text_of(given, "file_path", "notebook_path", "path")
    creates = bool(_CREATED.match(use.output))
    for path in use.files_modified or ((named,) if named else ()):
        for old, new in actions.changes(given):
            yield Edit(actions.relative(path, project), old, new, use.tool_use_id, creates)


def _edit(files: Files, edit: Edit) -> None:
    """Take an edit in; one that only undoes an earlier one takes that back."""
    change = files.changes.setdefault(edit.path, Change(edit.path))
    for earlier in reversed(change.edits):
        if edit.old and (earlier.old, earlier.new) == (edit.new, edit.old):
            change.edits.remove(earlier)
            files.taken_back.append(earlier)
            if not change.edits:
                del files.changes[edit.path]
            return
    change.edits.append(edit)


def _take_back(files: Files, paths: Iterable[str]) -> None:
    for path in paths:
        files.taken_back += files.changes.pop(path).edits


def _is_in(known: str, path: str, project: str) -> bool:
    """Whether a changed file is the one that a command names, or in the folder that it names."""
    named = actions.relative(path, project).replace("\\", "/").rstrip("/").removeprefix("./")
    return named in ("", ".") or f"{known}/".replace("\\", "/").startswith(f"{named}/")


def _definitions(text: str, path: str) -> dict[str, str]:
    """Return what a text defines, by name, each with its own text; of prose, the headings."""
    pattern = _HEADING if PurePath(path).suffix.lower() in _PROSE else _DEFINITION
    found = list(pattern.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)] * bool(found)
    names = [next(filter(None, match.groups())) for match in found]
    return {name: text[match.start() : end].strip() for name, match, end in zip(names, found, ends, strict=True)}


def _changes(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=True)
    return [code for code in matcher.get_opcodes() if code[0] != "equal"]


def _said(names: dict[str, list[str]]) -> str:
    parts = []
    for verb, some in names.items():
        if some:
            more = f" and {len(some) - _NAMES} more" if len(some) > _NAMES else ""
            parts.append(f"{verb} {', '.join(some[:_NAMES])}{more}")
    return "; ".join(parts)


def _put(names: dict[str, list[str]], verb: str, name: str) -> None:
    """Move a name to a verb, from any other; to none where the verb is empty."""
    for some in names.values():
        if name in some:
            some.remove(name)
    if verb:
        names[verb].append(name)


def _counted(lines: tuple[int, int] | None) -> str:
    return f"(+{lines[0]} −{lines[1]})" if lines else ""
