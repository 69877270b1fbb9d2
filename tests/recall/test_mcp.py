"""The MCP server as a process of its own, asked by the SDK's own client, as Claude Code asks it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.conftest import FIXTURES
from tests.service.watcher_process import WatcherProcess
from watcher import __version__
from watcher.memory.database import Database
from watcher.privacy.plain import MARK, OPENING

PROJECT = "/home/dev/tidytime"
COMMAND = [sys.executable, "-P", "-m", "watcher", "mcp"]


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> WatcherProcess:
    """A home whose memory holds a session."""
    made = WatcherProcess(tmp_path_factory.mktemp("home"))
    assert made.run("replay", str(FIXTURES / "ordinary")).returncode == 0
    return made


def server(home: WatcherProcess, cwd: Path | None = None, **variables: str) -> StdioServerParameters:
    environment = home.environment | variables
    return StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environment, cwd=cwd or home.home)


def talk(parameters: StdioServerParameters, act: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), Client(parameters) as client:
            await act(client)

    asyncio.run(run())


async def call(client: Client, name: str, **arguments: Any) -> tuple[str, bool]:
    """Return what a tool answers, and whether it calls that an error."""
    result = await client.call_tool(name, arguments)
    (content,) = result.content
    assert content.type == "text"
    return content.text, bool(result.is_error)


def test_the_index_first_then_the_details(remembered: WatcherProcess) -> None:
    async def act(client: Client) -> None:
        assert (client.server_info.name, client.server_info.version) == ("claude-mem", __version__)
        assert client.instructions is not None
        assert "the cheap one first" in client.instructions
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["search", "timeline", "get_observations", "get_session"]
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        text, is_error = await call(client, "search", query="duration")
        assert not is_error
        found = text.splitlines()[3].split()[0]
        assert found.startswith("#")
        assert f"> {found} " in (await call(client, "timeline", anchor=found))[0]
        assert f"## {found} " in (await call(client, "get_observations", ids=[found]))[0]
        assert (await call(client, "get_session", session=found))[0].startswith(f"{OPENING}\n{MARK}\nSession 8e2fcdbc")

    talk(server(remembered, CLAUDE_PROJECT_DIR=PROJECT), act)


def test_errors_are_told_to_the_model_and_the_server_lives_on(remembered: WatcherProcess) -> None:
    async def act(client: Client) -> None:
        assert await call(client, "search", limit=0) == (
            "limit is to be a whole number from 1 to 100, not '0'\nTry: search(query, limit, offset, project, type, "
            "obs_type, file, concept, dateStart, dateEnd, orderBy)",
            True,
        )
        assert await call(client, "get_observations", ids=["#99"]) == (
            "there is no #99\nTry: search(query) prints the ids that there are",
            True,
        )
        assert (await call(client, "nonesuch"))[1]
        assert not (await call(client, "search", query="duration", project="all"))[1]

    talk(server(remembered), act)


def test_the_project_is_the_folder_that_it_is_started_in(tmp_path: Path) -> None:
    home = WatcherProcess(tmp_path)
    Database.create(home.memory / "data" / "claude-mem.db").close()
    folder = tmp_path / "größe"
    folder.mkdir()

    async def act(client: Client) -> None:
        assert f"found in {folder}." in (await call(client, "search", query="x"))[0]

    talk(server(home, cwd=folder), act)


def test_the_memory_may_come_and_go_while_it_runs(tmp_path: Path) -> None:
    """No memory, settings that are wrong, an older memory: each is told; and nothing is kept open between two calls."""
    home = WatcherProcess(tmp_path)
    path = home.memory / "data" / "claude-mem.db"

    async def act(client: Client) -> None:
        text, is_error = await call(client, "search", query="x")
        assert is_error
        assert "no memory yet" in text
        assert "Try: claude-mem install" in text
        assert not path.exists()
        database = Database.create(path)
        assert not (await call(client, "search", query="x"))[1]
        (process,) = psutil.Process().children()
        assert [file.path for file in process.open_files() if "claude-mem.db" in file.path] == []
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        database.close()
        text, is_error = await call(client, "timeline", anchor="#1")
        assert is_error
        assert "of an older claude-mem\nTry: claude-mem watch --background" in text
        (home.memory / "config.toml").write_text("[nonesuch]\n")
        text, is_error = await call(client, "search", query="x")
        assert is_error
        assert "no section [nonesuch]" in text

    talk(server(home), act)


def start(home: WatcherProcess) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        COMMAND,
        env=home.environment,
        cwd=home.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    b'"clientInfo":{"name":"t","version":"0"}}}\n'
)


def test_it_ends_with_its_input(tmp_path: Path) -> None:
    """What is no message is no reason to end; closed input is, and a client that is gone needs no word."""
    with start(WatcherProcess(tmp_path)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"no message\n" + INITIALIZE)
        process.stdin.flush()
        lines = iter(process.stdout.readline, b"")
        assert any(b'"serverInfo"' in line for line in lines)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=20) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    """Claude Code sends SIGINT first; a thread that waits for input must not keep it."""
    with start(WatcherProcess(tmp_path)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(INITIALIZE)
        process.stdin.flush()
        assert b'"serverInfo"' in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=20) == -number
        assert process.stderr is not None
        assert process.stderr.read() == b""
