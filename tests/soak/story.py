"""Owns the live replay: what several sessions write at once, step by step, the same for the same seed.

Every line has its own time, later than that of the line before it, beginning at one number: so two runs of a story
differ in nothing but when its steps are taken.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.soak.ledger import Ledger
from tests.transcript import lines
from watcher.memory.models import FlagKind
from watcher.service import recording

FIXTURES = Path(__file__).parents[2] / "fixtures"
AGO = 3 * 60_000  # milliseconds from a story's beginning to now: less than what a new memory looks back
_STAMP = re.compile(rb'("timestamp": ?")([0-9T:.\-]{19,26}Z)(")')


@dataclass(frozen=True)
class Write:
    """Bytes that are appended to a transcript; perhaps half a line."""

    path: Path  # below the projects folder
    data: bytes


@dataclass(frozen=True)
class Prompted:
    """What the UserPromptSubmit hook writes down."""

    session_id: str
    path: Path
    cwd: str
    at: int  # epoch


@dataclass(frozen=True)
class Raised:
    """What the Stop or the SessionEnd hook writes down."""

    session_id: str
    path: Path
    kind: FlagKind
    at: int  # epoch
    event: dict[str, object]
    by_hook: bool  # the real one, as a process, rather than its INSERT


Step = Write | Prompted | Raised


@dataclass
class Story:
    """The steps, and what has to be in the memory after them (of recorded sessions nothing is said)."""

    steps: list[Step] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)


@dataclass(frozen=True)
class Manner:
    """How often lines are torn, and flags are raised by the real hooks."""

    torn: float = 0.4
    by_hook: float = 0.1


USUAL = Manner()


@dataclass
class _Teller:
    """What the sessions of one story share."""

    begin: int
    random: random.Random
    story: Story
    manner: Manner
    ticks: Iterator[int] = field(default_factory=lambda: itertools.count(1000, 10))
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def ledger(self) -> Ledger:
        return self.story.ledger

    def tick(self) -> int:
        """Return the next time, as `lines` counts: from its own beginning."""
        return self.begin + next(self.ticks) - lines.BEGIN

    def pieces(self, path: Path, data: bytes) -> Iterator[Step]:
        """Append a line, torn now and then."""
        is_torn = self.random.random() < self.manner.torn
        cuts = sorted(self.random.randrange(1, len(data)) for _ in range(self.random.choice((1, 2)) * is_torn))
        for start, end in itertools.pairwise([0, *cuts, len(data)]):
            if start < end:
                yield Write(path, data[start:end])


def tell(seed: int, begin: int, *, sessions: int = 8, fixtures: tuple[str, ...] = (), manner: Manner = USUAL) -> Story:
    """Return a story of some generated sessions, and of recorded ones."""
    chance = random.Random(seed)
    teller = _Teller(begin, chance, Story(), manner)
    kinds = (_ordinary, _ordinary, _with_subagent, _with_queued_prompt, _torn_for_ever, _resumed, _without_hooks, _cut)
    under_way = [kinds[number % len(kinds)](teller, number) for number in range(sessions)]
    under_way += [_recorded(teller, name) for name in fixtures]
    while under_way:
        session = chance.choice(under_way)
        step = next(session, None)
        if step is None:
            under_way.remove(session)
        else:
            teller.story.steps.append(step)
    return teller.story


class _Session:
    """One generated session, as its steps are told."""

    def __init__(self, teller: _Teller, number: int) -> None:
        self.teller = teller
        self.id = f"{number:08d}-0000-4000-8000-{teller.random.randrange(1 << 48):012x}"
        self.cwd = f"/home/dev/project-{number % 3}"
        self.path = Path(self.cwd.replace("/", "-")) / f"{self.id}.jsonl"
        self.said = ""

    def write(self, make: Callable[..., bytes], *parts: str, path: Path | None = None) -> Iterator[Step]:
        """Write one line of `lines`, in this session's folder."""
        data = make(self.teller.tick(), *parts)
        data = data.replace(b'"/home/dev/api"', json.dumps(self.cwd).encode(), 1)
        yield from self.teller.pieces(path or self.path, data)

    def prompted(self) -> Iterator[Step]:
        """Give a prompt, and have the hook say so."""
        number = next(self.teller.numbers)
        at = self.teller.tick()
        yield Prompted(self.id, self.path, self.cwd, lines.BEGIN + at)
        uuid = f"prompt-{number}"
        self.teller.ledger.prompts.add(uuid)
        data = lines.prompt(at, f"Do number {number}, é\u2028 and all.", uuid)
        yield from self.teller.pieces(self.path, data.replace(b'"/home/dev/api"', json.dumps(self.cwd).encode(), 1))

    def tool(self, path: Path | None = None, *, answered: bool = True) -> Iterator[Step]:
        """Use a tool."""
        tool_use_id = f"toolu_{next(self.teller.numbers)}"
        self.teller.ledger.tool_uses.add(tool_use_id)
        yield from self.write(lambda at, name: lines.tool_use(at, name, command=f"make {name}"), tool_use_id, path=path)
        if answered:
            yield from self.write(lines.tool_result, tool_use_id, f"{tool_use_id} passed", path=path)

    def closing(self, *, flag: bool = True) -> Iterator[Step]:
        """End the turn: the Stop flag may be raised before the last words are in the transcript."""
        self.said = f"Did number {next(self.teller.numbers)}."
        words = list(self.write(lines.words, self.said))
        stop = list(self.raised(FlagKind.FINALIZE, last_assistant_message=self.said)) if flag else []
        yield from [*stop, *words] if self.teller.random.random() < 0.5 else [*words, *stop]
        yield from self.write(lines.turn_end)
        self.teller.ledger.turns[self.id] += 1

    def raised(self, kind: FlagKind, **event: object) -> Iterator[Step]:
        """Have a hook raise a flag."""
        # Numbered: the very same event twice within ten seconds is a hook that is set up twice.
        whole = {"session_id": self.id, "cwd": self.cwd, "prompt_id": str(next(self.teller.numbers)), **event}
        by_hook = self.teller.random.random() < self.teller.manner.by_hook
        yield Raised(self.id, self.path, kind, lines.BEGIN + self.teller.tick(), whole, by_hook)

    def turn(self) -> Iterator[Step]:
        yield from self.prompted()
        for _ in range(self.teller.random.randint(1, 5)):
            yield from self.tool()
        yield from self.closing()

    def over(self) -> Iterator[Step]:
        yield from self.raised(FlagKind.CLEANUP, reason="other")


