"""Owns what befalls the watcher itself: killed at a line, killed at a time, stopped for a while, a clock that jumps."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.soak import older, story
from tests.soak.dump import Difference
from tests.soak.kills import Kills, home_with, undisturbed
from tests.soak.mortal import CLOCK
from tests.soak.nursery import Home, Mortal
from tests.soak.scripted import scripted_cli
from tests.soak.story import Manner, Story
from tests.soak.table import Place, Tally
from tests.soak.writer import Writer

KILLS = 40  # a round
RECORDED = (
    "ordinary",
    "forked",
    "subagents",
    "queued-mid-turn",
    "torn-then-resumed",
    "killed-mid-tool",
    "cleared",
    "compacted",
    "resumed",
    "errors-and-denials",
    "parallel-tools",
)
QUEUE = 17_000  # events: more than the kernel keeps (16,384 where nobody has changed it)


def killed_at_lines(place: Place) -> Tally:
    """Kill watchers at random lines of the program, now and then with an agent that is a process."""
    return _killed(place, Kills.at_lines)


def killed_at_times(place: Place) -> Tally:
    """Kill watchers at random times."""
    return _killed(place, Kills.at_times)


def _killed(place: Place, kill: Callable[[Kills, int], Difference]) -> Tally:
    chance = place.random
    told = story.tell(
        chance.randrange(1 << 30), place.begin(), fixtures=tuple(chance.sample(RECORDED, chance.randrange(5)))
    )
    before = older.database(place.folder / "older.db") if chance.random() < 0.4 else None
    expected = undisturbed(place.nursery, place.folder / "calm", told, before)
    with_process = chance.random() < 0.3
    killed = Kills(
        place.nursery,
        place.folder / "killed",
        told,
        expected,
        random.Random(chance.random()),
        before=before,
        thinks=None if with_process else 0.04,
        **({"agent_cli_path": scripted_cli(place.folder / "claude")} if with_process else {}),
    )
    difference = kill(killed, KILLS)
    tally = Tally.of(KILLS, told.ledger, killed.home, killed.home.processes())
    if difference:
        tally += Tally(
            lost=len(difference.missing),
            duplicated=len(difference.unexpected),
            told=["\n".join([str(difference), *killed.told, *killed.home.troubles()])],
        )
    tally.told += [f"a watcher ended by itself: {how}" for how in killed.failed_starts]
    return tally


def stopped(place: Place) -> Tally:
    """Stop the watcher (SIGSTOP) while much is written; now and then more than the kernel keeps events of."""
    home = home_with(place.folder / "home", watch_discover_interval=1)
    times = 12
    overflows = {place.random.randrange(times)}

    def stop(number: int, watcher: Mortal, writer: Writer) -> None:
        watcher.send(signal.SIGSTOP)
        # It may have been stopped with the database in its hands: then hooks set their rows aside until it goes on.
        for _ in range(place.random.randrange(5, 60)):
            writer.step(rows=False)
        if number in overflows:
            overflow(home)
            for _ in range(40):
                writer.step(rows=False)
        watcher.send(signal.SIGCONT)

    return play(place, home, times, stop)


def overflow(home: Home) -> None:
    """Cause more events than the kernel keeps; in turns, for like events that follow each other are one."""
    paths = [home.projects / "-noise" / f"0000000{number}-0000-4000-8000-000000000000.jsonl" for number in range(2)]
    paths[0].parent.mkdir(exist_ok=True)
    with paths[0].open("ab", buffering=0) as one, paths[1].open("ab", buffering=0) as other:
        for file, _ in zip(itertools.cycle((one, other)), range(QUEUE), strict=False):
            file.write(b'{"type":"mode"}\n')


def clock_jumps(place: Place) -> Tally:
    """Put the clock forward and back by up to three hours: sessions end by idleness that are still at work."""
    clock = place.folder / "clock"
    clock.write_bytes(CLOCK.pack(0))
    home = home_with(place.folder / "home", watch_quiet_turn=300, watch_idle_session=7200)

    def jump(_number: int, _watcher: Mortal, writer: Writer) -> None:
        hours = place.random.uniform(-3, 3)
        with clock.open("r+b") as file:
            file.write(CLOCK.pack(int(hours * 3600 * 10**9)))
        for _ in range(place.random.randrange(10)):
            writer.step()
            time.sleep(0.02)

    return play(place, home, 20, jump, clock=clock)


def play(
    place: Place,
    home: Home,
    times: int,
    disturb: Callable[[int, Mortal, Writer], None],
    *,
    told: Story | None = None,
    clock: Path | None = None,
) -> Tally:
    """Play a story beside one watcher, which is disturbed some times and has to live on; settle the account."""
    told = told or story.tell(place.random.randrange(1 << 30), place.begin(), manner=Manner(by_hook=0))
    writer = Writer(home, told)
    watcher = place.nursery.start(home, clock=clock)
    while not home.rows("SELECT 1 FROM watchers"):
        assert watcher.is_alive(), home.log()
        time.sleep(0.01)
    injected = 0
    for number in range(times):
        for _ in range(writer.left // (times - number + 1)):
            writer.step()
            time.sleep(place.random.choice((0, 0.002, 0.01)))
        disturb(number, watcher, writer)
        injected += 1
    while writer.left:
        writer.step()
    told.ledger.settle(home)
    code = watcher.end()
    tally = Tally.of(injected, told.ledger, home, home.processes())
    if code:
        tally.told.append(f"the watcher ended with {code}:\n{home.log()[-2000:]}")
    return tally
