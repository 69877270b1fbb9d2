"""Install changes what it must, says what it changed, and uninstall leaves no trace of it."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer
from typer.testing import CliRunner

from watcher import __version__, cli, resources
from watcher.errors import ClaudeMemError, UsageError
from watcher.memory import watchers
from watcher.memory.database import Database
from watcher.service import install as room
from watcher.service.install import Change, install, uninstall
from watcher.settings import Settings

EVENTS = ["SessionStart", "UserPromptSubmit", "Stop", "SessionEnd"]
OTHER: dict[str, Any] = {"type": "command", "command": "say done", "timeout": 3}
STALE: dict[str, Any] = {
    "type": "command",
    "command": "C:\\old\\python.exe",
    "args": ["-I", "-S", "C:\\old\\hooks\\stop.py", "claude-mem"],
}

# What a settings.json may hold before we come, as its bytes.
FILES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "object": b"{}",
    "newline": b"{}\n",
    "no-hooks": b'{\n  "model": "opus",\n  "env": {\n    "A": "1"\n  }\n}\n',
    "no-newline": b'{\n  "model": "opus"\n}',
    "four-spaces": b'{\n    "model": "opus",\n    "permissions": {\n        "allow": []\n    }\n}\n',
    "tabs": b'{\n\t"model": "opus"\n}\n',
    "one-line": b'{"model": "opus", "n": 1e3, "list": [1, 2]}',
    "odd-look": b'{ "permissions":\n  {"allow": ["Bash(ls)", "Read"],\n "deny":[] } }\n\n',
    "crlf": b'{\r\n  "model": "opus"\r\n}\r\n',
    "byte-order-mark": b'\xef\xbb\xbf{\n  "model": "opus"\n}\n',
    "umlauts": '{\n  "greeting": "grüß Gott 🎉"\n}\n'.encode(),
    "escapes": b'{\n  "greeting": "gr\\u00fc\\u00df"\n}\n',
    "half-a-character": b'{\n  "greeting": "\\ud83c"\n}\n',
    "umlauts-and-half-a-character": '{\n  "greeting": "grüß \\ud83c"\n}\n'.encode(),
    "empty-hooks": b'{\n  "hooks": {}\n}\n',
    "empty-event": b'{\n  "hooks": {\n    "Stop": []\n  }\n}\n',
    "empty-group": b'{\n  "hooks": {\n    "Stop": [\n      {\n        "hooks": []\n      }\n    ]\n  }\n}\n',
    "other-hooks": json.dumps(
        {
            "hooks": {
                "Stop": [{"matcher": "", "hooks": [OTHER]}, {"hooks": [OTHER, OTHER]}],
                "PreToolUse": [{"matcher": "Bash", "hooks": [OTHER]}],
                "SomethingNew": "of a shape that we do not know",
            },
            "model": "opus",
        },
        indent=2,
    ).encode(),
    "words-like-ours": json.dumps(
        {
            "hooks": {
                "Stop": [{"hooks": [{"command": "pip", "args": ["install", "claude-mem"]}, {"args": "claude-mem"}]}]
            }
        }
    ).encode(),
}
BROKEN: dict[str, bytes] = {
    "no-json": b"{",
    "comments": b'{\n  // mine\n  "model": "opus"\n}\n',
    "no-utf8": b'{"model": "\xff"}',
    "list": b"[]",
    "hooks-list": b'{"hooks": []}',
    "hooks-null": b'{"hooks": null}',
    "event-object": b'{"hooks": {"Stop": {}}}',
    "group-text": b'{"hooks": {"Stop": ["say done"]}}',
    "group-without-hooks": b'{"hooks": {"Stop": [{"command": "say done"}]}}',
}


@pytest.fixture
def path(settings: Settings) -> Path:
    """Where settings.json is; its folder is there, the file is not."""
    settings.claude_dir.mkdir()
    return settings.claude_dir / "settings.json"


def read(path: Path) -> Any:
    return json.loads(path.read_bytes().decode("utf-8-sig"))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def ours(event: str) -> dict[str, Any]:
    script = {
        "SessionStart": "session_start.py",
        "UserPromptSubmit": "user_prompt_submit.py",
        "Stop": "stop.py",
        "SessionEnd": "session_end.py",
    }[event]
    timeout = 10 if event == "SessionStart" else 5
    args = ["-I", "-S", str(resources.hooks() / script), "claude-mem"]
    return {"type": "command", "command": sys.executable, "args": args, "timeout": timeout}


def verbs(changes: list[Change], where: Path) -> list[str]:
    return [change.what for change in changes if change.where == str(where)]


def test_install_from_nothing(settings: Settings) -> None:
    path = settings.claude_dir / "settings.json"
    changes = install(settings)
    assert read(path) == {"hooks": {event: [{"hooks": [ours(event)]}] for event in EVENTS}}
    assert settings.launcher.read_text(encoding="utf-8").splitlines()[0] == sys.executable
    assert Database.existing(settings.database)
    assert [(change.what, change.where) for change in changes] == [
        ("create", str(settings.database)),
        ("write", str(settings.launcher)),
        *[("add", str(path))] * 4,
    ]
    for private in (path, settings.launcher, settings.database):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    assert names(settings.claude_dir) == ["settings.json"]
    assert all(Path(read(path)["hooks"][event][0]["hooks"][0]["args"][2]).is_file() for event in EVENTS)


@pytest.mark.parametrize("raw", FILES.values(), ids=FILES.keys())
def test_install_keeps_the_rest_and_uninstall_brings_all_back(settings: Settings, path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    path.chmod(0o640)
    changes = install(settings)
    assert verbs(changes, path) == ["add"] * 4
    backup = path.with_name("settings.json.before-claude-mem")
    assert backup.read_bytes() == raw

    before = json.loads(raw.decode("utf-8-sig").strip() or "{}")
    after = read(path)
    assert [key for key in after if key in before] == list(before)
    hooks = after.pop("hooks")
    for event in EVENTS:
        group = hooks[event].pop()
        assert group == {"hooks": [ours(event)]}
        if not hooks[event] and event not in before.get("hooks", {}):
            del hooks[event]
    assert (hooks or before.get("hooks", {})) == before.pop("hooks", {})
    assert after == before

    assert install(settings) == []
    assert "restore" in verbs(uninstall(settings), path)
    assert path.read_bytes() == raw
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(settings.claude_dir) == ["settings.json"]
    assert uninstall(settings) == []


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("no-newline", b'{\n  "model": "opus",\n  "hooks": {\n    "Sess'),
        ("four-spaces", b'\n    "hooks": {\n        "Sess'),
        ("tabs", b'{\n\t"model": "opus",\n\t"hooks": {\n\t\t"Sess'),
        ("crlf", b'{\r\n  "model": "opus",\r\n  "hooks": {\r\n'),
        ("byte-order-mark", b'\xef\xbb\xbf{\n  "model"'),
        ("umlauts", 'grüß Gott 🎉",\n'.encode()),
        ("escapes", b"gr\\u00fc\\u00df"),
    ],
)
def test_install_keeps_the_look(settings: Settings, path: Path, name: str, look: bytes) -> None:
    path.write_bytes(FILES[name])
    install(settings)
    written = path.read_bytes()
    assert look in written
    assert written.endswith(b"\n") == FILES[name].endswith(b"\n")


def test_uninstall_after_other_changes_takes_only_ours(settings: Settings, path: Path) -> None:
    path.write_bytes(FILES["other-hooks"])
    install(settings)
    value = read(path)
    value["model"] = "haiku"
    value["hooks"]["Stop"].append({"hooks": [OTHER]})
    path.write_text(json.dumps(value), encoding="utf-8")
    assert verbs(uninstall(settings), path) == ["remove"] * 4
    expected = json.loads(FILES["other-hooks"])
    expected["model"] = "haiku"
    expected["hooks"]["Stop"].append({"hooks": [OTHER]})
    assert read(path) == expected
    assert path.with_name("settings.json.before-claude-mem").read_bytes() == FILES["other-hooks"]


def test_uninstall_removes_the_file_that_install_made(settings: Settings, path: Path) -> None:
    install(settings)
    assert verbs(uninstall(settings), path) == ["remove"] * 5
    assert names(settings.claude_dir) == []
    assert not settings.launcher.exists()
    assert settings.database.exists()


def test_hooks_of_another_place_are_replaced_where_they_stand(settings: Settings, path: Path) -> None:
    elsewhere = {**ours("SessionStart"), "command": "/gone/bin/python"}
    twice = [OTHER, STALE, ours("Stop")]
    value = {"hooks": {"Stop": [{"hooks": twice}], "PostToolUse": [{"hooks": [STALE]}], "SessionStart": []}}
    value["hooks"]["SessionStart"].append({"matcher": "startup", "hooks": [elsewhere, OTHER]})
    raw = json.dumps(value).encode()
    path.write_bytes(raw)
    assert verbs(install(settings), path) == ["replace", "remove", "remove", "replace", "add", "add"]
    assert read(path)["hooks"] == {
        "Stop": [{"hooks": [OTHER, ours("Stop")]}],
        "SessionStart": [{"matcher": "startup", "hooks": [ours("SessionStart"), OTHER]}],
        "UserPromptSubmit": [{"hooks": [ours("UserPromptSubmit")]}],
        "SessionEnd": [{"hooks": [ours("SessionEnd")]}],
    }
    uninstall(settings)
    assert read(path)["hooks"] == {
        "Stop": [{"hooks": [OTHER]}],
        "SessionStart": [{"matcher": "startup", "hooks": [OTHER]}],
    }


def test_backups_are_never_overwritten(settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(FILES["no-hooks"])
    install(settings)
    moved = path.read_bytes()
    monkeypatch.setattr(sys, "executable", "/opt/python/bin/python")
    assert verbs(install(settings), path) == ["replace"] * 4
    first, second = (path.with_name(f"settings.json.before-claude-mem{end}") for end in ("", ".2"))
    assert first.read_bytes() == FILES["no-hooks"]
    assert second.read_bytes() == moved
    assert settings.launcher.read_text(encoding="utf-8") == "/opt/python/bin/python\n"
    uninstall(settings)
    assert path.read_bytes() == FILES["no-hooks"]
    assert second.exists()


def test_spoilt_backup_is_no_hindrance(settings: Settings, path: Path) -> None:
    path.write_bytes(FILES["no-hooks"])
    install(settings)
    path.with_name("settings.json.before-claude-mem").write_bytes(b"{")
    uninstall(settings)
    assert path.read_bytes() == FILES["no-hooks"]


def test_link_stays_a_link(settings: Settings, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "claude.json"
    target.parent.mkdir()
    target.write_bytes(FILES["no-hooks"])
    path.symlink_to(target)
    install(settings)
    assert path.is_symlink()
    assert "hooks" in read(target)
    assert names(target.parent) == ["claude.json"]
    uninstall(settings)
    assert path.is_symlink()
    assert target.read_bytes() == FILES["no-hooks"]


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_understood_is_left_alone(settings: Settings, path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    with pytest.raises(ClaudeMemError) as caught:
        install(settings)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert path.read_bytes() == raw
    assert names(settings.claude_dir) == ["settings.json"]
    assert not settings.home.exists()


def test_file_that_cannot_be_written(settings: Settings, path: Path) -> None:
    path.mkdir()
    with pytest.raises(ClaudeMemError, match="cannot read"):
        install(settings)


def test_failed_write_leaves_the_file(settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(FILES["no-hooks"])

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ClaudeMemError, match="cannot write"):
        install(settings)
    assert path.read_bytes() == FILES["no-hooks"]
    assert names(settings.claude_dir) == ["settings.json", "settings.json.before-claude-mem"]


def test_dry_run_changes_nothing(settings: Settings, path: Path) -> None:
    path.write_bytes(FILES["no-hooks"])
    planned = install(settings, dry_run=True)
    assert path.read_bytes() == FILES["no-hooks"]
    assert names(settings.claude_dir) == ["settings.json"]
    assert not settings.home.exists()
    assert install(settings) == planned
    planned = uninstall(settings, purge=True, dry_run=True)
    assert settings.launcher.exists()
    assert "hooks" in read(path)
    assert uninstall(settings, purge=True) == planned


def test_hook_of_settings_runs(settings: Settings, path: Path) -> None:
    """As Claude Code runs it: the command with its arguments, no shell between."""
    install(settings)
    (group,) = read(path)["hooks"]["Stop"]
    (hook,) = group["hooks"]
    done = subprocess.run(
        [hook["command"], *hook["args"]],
        input=b'{"session_id": "s-1"}',
        env={"CLAUDE_MEM_HOME": str(settings.home)},
        capture_output=True,
        timeout=20,
        check=True,
    )
    assert (json.loads(done.stdout)["continue"], done.stderr) == (True, b"")
    with Database.existing(settings.database).read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM flags").scalar() == 1


# A running watcher, and the home


@pytest.fixture
def watcher(settings: Settings) -> Iterator[psutil.Process]:
    """A process that holds the lock, as a watcher does, and is written down as one."""
    database = Database.create(settings.database)
    code = "import sys, time; from watcher import system; from pathlib import Path\n"
    code += "lock = system.lock(Path(sys.argv[1])); lock.acquire(); print('locked', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(settings.lock)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with database.write() as connection:
            started = int(psutil.Process(process.pid).create_time() * 1000) + 500
            watchers.started(connection, pid=process.pid, version=__version__, now=started)
        database.close()
        yield psutil.Process(process.pid)
        process.kill()


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_uninstall_ends_the_watcher(settings: Settings, path: Path, watcher: psutil.Process) -> None:
    install(settings)
    assert verbs(uninstall(settings), settings.lock) == ["stop"]
    assert not runs(watcher)
    assert uninstall(settings) == []


@pytest.mark.parametrize("change", ["stopped_at_epoch = 1", "started_at_epoch = 1"], ids=["over", "younger-process"])
def test_uninstall_never_ends_another_process(
    settings: Settings, path: Path, watcher: psutil.Process, change: str
) -> None:
    with Database.existing(settings.database).write() as connection:
        connection.exec_driver_sql(f"UPDATE watchers SET {change}")
    with pytest.raises(ClaudeMemError, match="unknown process"):
        uninstall(settings, purge=True)
    assert runs(watcher)
    assert settings.database.exists()


def test_uninstall_leaves_a_process_that_holds_no_lock(settings: Settings, path: Path) -> None:
    install(settings)
    with Database.existing(settings.database).write() as connection:
        watchers.started(connection, pid=os.getpid(), version=__version__, now=2**50)
    assert verbs(uninstall(settings), settings.lock) == []


def test_purge_deletes_the_home(settings: Settings, path: Path, watcher: psutil.Process) -> None:
    install(settings)
    settings.logs.mkdir()
    settings.config.write_text("", encoding="utf-8")
    changes = uninstall(settings, purge=True)
    assert changes[-1].what == "delete"
    assert not settings.home.exists()
    assert not runs(watcher)
    assert uninstall(settings, purge=True) == []


def test_purge_follows_the_homes_link_and_no_other(settings: Settings, path: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept").touch()
    settings.home.symlink_to(tmp_path / "disk")
    install(settings)
    (settings.home / "logs").symlink_to(tmp_path / "mine")
    uninstall(settings, purge=True)
    assert not settings.home.is_symlink()
    assert not (tmp_path / "disk").exists()
    assert (tmp_path / "mine" / "kept").exists()


def home_of_the_user(settings: Settings) -> Path:
    return Path.home()


def root(settings: Settings) -> Path:
    return Path("/")


def above_claude(settings: Settings) -> Path:
    return settings.claude_dir


def empty(settings: Settings) -> Path:
    folder = Path.home() / "empty"
    folder.mkdir()
    return folder


def no_database(settings: Settings) -> Path:
    folder = Path.home() / "project"
    (folder / "data").mkdir(parents=True)
    return folder


def among_other_things(settings: Settings) -> Path:
    folder = Path.home() / "project"
    Database.create(folder / "data" / "claude-mem.db").close()
    (folder / "thesis.tex").touch()
    return folder


@pytest.mark.parametrize("place", [home_of_the_user, root, above_claude, empty, no_database, among_other_things])
def test_purge_refuses_what_is_not_ours(
    settings: Settings, path: Path, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(settings)
    Database.create(Path.home() / "data" / "claude-mem.db").close()
    Database.create(settings.claude_dir / "data" / "claude-mem.db").close()
    monkeypatch.setattr(room, "_delete", lambda home: pytest.fail(f"{home} would be deleted"))
    odd = Settings(home=place(settings), claude_dir=settings.claude_dir)
    before = path.read_bytes()
    with pytest.raises(ClaudeMemError, match="not deleted"):
        uninstall(odd, purge=True)
    assert path.read_bytes() == before


# The commands


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("CLAUDE_MEM_HOME", str(settings.home))
    return cli.app


def typed(app: typer.Typer, line: str) -> str:
    done = CliRunner().invoke(app, shlex.split(line))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0
    return done.stdout


def test_commands_say_what_they_changed(app: typer.Typer, settings: Settings) -> None:
    said = typed(app, "install --dry-run")
    assert said.startswith("would\n")
    assert not settings.home.exists()
    said = typed(app, "install")
    for where in (settings.database, settings.launcher, settings.claude_dir / "settings.json"):
        assert str(where) in said
    assert "claude-mem status" in said
    assert "nothing to change" in typed(app, "install")
    said = typed(app, "uninstall")
    assert "the Stop hook" in said
    assert "uninstall --purge" in said
    assert "nothing to change" in typed(app, "uninstall")


def test_commands_speak_json(app: typer.Typer, settings: Settings) -> None:
    said = json.loads(typed(app, "install --json"))
    assert said["dry_run"] is False
    assert said["changes"][0] == {"what": "create", "where": str(settings.database), "detail": "the memory"}
    assert json.loads(typed(app, "install --json")) == {"dry_run": False, "changes": []}
    assert len(json.loads(typed(app, "uninstall --json --dry-run"))["changes"]) == 6


def test_purge_is_never_done_unasked(app: typer.Typer, settings: Settings) -> None:
    typed(app, "install")
    with pytest.raises(UsageError) as caught:
        typed(app, "uninstall --purge")
    assert "--yes" in caught.value.hint
    assert settings.launcher.exists()
    assert "delete" in typed(app, "uninstall --purge --yes")
    assert not settings.home.exists()


@pytest.mark.parametrize(("answer", "gone"), [("n", False), ("y", True)])
def test_purge_asks(
    app: typer.Typer, settings: Settings, answer: str, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(app, "install")
    commands = importlib.import_module("watcher.cli.install")  # `cli` has a function of that name
    monkeypatch.setattr(commands, "sys", type("Terminal", (), {"stdin": type("In", (), {"isatty": lambda: True})}))
    done = CliRunner().invoke(app, ["uninstall", "--purge"], input=f"{answer}\n")
    assert str(settings.home) in done.stderr
    assert settings.home.exists() is not gone
    assert settings.launcher.exists() is not gone


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_help_shows_examples(app: typer.Typer, command: str) -> None:
    said = typed(app, f"{command} --help")
    assert "Examples" in said
    assert f"claude-mem {command}" in said
