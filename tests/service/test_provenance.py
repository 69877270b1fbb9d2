"""Where what is remembered came from, as the tool uses tell and no model does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.service.recorder import Recorder, ScriptedAgent
from tests.transcript import lines
from watcher.agent.base import Batch, Observation, ObservationType, Reply
from watcher.memory.database import Database, insert
from watcher.memory.models import ProjectFolder
from watcher.settings import Settings

SESSION = lines.SESSION
PROJECT = "/home/dev/api"
PAGE = ("WebFetch", {"url": "https://evil.example/"})
FILE = ("Read", {"file_path": f"{PROJECT}/a.py"})
OTHER = ("Read", {"file_path": "/home/dev/other/a.py"})


class Naming(ScriptedAgent):
    """An agent that says what its one observation rests on."""

    def __init__(self, *named: str) -> None:
        super().__init__()
        self.named = named

    def digest(self, batch: Batch) -> Reply:
        said = Observation(ObservationType.DECISION, f"Decided {len(self.asked)}", tool_use_ids=self.named)
        return replace(super().digest(batch), observations=(said,))


def turn(at: int, number: int, *uses: tuple[str, dict[str, str]], prompt: str = "Go") -> bytes:
    told = [lines.prompt(at, prompt)]
    for index, (name, given) in enumerate(uses):
        use_id = f"use-{number}-{index}"
        told += [lines.tool_use(at + 1 + index, use_id, name, **given), lines.tool_result(at + 50 + index, use_id)]
    return b"".join([*told, lines.words(at + 90, f"Did {number}."), lines.turn_end(at + 95)])


def play(recorder: Recorder, *told: bytes) -> None:
    recorder.write(*told)
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    recorder.digest.ask_agent(SESSION)


@pytest.mark.parametrize(
    ("uses", "named", "basis", "origin", "summary"),
    [
        ((FILE,), ("use-1-0",), "named", "project", "project"),
        ((FILE,), (), "turn", "project", "project"),
        ((FILE, PAGE), ("use-1-1",), "named", "web", "web"),
        ((FILE, PAGE), ("use-1-0", "use-1-1"), "named", "web", "web"),
        ((FILE, PAGE), ("use-1-0",), "named", "beside", "web"),
        ((FILE, PAGE), (), "turn", "web", "web"),
        ((FILE, PAGE), ("use-9-9",), "turn", "web", "web"),
        ((FILE, OTHER), ("use-1-1",), "named", "outside", "outside"),
        ((FILE, OTHER), ("use-1-0",), "named", "beside", "outside"),
        ((FILE, OTHER, PAGE), ("use-1-1",), "named", "outside", "web"),
        ((PAGE, ("Agent", {"prompt": "read it"})), ("use-1-1",), "named", "web", "web"),
        ((FILE, ("Agent", {"prompt": "read it"})), ("use-1-1",), "named", "project", "project"),
    ],
)
def test_an_observation_is_from_where_its_tool_uses_are(
    settings: Settings,
    database: Database,
    uses: tuple[tuple[str, dict[str, str]], ...],
    named: tuple[str, ...],
    basis: str,
    origin: str,
    summary: str,
) -> None:
    recorder = Recorder(settings, database, Naming(*named))
    play(recorder, turn(0, 1, *uses))
    assert recorder.rows("SELECT basis, origin FROM observations") == [(basis, origin)]
    assert recorder.rows("SELECT source, origin FROM session_summaries") == [("agent", summary)]


def test_a_provisional_summary_is_marked_before_any_agent_was_asked(settings: Settings, database: Database) -> None:
    recorder = Recorder(settings, database, Naming())
    recorder.write(turn(0, 1, FILE, PAGE))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    assert recorder.rows("SELECT source, origin FROM session_summaries") == [("provisional", "web")]
    assert "(provisional, from the web)" in recorder.context()


def test_a_turn_after_one_from_the_web_stands_beside_it_for_the_agent_is_shown_what_that_came_to(
    settings: Settings, database: Database
) -> None:
    recorder = Recorder(settings, database, Naming("use-2-0"))
    play(recorder, turn(0, 1, PAGE))
    recorder.now += 1000
    play(recorder, turn(1000, 2, FILE))
    assert recorder.rows("SELECT origin FROM observations ORDER BY id") == [("web",), ("beside",)]
    assert recorder.rows("SELECT origin FROM session_summaries ORDER BY id") == [("web",), ("beside",)]


def test_what_was_observed_earlier_of_a_turn_counts_when_the_rest_of_it_is(
    settings: Settings, database: Database
) -> None:
    """By then the page's own input and output are kept no more."""
    recorder = Recorder(settings, database, Naming("use-2-0"))
    play(recorder, turn(0, 1, PAGE))
    recorder.write(
        lines.tool_use(200, "use-2-0", "Read", file_path=f"{PROJECT}/b.py"), lines.tool_result(210, "use-2-0")
    )
    recorder.now += 60_000
    play(recorder, lines.words(220, "Now it is done."), lines.turn_end(230))
    assert recorder.rows("SELECT origin FROM tool_uses ORDER BY id") == [("web",), ("project",)]
    assert recorder.rows("SELECT DISTINCT origin FROM session_summaries") == [("web",)]
    assert ("beside",) in recorder.rows("SELECT origin FROM observations ORDER BY id")


def test_another_folder_of_the_project_is_the_project(settings: Settings, database: Database) -> None:
    recorder = Recorder(settings, database, Naming("use-1-0"))
    values = {"folder": "/home/dev/other", "project": PROJECT, "looked_at_epoch": recorder.now}
    with database.write() as connection:
        connection.execute(insert(ProjectFolder).values(values))
    play(recorder, turn(0, 1, OTHER))
    assert recorder.rows("SELECT origin FROM observations") == [("project",)]


def test_a_file_named_in_a_prompt_comes_from_where_it_lies(settings: Settings, database: Database) -> None:
    recorder = Recorder(settings, database, Naming())
    play(recorder, turn(0, 1, FILE, prompt="Do as @/etc/motd says"))
    assert recorder.rows("SELECT origin FROM observations") == [("outside",)]


def test_the_agent_is_shown_whose_words_an_output_holds(settings: Settings, database: Database) -> None:
    agent = Naming()
    recorder = Recorder(settings, database, agent)
    play(recorder, turn(0, 1, FILE, OTHER, PAGE))
    assert [use.origin for use in agent.asked[0].tool_uses] == ["project", "outside", "web"]
