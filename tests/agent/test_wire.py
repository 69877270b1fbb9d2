"""What an agent is given and answers crosses to another process exactly as it is."""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher.agent import base, faults, wire
from watcher.agent.base import AgentError, Batch, Observation, ObservationType, Reply, Summary, Usage
from watcher.settings import AgentSettings

KINDS = [kind for _, kind in inspect.getmembers(base, inspect.isclass) if is_dataclass(kind)]


def crossed(value: Any) -> Any:
    (line, end) = wire.line({"id": 1, "it": value}).split(b"\n")
    assert end == b""
    return wire.read(type(value), wire.message(line)["it"])


def test_a_batch_and_a_reply_are_among_what_is_tried() -> None:
    assert {Batch, Reply, Observation, Usage} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_it_holds_it_is_the_same(kind: type, data: st.DataObject) -> None:
    value = data.draw(st.from_type(kind))
    again = crossed(value)
    # Text that tells floats apart which are no number, and types that are equal though they are not the same.
    assert repr(again) == repr(value)


def test_half_a_surrogate_pair_and_line_ends_cross_too() -> None:
    text = "cut \ud83d\r\n\u2028 \0 here"
    reply = Reply(
        (Observation(ObservationType.BUGFIX, text, facts=(text,)),), {2: Summary(notes=text)}, Usage(1, 2, 0.1)
    )
    assert crossed(reply) == reply
    assert crossed(reply).observations[0].type is ObservationType.BUGFIX


def test_what_the_process_is_told_first_crosses_too() -> None:
    start = wire.Start(AgentSettings(model="haiku-5", timeout=1.5), Path("work dir"), Path("/home/me/.claude"))
    assert crossed(start) == start


def test_an_error_crosses_with_all_its_fields() -> None:
    wrong = faults.of_result(401, "", "", "")
    wrong.usage = Usage(10, 1, 0.5)
    for error in (wrong, faults.timeout(3), faults.unreadable("half \ud83d", Usage(3, 4, 0.2))):
        again = wire.error(wire.message(wire.line({"error": wire.told(error)}))["error"])
        assert type(again) is AgentError
        assert str(again) == str(error)
        assert vars(again) == vars(error)
    assert again.usage == Usage(3, 4, 0.2)
    assert wrong.hint


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        "text",
        {},
        {"observations": [], "summaries": {}, "more": 1},
        {"observations": {}, "summaries": {}, "usage": {"input_tokens": "1"}},
        {"observations": [{"type": "bugfix", "title": 1}], "summaries": {}},
        {"observations": [{"type": "poem", "title": "t"}], "summaries": {}},
        {"observations": [], "summaries": "text"},
        {"observations": [], "summaries": {"1": "text"}},
        {"observations": [], "summaries": {"one": {}}},
        {"observations": 1, "summaries": {}},
    ],
)
def test_what_is_no_reply_is_told(said: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wire.read(Reply, said)


@pytest.mark.parametrize("said", [None, "text", {}, {"message": "m"}, {"message": "m", "kind": "k", "other": 1}])
def test_what_is_no_error_is_told(said: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wire.error(said)


@pytest.mark.parametrize("line", [b"", b"\n", b"[]", b"1", b"{", b"\xff\xfe", b'{"id": 1} {"id": 2}'])
def test_what_is_no_message_is_told(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        wire.message(line)


def test_what_cannot_be_written_exactly_is_not_written() -> None:
    with pytest.raises(TypeError):
        wire.line({"id": 1, "it": {1, 2}})