def _ordinary(teller: _Teller, number: int) -> Iterator[Step]:
    session = _Session(teller, number)
    for _ in range(3):
        yield from session.turn()
    yield from session.over()


def _with_subagent(teller: _Teller, number: int) -> Iterator[Step]:
    session = _Session(teller, number)
    yield from session.turn()
    yield from session.prompted()
    yield from session.tool()
    side = session.path.with_suffix("") / "subagents" / "agent-a1.jsonl"
    for _ in range(4):
        yield from session.tool(side)
        yield from session.tool()
    yield from session.closing()
    yield from session.over()


def _with_queued_prompt(teller: _Teller, number: int) -> Iterator[Step]:
    session = _Session(teller, number)
    yield from session.prompted()
    yield from session.tool()
    at = teller.tick()
    teller.ledger.prompts.add(f"queued-{at}")
    data = lines.queued(at, "And one thing more.").replace(b'"/home/dev/api"', json.dumps(session.cwd).encode(), 1)
    yield from teller.pieces(session.path, data)
    yield from session.tool()
    yield from session.closing()
    yield from session.turn()
    yield from session.over()


def _torn_for_ever(teller: _Teller, number: int) -> Iterator[Step]:
    """Claude Code was killed in the middle of a line; resumed, it ends the line and goes on."""
    session = _Session(teller, number)
    yield from session.turn()
    yield from session.prompted()
    yield from session.tool()
    torn = lines.words(teller.tick(), "These words are never")
    yield Write(session.path, torn[: teller.random.randrange(1, len(torn) - 1)])
    yield Write(session.path, b"\n")
    yield from session.turn()
    teller.ledger.turns[session.id] += 1  # the one that was cut short is over too
    yield from session.over()


def _resumed(teller: _Teller, number: int) -> Iterator[Step]:
    session = _Session(teller, number)
    for _ in range(2):
        yield from session.turn()
        yield from session.over()


def _without_hooks(teller: _Teller, number: int) -> Iterator[Step]:
    """Nobody raises a flag: the transcript's own turn ends have to do."""
    session = _Session(teller, number)
    for _ in range(3):
        told = list(session.prompted())
        yield from told[1:]
        yield from session.tool()
        yield from session.closing(flag=False)


def _cut(teller: _Teller, number: int) -> Iterator[Step]:
    """Ctrl-C in the middle of a tool: a SessionEnd without a Stop."""
    session = _Session(teller, number)
    yield from session.turn()
    yield from session.prompted()
    yield from session.tool()
    yield from session.tool(answered=False)
    yield from session.over()
    teller.ledger.turns[session.id] += 1


def _recorded(teller: _Teller, name: str) -> Iterator[Step]:
    """Tell a recording as if it was made now; what it holds is for the comparison of two runs only."""
    recordings = recording.find([FIXTURES / name])
    begin = teller.begin + next(teller.ticks) - min(found.started_at for found in recordings)
    steps: list[tuple[int, Step]] = []
    for found in recordings:
        folder = Path(f"-recorded-{name}")
        for line in found.lines():
            data = _STAMP.sub(lambda stamp: stamp[1] + _shifted(stamp[2], begin) + stamp[3], line.data)
            path = folder / line.path.relative_to(found.path.parent)
            steps += [(line.at, piece) for piece in teller.pieces(path, data)]
        for flag in found.flags:
            event = {key: value for key, value in json.loads(flag.event).items() if key != "transcript_path"}
            at = flag.at + begin
            steps.append((flag.at, Raised(found.session_id, folder / found.path.name, flag.kind, at, event, False)))
    yield from (step for _, step in sorted(steps, key=lambda step: step[0]))


def _shifted(stamp: bytes, by: int) -> bytes:
    moment = datetime.fromisoformat(stamp.decode()).timestamp() * 1000 + by
    return datetime.fromtimestamp(round(moment) / 1000, UTC).isoformat(timespec="milliseconds")[:-6].encode() + b"Z"
