from __future__ import annotations

from pathlib import Path

import pytest

from watcher import settings as settings_room
from watcher.errors import UsageError


def load(tmp_path: Path, text: str = "", **variables: str) -> settings_room.Settings:
    if text:
        (tmp_path / "config.toml").write_text(text)
    return settings_room.load({"CLAUDE_MEM_HOME": str(tmp_path), **variables})


def test_defaults_and_places(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.agent.name == "claude"
    assert settings.database == tmp_path / "data" / "claude-mem.db"
    assert settings.projects == Path.home() / ".claude" / "projects"


def test_without_a_variable_the_home_is_in_the_users(tmp_path: Path) -> None:
    assert settings_room.load({}).home == Path.home() / ".claude-mem"
    assert settings_room.load({"CLAUDE_CONFIG_DIR": str(tmp_path)}).projects == tmp_path / "projects"


def test_a_file_then_the_environment(tmp_path: Path) -> None:
    text = '[agent]\nname = "extractive"\nbatch_size = 7\n[capture]\nskip_tools = ["Bash"]\n'
    settings = load(tmp_path, text, CLAUDE_MEM_AGENT="claude", CLAUDE_MEM_AGENT_MODEL="opus")
    assert (settings.agent.name, settings.agent.model, settings.agent.batch_size) == ("claude", "opus", 7)
    assert settings.capture.skip_tools == ("Bash",)
    assert load(tmp_path, CLAUDE_MEM_CAPTURE_SKIP_TOOLS="A, B").capture.skip_tools == ("A", "B")
    assert load(tmp_path, CLAUDE_MEM_CONTEXT_PARTS="threads,summary").context.parts == ("threads", "summary")
    assert load(tmp_path, CLAUDE_MEM_PRIVACY_SDK_SESSIONS="true").privacy.sdk_sessions is True
    assert load(tmp_path, CLAUDE_MEM_PRIVACY_EXCLUDE="~/a,/b").privacy.exclude == ("~/a", "/b")
    assert load(tmp_path, CLAUDE_MEM_WATCH_IDLE_SESSION="60").watch.idle_session == 60.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[agent", "not valid TOML"),
        ("[agents]\n", r"no section \[agents\]"),
        ("agent = 1\n", "is a section"),
        ("[agent]\ncolour = 1\n", r"\[agent\] has no colour"),
        ('[agent]\nname = "gpt"\n', "no agent 'gpt'"),
        ('[agent]\nbatch_size = "many"\n', "a number from 0"),
        ("[agent]\nbatch_size = -1\n", "a number from 0"),
        ("[agent]\nbatch_size = true\n", "a number from 0"),
        ("[agent]\nbatch_size = inf\n", "a number from 0"),
        ("[watch]\nidle_session = 1e300\n", "a number from 0"),
        ("[watch]\nidle_session = nan\n", "a number from 0"),
        ("[agent]\nmodel = 1\n", "a text, not 1"),
        ("[privacy]\nsdk_sessions = 1\n", "true or false, not 1"),
        ("[capture]\nskip_tools = [1]\n", "a list of names"),
        ('[context]\nparts = ["summary", "decission"]\n', "'decission' is none"),
        ('[context]\nparts = ["summary", "summary"]\n', "'summary' is twice there"),
    ],
)
def test_what_cannot_be_meant_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        load(tmp_path, text)
    assert caught.value.hint
