"""A clock that is set back or ahead delays nothing for long, and loses nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.claude_cli import wait_until
from tests.service.recorder import Recorder
from tests.transcript import lines
from tests.transcript.lines import BEGIN, SESSION
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service.events import now
from watcher.service.follow import Rescan
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.service.watch import Watch
from watcher.settings import Settings, WatchSettings

HOUR = 3_600_000  # milliseconds
DAY = 24 * HOUR


class Timed(Recorder):
    """A recorder whose pace goes on, whatever becomes of its clock."""

    def __init__(self, settings: Settings, database: Database) -> None:
        super().__init__(settings, database)
        self.pace = 0.0
        self.start_lifecycle()

    def start_lifecycle(self) -> None:
        self.life = Lifecycle(
            self.database,
            self.ingest,
            self.digest,
            self.settings.watch,
            clock=lambda: self.now,
            pace=lambda: self.pace,
        )

    def wait(self, seconds: float) -> None:
        self.pace += seconds
        self.now += round(seconds * 1000)

    def at(self) -> int:
        """Return the time of now for `lines`."""
        return self.now - BEGIN

    def set_modified(self, at: int) -> None:
        os.utime(self.transcript, ns=(at * 1_000_000,) * 2)

    def session(self) -> tuple[str, str | None]:
        ((status, reason),) = self.rows("SELECT status, end_reason FROM sdk_sessions")
        return status, reason


@pytest.fixture
def timed(settings: Settings, database: Database) -> Timed:
    return Timed(settings, database)


# What the watcher does every so often


@contextmanager
def running(watch: Watch) -> Iterator[threading.Thread]:
    with watch:
        runner = threading.Thread(target=watch.run)
        runner.start()
        try:
            yield runner
        finally:
            if runner.is_alive():
                watch.stop("tested")
            runner.join()


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_watcher_goes_on_looking_beating_and_leaves_when_the_clock_jumps(
    settings: Settings, database: Database, jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.service.watch.HEARTBEAT", 0.05)
    off = 0
    pace = WatchSettings(scan_interval=0.05, discover_interval=0.1, exit_after=0.3, idle_session=1.0)
    watch = Watch(
        replace(settings, watch=pace), database, ExtractiveAgent(), until_idle=True, clock=lambda: now() + off
    )
    timed = Recorder(settings, database)
    with running(watch) as runner:
        timed.write(lines.tool_use(now() + off - BEGIN, "before"))
        wait_until(lambda: timed.rows("SELECT tool_use_id FROM tool_uses ORDER BY id") == [("before",)])
        off = jump
        beat = timed.rows("SELECT heartbeat_at_epoch FROM watchers")
        timed.write(lines.tool_use(now() + off - BEGIN, "after"))
        wait_until(lambda: timed.rows("SELECT tool_use_id FROM tool_uses ORDER BY id") == [("before",), ("after",)])
        wait_until(lambda: timed.rows("SELECT heartbeat_at_epoch FROM watchers") != beat)
        wait_until(lambda: not runner.is_alive())
    assert timed.rows("SELECT status FROM sdk_sessions") == [("completed",)]
    assert timed.rows("SELECT stop_reason FROM watchers") == [("idle",)]


def test_what_is_written_after_the_clock_was_set_back_is_not_from_before_the_memory(
    settings: Settings, database: Database
) -> None:
    """A new memory leaves old transcripts alone: those that look old by a clock set back are not among them."""
    recorder = Timed(settings, database)
    recorder.now = BEGIN + 5 * HOUR
    ingest = Ingest(database, settings.capture, since=recorder.now - HOUR, clock=lambda: recorder.now)
    rescan = Rescan(settings.projects, since=recorder.now - HOUR, reached={}, clock=lambda: recorder.now)
    recorder.now = BEGIN
    recorder.write(lines.tool_use(0, "t"))
    recorder.set_modified(BEGIN)
    for path in rescan.discover():
        ingest.take_in(path)
    assert recorder.rows("SELECT tool_use_id FROM tool_uses ORDER BY id") == [("t",)]


def test_a_checkpoint_of_a_clock_that_was_ahead_hides_no_rewrite(timed: Timed) -> None:
    timed.write(lines.tool_use(0, "t-1"))
    reached = {str(timed.transcript): (timed.transcript.stat().st_size, BEGIN + HOUR)}
    timed.set_modified(BEGIN + 5)
    rescan = Rescan(timed.settings.projects, since=0, reached=reached, clock=lambda: BEGIN + 10)
    assert list(rescan.discover()) == [timed.transcript]


# The wait after a Stop


def test_the_wait_for_the_last_words_ends_though_the_clock_was_set_back(timed: Timed) -> None:
    timed.write(lines.prompt(0, "Go"))
    timed.flag(FlagKind.FINALIZE, timed.at(), last_assistant_message="Never written.")
    assert timed.life.handle_flags() == 1
    timed.now -= HOUR
    timed.pace += 1.9
    assert timed.life.handle_flags() == 1
    timed.pace += 0.2
    assert timed.life.handle_flags() == 0


def test_what_was_raised_before_this_watcher_began_is_not_waited_for(timed: Timed) -> None:
    timed.write(lines.prompt(0, "Go"))
    timed.flag(FlagKind.FINALIZE, timed.at() - 3000, last_assistant_message="Never written.")
    assert timed.life.handle_flags() == 0


def test_flags_of_one_session_wait_at_the_same_time(timed: Timed) -> None:
    timed.write(lines.prompt(0, "Go"))
    for _ in range(5):
        timed.flag(FlagKind.FINALIZE, timed.at(), last_assistant_message="Never written.")
        timed.now += 1
    timed.now -= HOUR
    assert timed.life.handle_flags() == 1
    timed.pace += 2.1
    assert timed.life.handle_flags() == 0
    assert timed.rows("SELECT count(*) FROM flags WHERE lowered_at_epoch IS NULL") == [(0,)]


# Sessions whose times lie ahead


@pytest.mark.parametrize("is_prompted", [True, False])
def test_a_session_from_a_clock_that_was_ahead_ends_in_its_time(timed: Timed, is_prompted: bool) -> None:
    timed.now += DAY
    first = lines.prompt(timed.at(), "Go") if is_prompted else b""
    timed.write(first, lines.tool_use(timed.at(), "t"))
    timed.life.follow(timed.transcript)
    timed.now -= DAY
    timed.life.end_quiet()
    timed.wait(7199)
    timed.life.end_quiet()
    assert timed.session() == ("active", None)
    timed.wait(2)
    timed.life.end_quiet()
    assert timed.session() == ("completed", "idle")


def test_a_turn_from_a_clock_that_was_ahead_ends_in_its_time(timed: Timed) -> None:
    timed.now += DAY
    timed.write(lines.prompt(timed.at(), "Go"))
    timed.life.follow(timed.transcript)
    timed.now -= DAY
    timed.life.end_quiet()
    timed.wait(301)
    timed.life.end_quiet()
    assert timed.session() == ("active", None)
    assert timed.rows("SELECT request FROM session_summaries") == [("Go",)]


# Sessions ended for their silence


@pytest.mark.parametrize("reason", ["idle", "process gone", "no activity for 25 h"])
@pytest.mark.parametrize("jump", [0, -DAY])
def test_a_session_ended_for_its_silence_goes_on_with_its_work(timed: Timed, reason: str, jump: int) -> None:
    timed.write(lines.turn(0, 1))
    timed.life.follow(timed.transcript)
    timed.life.end(SESSION, at=timed.now, reason=reason)
    assert timed.session() == ("completed", reason)
    timed.now += 1000 + jump
    timed.write(lines.tool_use(timed.at(), "more"))
    timed.life.follow(timed.transcript)
    assert timed.session() == ("active", None)
    assert timed.rows("SELECT status FROM tool_uses WHERE tool_use_id = 'more'") == [("open",)]


def test_a_session_that_said_it_ended_goes_on_with_a_prompt_only(timed: Timed) -> None:
    timed.write(lines.turn(0, 1))
    timed.flag(FlagKind.CLEANUP, timed.at(), reason="other")
    timed.life.handle_flags()
    timed.now += 1000
    timed.write(lines.tool_use(timed.at(), "late"))
    timed.life.follow(timed.transcript)
    assert timed.session() == ("completed", "other")
    assert timed.rows("SELECT status FROM tool_uses WHERE tool_use_id = 'late'") == [("pending",)]
    timed.write(lines.tool_result(timed.at(), "late", "its result"))
    timed.life.follow(timed.transcript)
    assert timed.rows("SELECT status, output FROM tool_uses WHERE tool_use_id = 'late'") == [("pending", "its result")]
    timed.now += 1000
    timed.write(lines.prompt(timed.at(), "On"))
    timed.life.follow(timed.transcript)
    assert timed.session() == ("active", None)


def test_a_prompt_after_an_end_by_a_clock_that_was_ahead_makes_the_session_active(timed: Timed) -> None:
    timed.now += DAY
    timed.write(lines.turn(timed.at(), 1))
    timed.flag(FlagKind.CLEANUP, timed.at() + 1000, reason="other")
    timed.life.handle_flags()
    assert timed.session() == ("completed", "other")
    timed.now -= DAY
    timed.write(lines.prompt(timed.at(), "On", "on"))
    timed.life.follow(timed.transcript)
    assert timed.session() == ("active", None)


def test_what_came_in_of_a_session_that_was_over_is_summarised_by_the_next_watcher(timed: Timed) -> None:
    timed.write(lines.turn(0, 1))
    timed.flag(FlagKind.CLEANUP, timed.at(), reason="other")
    timed.life.handle_flags()
    timed.write(lines.prompt(2000, "Written late, read after the end"))
    timed.ingest.take_in(timed.transcript)  # and the watcher dies
    assert timed.session() == ("completed", "other")
    timed.life.recover()
    assert timed.rows("SELECT prompt_number FROM session_summaries ORDER BY 1") == [(1,), (2,)]


# Flags and words that lie before the prompt they belong to


@pytest.mark.parametrize("jump", [-5000, -HOUR, -DAY])
def test_a_stop_after_the_clock_was_set_back_ends_its_turn(timed: Timed, jump: int) -> None:
    timed.write(lines.turn(-9000, 1))
    timed.write(lines.prompt(timed.at(), "Go"), lines.tool_use(timed.at(), "t"), lines.words(timed.at(), "Looking."))
    timed.life.follow(timed.transcript)
    timed.now += jump
    timed.write(
        lines.tool_result(timed.at(), "t"), lines.words(timed.at(), "Done at last."), lines.turn_end(timed.at() + 1)
    )
    timed.flag(FlagKind.FINALIZE, timed.at() + 2, last_assistant_message="Done at last.")
    timed.wait(0.01)
    assert timed.life.handle_flags() == 0
    ((request, learned),) = timed.rows("SELECT request, learned FROM session_summaries WHERE prompt_number = 2")
    assert request == "Go"
    assert "Done at last." in learned
    assert timed.rows("SELECT count(*) FROM user_prompts WHERE ended_at_epoch IS NULL") == [(0,)]


@pytest.mark.parametrize("jump", [-5000, -HOUR, -DAY])
def test_a_session_end_after_the_clock_was_set_back_ends_it(timed: Timed, jump: int) -> None:
    timed.write(lines.prompt(timed.at(), "Go"), lines.tool_use(timed.at(), "t"))
    timed.life.follow(timed.transcript)
    timed.now += jump
    timed.flag(FlagKind.CLEANUP, timed.at(), reason="other")
    timed.wait(0.01)
    assert timed.life.handle_flags() == 0
    assert timed.session() == ("completed", "other")
    assert timed.rows("SELECT request FROM session_summaries") == [("Go",)]


def test_the_transcripts_own_turn_end_counts_after_the_clock_was_set_back(timed: Timed) -> None:
    timed.write(lines.prompt(timed.at(), "Go"))
    timed.life.follow(timed.transcript)
    timed.now -= HOUR
    timed.write(lines.words(timed.at(), "Done at last."), lines.turn_end(timed.at()))
    timed.life.follow(timed.transcript)
    timed.life.finalize(SESSION)
    ((text,),) = timed.rows("SELECT summary_text FROM session_summaries")
    assert "Done at last." in text


def test_what_an_old_file_says_again_ends_no_later_turn(timed: Timed) -> None:
    """The other way round: old words and turn ends, read once more, are not those of the prompt of now."""
    timed.write(lines.words(1, "Of long ago."), lines.turn_end(2))
    timed.life.follow(timed.transcript)
    timed.write(lines.prompt(timed.at() - 5, "Go"))
    timed.life.follow(timed.transcript)
    content = timed.transcript.read_bytes()
    timed.transcript.write_bytes(b"")
    timed.life.follow(timed.transcript)
    timed.transcript.write_bytes(content)
    timed.life.follow(timed.transcript)
    assert timed.rows("SELECT closing_text, ended_at_epoch FROM user_prompts") == [("", None)]
