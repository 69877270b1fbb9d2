"""Owns `claude-mem watch`: the watcher in the foreground, in the background, and its end."""

from __future__ import annotations

import time
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.style import say
from watcher.errors import ClaudeMemError

if TYPE_CHECKING:
    from watcher.memory.database import DamagedError
    from watcher.memory.lookup import WatcherRun
    from watcher.service.events import Event
    from watcher.settings import Settings

WATCHER_BUSY_TIMEOUT = 0.4  # seconds; it tries again, and is to end within two seconds when told to
START_WAIT = 15.0  # seconds for a watcher in the background to report


def watch(
    background: Annotated[bool, typer.Option("--background", help="Start it detached and return.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the one that runs.")] = False,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Leave once nothing has happened for a while, as hooks start it.")
    ] = False,
) -> None:
    """Follow the transcripts of all sessions and keep what they did.

    One line an event. The hooks start a watcher by themselves; run one in the foreground to see what it does.

    Examples:
        claude-mem watch
        claude-mem watch --background
        claude-mem watch --stop
    """
    from watcher import settings as settings_room

    settings = settings_room.load()
    if stop:
        _stop(settings)
        return
    from watcher.service import admission

    admission.check(settings.privacy)
    if background:
        _start(settings)
    else:
        _run(settings, until_idle=until_idle)


def _run(settings: Settings, *, until_idle: bool) -> None:
    from watcher.memory.database import DamagedError
    from watcher.service import presence, rebuild
    from watcher.service.events import Event, EventKind
    from watcher.service.watch import AlreadyRunningError

    presence.check_locks(settings)
    ended: list[str] = []
    was_doubted = False
    try:
        while not ended:
            try:
                is_missed = _serve(settings, ended, until_idle=until_idle)
            except DamagedError as error:
                if not was_doubted and rebuild.is_sound(settings):
                    was_doubted = True
                    _tell(Event(EventKind.TROUBLE, f"{error}; looked over, it is sound: going on"))
                else:
                    rebuild.put_aside(settings, str(error), listener=_tell)
            else:
                if not is_missed:
                    return
    except AlreadyRunningError:
        if not until_idle:
            raise


def _serve(settings: Settings, ended: list[str], *, until_idle: bool) -> bool:
    """Run a watcher to its end; say whether it is missed. `ended` gets the name of the signal that asked for it."""
    import signal

    from watcher import agent
    from watcher.memory.database import Database
    from watcher.service import presence, rebuild
    from watcher.service.watch import Watch

    rebuild.create(settings)
    if not until_idle:
        rebuild.check(settings)
    presence.write_launcher(settings)
    database = Database(settings.database, WATCHER_BUSY_TIMEOUT)
    chosen = agent.create(settings.agent, settings.home / "agent", settings.claude_dir)
    watch = Watch(settings, database, chosen, until_idle=until_idle, listener=_tell)

    def end(number: int, _frame: FrameType | None) -> None:
        ended.append(signal.Signals(number).name)
        watch.stop(ended[0])

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        with watch:
            rebuild.Rebuild(settings, database, listener=_tell, is_stopping=lambda: bool(ended), beat=watch.beat).run()
            watch.run()
        return watch.is_missed()
    finally:
        database.close()


def _tell(event: Event) -> None:
    """Print an event; a log whose disk is full is no reason to end."""
    from watcher.cli.events import print_event

    with suppress(OSError):
        print_event(event)


def _start(settings: Settings) -> None:
    from watcher.memory.database import DamagedError
    from watcher.service import presence, rebuild

    presence.check_locks(settings)
    run = None
    try:
        if (run := presence.running(settings)) is None:
            rebuild.create(settings)
        rebuild.check(settings)
    except DamagedError as error:
        _mend(settings, run, error)
    else:
        if run is not None:
            say(f"already running (pid {run.pid})")
            return
    log = presence.start(settings)
    deadline = time.monotonic() + START_WAIT
    while time.monotonic() < deadline:
        with suppress(ClaudeMemError):  # its lock is taken a moment before its row is written
            if (run := presence.running(settings)) is not None:
                say(f"started (pid {run.pid}); it tells what it does in {log}")
                return
        time.sleep(0.05)
    raise ClaudeMemError("the watcher did not start", hint=f"see {log}, or run: claude-mem watch")


def _mend(settings: Settings, run: WatcherRun | None, error: DamagedError) -> None:
    """Put a damaged database aside, for the next watcher to rebuild the memory."""
    from watcher.service import presence, rebuild

    if run is not None:
        presence.end(run)
    try:
        rebuild.put_aside(settings, str(error), listener=_tell)
    except DamagedError:
        raise
    except ClaudeMemError as busy:
        say(f"{busy}", colour="yellow")


def _stop(settings: Settings) -> None:
    from watcher.memory.database import Database
    from watcher.service import presence

    Database.existing(settings.database).close()
    run = presence.running(settings)
    if run is None:
        say("no watcher runs")
        return
    presence.end(run)
    say(f"stopped (pid {run.pid})")
