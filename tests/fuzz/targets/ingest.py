"""Taking a transcript in: real lines with something wrong in them, read whole, in pieces, again, and anew."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.targets.entries import REAL, USED, WORDS
from tests.fuzz.values import changed, json_bytes
from tests.rows import rows
from tests.soak.dump import Row, difference, dump
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher.memory.database import Database
from watcher.service.ingest import Ingest
from watcher.settings import CaptureSettings
from watcher.transcript import entries

NOW = 1_790_000_000_000
TURNS = [line for number in range(3) for line in lines.turn(1000 * number, number).split(b"\n")[:-1]]
LINES = st.sampled_from(TURNS) | json_bytes(changed(REAL, *WORDS, most=2)) | json_bytes(changed(USED, *WORDS, most=1))
IN_ORDER = st.lists(st.integers(0, len(TURNS) - 1), max_size=12, unique=True).map(
    lambda numbers: [TURNS[number] for number in sorted(numbers)]
)
CASES = st.tuples(
    st.lists(LINES, max_size=12) | IN_ORDER | IN_ORDER,
    st.lists(st.integers(0, 100), max_size=4),  # where the file ends meanwhile, in hundredths
    st.booleans(),  # its last line is whole
)
EXAMPLES = 40


def check(case: tuple[list[bytes], list[int], bool], folder: Path) -> None:
    made, cuts, is_whole = case
    made = [line.replace(b"\n", b"") for line in made]
    content = b"\n".join(made) + (b"\n" if is_whole else b"")
    whole = _Memory(folder, "whole")
    whole.take_in(content)
    pieces = _Memory(folder, "pieces")
    for cut in sorted(cuts):
        pieces.take_in(content[: len(content) * cut // 100])
    pieces.take_in(content)
    try:
        there, kept = whole.dump(), whole.kept()
        _check_all_there(whole, content.split(b"\n")[:-1])
        whole.take_in(content)
        assert not difference(there, whole.dump())
        if _is_in_order(content.split(b"\n")[:-1]):
            assert not (found := difference(there, pieces.dump())), str(found)
        whole.take_in(b'{"type":"mode"}\n' + content)  # another file, read from its start
        assert whole.kept() == kept  # nothing twice; what is read anew in another order may close a turn
    finally:
        whole.database.close()
        pieces.database.close()


class _Memory:
    """A memory that one transcript is taken into."""

    def __init__(self, folder: Path, name: str) -> None:
        self.home = folder / name
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(_empty(folder), self.home)
        self.database = Database(self.home / "data" / "claude-mem.db")
        self.path = folder / "transcripts" / f"{SESSION}.jsonl"  # the same for all: it stands in the rows

    def take_in(self, content: bytes) -> None:
        """Take in a file of this content, as a watcher does that has just started."""
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_bytes(content)
        Ingest(self.database, CaptureSettings(), clock=lambda: NOW).take_in(self.path)

    def dump(self) -> Counter[Row]:
        """Return all rows, but for where a session runs: that is said by the first lines that are taken in."""
        found = Counter[Row]()
        for (table, columns), times in dump(self.database.path, self.home).items():
            if not table.startswith("project_"):
                found[table, tuple(one for one in columns if one[0] not in ("project", "cwd"))] += times
        return found

    def kept(self) -> list[tuple[Any, ...]]:
        """Return what was done and asked, by what is unique of it."""
        path = self.database.path
        return rows(path, "SELECT uuid, prompt_text, session_id FROM user_prompts ORDER BY uuid") + rows(
            path, "SELECT tool_use_id, name, input, output, session_id FROM tool_uses ORDER BY tool_use_id"
        )


def _empty(folder: Path) -> Path:
    """Return the home of an empty memory, made once: to make one takes longer than all the rest."""
    home = folder / "empty"
    if not home.exists():
        with closing(Database.create(home / "data" / "claude-mem.db")):
            pass
    return home


def _is_in_order(made: list[bytes]) -> bool:
    """Say whether all stands in the order in which Claude Code writes it.

    A result before its call is nobody's where it is read apart from it; which words close a turn is a matter of times.
    """
    early: set[str] = set()
    last = 0
    for line in made:
        try:
            there = entries.understand(line.removesuffix(b"\r")).entries
        except entries.BrokenLineError:
            continue
        at = max([last, *(one.at for one in there)])
        if any(one.at < last for one in there if not isinstance(one, entries.Title)):
            return False
        last = at
        early |= {one.tool_use_id for one in there if isinstance(one, entries.ToolResult)}
        if any(isinstance(one, entries.ToolUse) and one.tool_use_id in early for one in there):
            return False
    return True


def _check_all_there(memory: _Memory, made: list[bytes]) -> None:
    """See that no line was taken and lost, and none is there twice."""
    path = memory.database.path
    found: list[entries.Entry] = []
    broken = taken = 0
    for line in made:
        try:
            there = entries.understand(line.removesuffix(b"\r")).entries
            found += there
            taken += any(not isinstance(one, entries.Compaction) for one in there)
        except entries.BrokenLineError:
            broken += 1
    uses = {one.tool_use_id for one in found if isinstance(one, entries.ToolUse)}
    prompts = {one.uuid for one in found if isinstance(one, entries.Prompt)}
    assert {id_ for (id_,) in rows(path, "SELECT tool_use_id FROM tool_uses")} >= uses
    assert {uuid for (uuid,) in rows(path, "SELECT uuid FROM user_prompts")} == prompts
    assert rows(path, "SELECT reason FROM broken_lines WHERE reason LIKE '%defect%'") == []
    assert rows(path, "SELECT count(*) FROM broken_lines") == [(broken,)]
    if made:
        counted = rows(path, "SELECT lines_taken, lines_skipped FROM checkpoints")
        assert counted == [(taken, len(made) - taken - broken)]
