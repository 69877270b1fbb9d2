"""Owns killing watcher after watcher over one live replay, and comparing what is left with a run that nobody disturbed.

    with Nursery() as nursery:
        expected = undisturbed(nursery, folder / "calm", story)
        killed = Kills(nursery, folder / "killed", story, expected, random.Random(seed))
        killed.run(30)

Drawn by a seed: how many lines of the program a life lasts, and in which room they are counted. Which line that is
depends on the machine all the same, so each kill is written down.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.soak import dump
from tests.soak.dump import Difference, Row
from tests.soak.fuse import Fuse
from tests.soak.nursery import POLL, Home, Mortal, Nursery
from tests.soak.story import Story
from tests.soak.writer import Writer

LONGEST_REST = 30.0  # seconds for a watcher to do all that is left
CALM = 1.0  # seconds in which nothing changes any more: all is done
PATIENCE = 0.7  # seconds that a life goes on with nothing written; a fuse that did not burn by then is helped

# What every life begins with, the making of the tables above all.
BEGINNING = (
    "alembic/",
    "alembic/",
    "watcher/memory/database",
    "watcher/settings",
    "watcher/service/presence",
    "watcher/service/",
    "watcher/cli/",
)
ROOMS = (
    "",
    "watcher/service/ingest",
    "watcher/memory/intake",
    "watcher/memory/checkpoints",
    "watcher/service/digest",
    "watcher/memory/outcomes",
    "watcher/memory/turns",
    "watcher/recall/",
    "watcher/agent/",
    "watcher/service/lifecycle",
    "watcher/memory/sessions",
    "watcher/service/watch",
    "watcher/service/follow",
    "watcher/service/listening",
    "watcher/service/asking",
    "watcher/memory/",
    "watcher/service/",
)
# Hooks are told what to do at their time: silence and patience end nothing while a story is played.
SETTINGS = {
    "agent": "claude",
    "agent_quiet": 0,
    "agent_worth_asking": 0,  # a few words ride along with whatever is asked next, which a kill may put off
    "agent_daily_requests": 0,
    "agent_daily_dollars": 0,
    "agent_retry_pause": 0.05,
    "agent_max_attempts": 1000,
    "watch_scan_interval": 0.1,
    "watch_discover_interval": 0.3,
    "watch_closing_wait": 600,
    "watch_quiet_turn": 86_400,
    "watch_idle_session": 864_000,
    "watch_orphan_session": 864_000,
}


def undisturbed(nursery: Nursery, folder: Path, story: Story, before: Path | None = None) -> Counter[Row]:
    """Play a story beside one watcher; return the dump of its memory.

    `before` is a database to begin with.
    """
    home = home_with(folder, before)
    writer = Writer(home, story)
    watcher = nursery.start(home)
    while writer.left:
        writer.step()
        assert watcher.is_alive(), home.log()
        time.sleep(0.002)
    settle(home)
    assert watcher.end() == 0, home.log()
    return dump.dump(home.database, home.folder)


def home_with(folder: Path, before: Path | None = None, **settings: object) -> Home:
    """Return a home that is empty but for a database, where one is given."""
    home = Home(folder, **{**SETTINGS, **settings})
    if before is not None:
        home.database.parent.mkdir(parents=True)
        home.database.write_bytes(before.read_bytes())
    return home


def settle(home: Home, expected: Counter[Row] | None = None) -> Difference:
    """Wait until the memory is as expected or, without expectation, as it stays; return what it lacks in the end."""
    deadline = time.monotonic() + LONGEST_REST
    last = dump.dump(home.database, home.folder)
    since = time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.1)
        found = dump.dump(home.database, home.folder)
        if expected is not None and found == expected:
            break
        if found != last:
            last, since = found, time.monotonic()
        elif expected is None and time.monotonic() - since > CALM:
            break
    return dump.difference(expected if expected is not None else found, found)


class Kills:
    """One story, and the watchers that die over it."""

    def __init__(
        self,
        nursery: Nursery,
        folder: Path,
        story: Story,
        expected: Counter[Row],
        chance: random.Random,
        *,
        before: Path | None = None,
        thinks: float | None = 0.04,
        **settings: object,
    ) -> None:
        """Take how long the watchers' scripted agent thinks; None: the agent is the settings'."""
        self._nursery = nursery
        self._expected = expected
        self._random = chance
        self._thinks = thinks
        self.home = home_with(folder, before, **settings)
        self._writer = Writer(self.home, story)
        self.told: list[str] = []  # one line a kill
        self.failed_starts: list[str] = []  # lives that ended by themselves

    def at_lines(self, kills: int, rooms: Sequence[str] = ROOMS) -> Difference:
        """Kill that many watchers at lines of the program; return how what is left differs from what it should be."""
        for number in range(kills):
            fuse = self._fuse(BEGINNING if number < kills // 4 else rooms)
            before = len(self.home.burnt())
            life = self._start(fuse)
            self._write(life, kills - number)
            self._let_burn(life)
            burnt = self.home.burnt()[before:]
            self.told.append(f"{fuse.room or 'anywhere'} {fuse.lines}: {burnt[0] if burnt else 'from outside'}")
        return self._rest()

    def at_times(self, kills: int, longest: float = 1.0) -> Difference:
        """Kill that many watchers from outside, after some seconds each."""
        for number in range(kills):
            after = longest * self._random.random() ** 2
            life = self._start(None)
            until = time.monotonic() + after
            self._write(life, kills - number, until=until)
            while time.monotonic() < until and life.is_alive():
                time.sleep(POLL)
            life.kill()
            self.told.append(f"after {after:.3f} s")
        return self._rest()

    def _fuse(self, rooms: Sequence[str]) -> Fuse:
        """Draw a room and a line to die at."""
        room = self._random.choice(rooms)
        if rooms is BEGINNING:
            return Fuse(self._random.randint(1, 250 if room == "alembic/" else 100), room)
        return Fuse(int(10 ** self._random.uniform(1, 2.8 if room else 4.2)), room)

    def _start(self, fuse: Fuse | None) -> Mortal:
        # What was written while no watcher ran has to come in too.
        for _ in range(self._random.choice((0, 0, 1, 5))):
            self._writer.step()
        return self._nursery.start(self.home, fuse=fuse, thinks=self._thinks)

    def _write(self, life: Mortal, lives: int, until: float = float("inf")) -> None:
        """Take this life's share of the steps that are left."""
        for _ in range(self._writer.left // lives + 1):
            if not self._writer.left or not life.is_alive() or time.monotonic() > until:
                return
            self._writer.step()
            time.sleep(self._random.choice((0.0, 0.002, 0.02)))

    def _let_burn(self, life: Mortal) -> None:
        deadline = time.monotonic() + PATIENCE
        while life.is_alive() and time.monotonic() < deadline:
            time.sleep(POLL)
        alive = life.is_alive()
        life.kill()
        if not alive and (code := life.wait()) != -9:
            self.failed_starts.append(f"exit code {code}")

    def _rest(self) -> Difference:
        """Let one watcher finish what is left."""
        watcher = self._nursery.start(self.home, thinks=self._thinks)
        while self._writer.left:
            self._writer.step()
            assert watcher.is_alive(), self.home.log()
            time.sleep(0.001)
        settle(self.home, self._expected)
        assert watcher.end() == 0, self.home.log()
        assert dump.is_sound(self.home.database)
        return dump.difference(self._expected, dump.dump(self.home.database, self.home.folder))
