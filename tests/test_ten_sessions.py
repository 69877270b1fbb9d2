"""Ten real sessions at once, against a scripted API: each is remembered, none waits too long, nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import ten

pytestmark = [pytest.mark.cli, pytest.mark.alone]


def test_ten_sessions_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = ten.run(tmp_path)
    with capsys.disabled():
        print(f"\n{result.told()}")  # noqa: T201
    assert result.ledger.lost(result.world) == []
    assert result.ledger.duplicated(result.world) == []
    assert result.world.rows("SELECT count(*) FROM user_prompts") == [(ten.SESSIONS,)]
    assert result.world.rows("SELECT count(DISTINCT session_id) FROM observations") == [(ten.SESSIONS,)]
    assert sorted(result.model.asked) == list(range(ten.SESSIONS))
    # Two is the limit, and one at a time would be no use of it.
    assert result.model.most_at_once == 2
    assert result.most_agents <= 2
    assert [wait for wait in result.waits if wait.seconds > wait.bound] == []
    assert len(result.waits) == ten.SESSIONS
    assert result.watchers == 1
    assert result.left == []
