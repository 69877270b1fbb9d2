"""Owns the agent that asks a model, and with it claude-agent-sdk, which nothing else imports.

One fresh process a batch: a batch holds all it needs, so there is no conversation to keep, and a fresh
process cannot send a failed prompt along with the next one, has no history that grows, reports the cost of
this batch alone (the CLI adds costs up over its life) and leaves nothing running between two batches. It
costs 0.3 s. The watcher itself never imports this: it has it run by `worker`, by way of `proxy`. See `guard` for what
ends the model's process when it is the one that started it that is killed.

The model's process is itself a Claude Code, so all that makes one useful to a user is switched off: tools,
hooks, MCP servers, settings, memory, transcripts, and the reading of `@path` and `/command` in what it is
told. All this was measured with claude-agent-sdk 0.2.187 and Claude Code 2.1.330; the tests that run the real
CLI repeat the measurements.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    CLIConnectionError,
    CLINotFoundError,
    ProcessError,
    ResultMessage,
    SystemMessage,
    TextBlock,
)

from watcher import system
from watcher.agent import cli, environment, faults, prompts, replies
from watcher.agent.base import AgentError, Batch, Reply, Usage
from watcher.settings import AgentSettings

_LEAVE_TIMEOUT = 1.0  # seconds for a process that is told to end; it takes 0.03
_CLOSE_TIMEOUT = 20.0  # seconds; the SDK's own bound for ending a process that ignores everything but SIGKILL
_NOT_RUN = (126, 127)  # exit codes of the guard, as of a shell, for what it cannot run or find
_LONGEST_RETRY = 5.0  # seconds before the CLI's next try at one request; left to itself it waits 2 at most
_MESSAGE_LIMIT = 8 << 20  # bytes; the SDK's own, 1 MB, fails on a long answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    usage: Usage


class ClaudeAgent:
    """Asks a model through claude-agent-sdk. Nothing runs between two calls of `digest`."""

    name = "claude"

    def __init__(self, settings: AgentSettings, workdir: Path, claude_dir: Path) -> None:
        """Start nothing yet.

        Args:
            settings: the `[agent]` section.
            workdir: a folder of its own for the process, so that no project's files are near it; made
                (mode 0700) where it is missing.
            claude_dir: Claude Code's own folder, whose login is used.
        """
        self._settings = settings
        self._workdir = workdir
        self._claude_dir = claude_dir
        self._quiet = threading.Condition()
        self._running: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._closed = False

    def digest(self, batch: Batch) -> Reply:
        """Answer one batch, in an event loop of its own; blocks until answered."""
        answer = self._answer(prompts.render(batch))
        try:
            observations, summaries = replies.read(answer.text, batch)
        except AgentError as error:
            error.usage = answer.usage
            raise
        return Reply(observations, summaries, answer.usage)

    def close(self) -> None:
        """End every running `digest`, which then raises, and wait until their processes are gone."""
        with self._quiet:
            self._closed = True
            for stop, loop in self._running.items():
                loop.call_soon_threadsafe(stop.set)
            self._quiet.wait_for(lambda: not self._running, timeout=_CLOSE_TIMEOUT)

    def _answer(self, prompt: str) -> _Answer:
        started: list[asyncio.SubprocessTransport] = []
        try:
            with asyncio.Runner(loop_factory=lambda: _loop(started)) as runner:
                return runner.run(self._converse(prompt, started))
        except AgentError:
            raise
        except CLINotFoundError as error:
            raise faults.missing(cli.looked_at(self._settings)) from error
        except CLIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.ENOEXEC):
                raise faults.missing(cli.looked_at(self._settings)) from error
            raise faults.crashed("the connection to it broke") from error
        except ProcessError as error:
            if error.exit_code in _NOT_RUN:
                raise faults.missing(cli.looked_at(self._settings)) from error
            raise faults.crashed(f"exit code {error.exit_code}") from error
        except Exception as error:  # the SDK raises bare ones too: a control request that failed or timed out
            _log.debug("the agent's process failed", exc_info=True)
            raise faults.crashed(type(error).__name__) from error

    async def _converse(self, prompt: str, started: Sequence[asyncio.SubprocessTransport]) -> _Answer:
        """Run one process for one prompt, and see it gone whatever happens."""
        stop = asyncio.Event()
        with self._stoppable(stop):
            client = ClaudeSDKClient(self._options())
            # Ended by a flag and not by cancelling this very task: a second cancellation would break into the
            # SDK's cleanup and leave the process behind.
            work = asyncio.ensure_future(_ask(client, prompt))
            stopping = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait(
                    {work, stopping}, timeout=self._settings.timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if work.done():
                    return work.result()
                raise faults.stopped() if stop.is_set() else faults.timeout(self._settings.timeout)
            finally:
                stopping.cancel()
                await _end(client, work, started)

    @contextmanager
    def _stoppable(self, stop: asyncio.Event) -> Iterator[None]:
        """Let `close` set `stop` from its own thread, and wait until the block is left."""
        with self._quiet:
            if self._closed:
                raise faults.stopped()
            self._running[stop] = asyncio.get_running_loop()
        try:
            yield
        finally:
            with self._quiet:
                del self._running[stop]
                self._quiet.notify_all()

    def _options(self) -> ClaudeAgentOptions:
        """Return the options that isolate the process; each was seen to leak without."""
        self._workdir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = cli.find_cli(self._settings)
        if path is None:
            raise faults.missing(cli.looked_at(self._settings))
        program, guarding = cli.guarded(path, self._workdir)
        written = environment.read_settings(self._claude_dir)
        told = environment.variables(os.environ, written, self._claude_dir, self._settings.timeout / 2)
        return ClaudeAgentOptions(
            system_prompt=prompts.SYSTEM,
            model=self._settings.model,
            effort="low",
            tools=[],  # not enough alone: a user's MCP tools come back with their settings
            allowed_tools=[],
            permission_mode="dontAsk",
            setting_sources=[],  # no hooks, no rules, no plugins; and no login by settings, see `environment`
            strict_mcp_config=True,
            mcp_servers={},
            plugins=[],
            settings=environment.login_file(written, self._workdir),
            verbatim_prompts=True,
            max_turns=4,  # a cut answer is continued in another one
            max_buffer_size=_MESSAGE_LIMIT,
            cwd=self._workdir,
            cli_path=program,
            stderr=lambda line: _log.debug("claude: %s", line),
            extra_args={"no-session-persistence": None, "disable-slash-commands": None},
            env=told | guarding,
        )


async def _ask(client: ClaudeSDKClient, prompt: str) -> _Answer:
    """Start the process, give it one prompt and wait for that prompt's result."""
    await client.connect()
    _refuse_outdated(await client.get_server_info())
    own_uuid = str(uuid.uuid4())
    await client.query(_message(prompt, own_uuid))
    texts: list[str] = []
    fault = ""
    async for message in client.receive_messages():
        if isinstance(message, AssistantMessage):
            if message.error:  # its text is prose about a fault
                fault = message.error
            else:
                texts += [block.text for block in message.content if isinstance(block, TextBlock)]
        elif isinstance(message, SystemMessage) and message.subtype == "api_retry":
            _refuse_to_wait(message.data)
        elif isinstance(message, ResultMessage) and own_uuid in (message.user_message_uuids or [own_uuid]):
            usage = _usage(message)
            # A fault of the API is no exception here but a "success" with `is_error` set.
            if message.is_error or (fault and not texts):
                ending = message.subtype if message.subtype != "success" else message.terminal_reason
                error = faults.of_result(message.api_error_status, fault, message.result or "", ending or "")
                error.usage = usage
                raise error
            # Joined by nothing: the CLI has an answer that hit the token limit continued in mid-word.
            return _Answer("".join(texts), usage)
    raise faults.crashed("it ended without an answer")


async def _message(prompt: str, own_uuid: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the one message; only a message with a uuid of its own can be told apart in the results."""
    yield {
        "type": "user",
        "message": {"role": "user", "content": prompt},
        "parent_tool_use_id": None,
        "uuid": own_uuid,
    }


async def _end(
    client: ClaudeSDKClient, work: asyncio.Future[_Answer], started: Sequence[asyncio.SubprocessTransport]
) -> None:
    """Leave no process behind.

    Told to end by a signal, one in the middle of a request is gone in hundredths of a second; merely disconnected
    it is waited for, five seconds, and leaves behind what it has begun. One that is deaf to it, perhaps because a
    command that is to log it in hangs, is killed with all that it started.
    """
    if not work.done():
        for process in started:
            with suppress(ProcessLookupError):
                process.terminate()
        work.cancel()
    leaving = asyncio.ensure_future(_leave(client, work))
    await asyncio.wait({leaving}, timeout=_LEAVE_TIMEOUT)
    for process in started:
        if process.get_returncode() is None:
            system.end_tree(process.get_pid())
    await leaving
    for process in started:
        process.close()  # the SDK leaves open the pipes that something else still holds


async def _leave(client: ClaudeSDKClient, work: asyncio.Future[_Answer]) -> None:
    await asyncio.gather(work, return_exceptions=True)
    await client.disconnect()


def _loop(started: list[asyncio.SubprocessTransport]) -> asyncio.AbstractEventLoop:
    """Return an event loop that keeps what it starts: the SDK hides its process, and gives it up half ended."""
    loop = asyncio.new_event_loop()
    start = loop.subprocess_exec

    async def keeping(*args: Any, **options: Any) -> Any:
        transport, protocol = await start(*args, **options)
        started.append(transport)
        return transport, protocol

    loop.subprocess_exec = keeping  # type: ignore[method-assign]
    return loop


def _refuse_outdated(server: dict[str, Any] | None) -> None:
    """Raise unless the process says, before it is told anything, that it is new enough."""
    said = str((server or {}).get("claude_code_version") or "")
    version = cli.parsed(said)
    if version is None or version < cli.OLDEST:
        raise faults.outdated(said, ".".join(map(str, cli.OLDEST)))


def _refuse_to_wait(retry: dict[str, Any]) -> None:
    """Raise where the API asks for a long pause: the queue waits without a process, and loses no try by it.

    The CLI itself gives up from a `retry-after` of 61 s on; below that it would sleep until the batch's time is up,
    and a time-out may be the batch's own fault.
    """
    delay, status = retry.get("retry_delay_ms"), retry.get("error_status")
    if isinstance(delay, int | float) and delay > _LONGEST_RETRY * 1000:
        raise faults.of_result(status if isinstance(status, int) else None, str(retry.get("error")), "", "api_error")


def _usage(message: ResultMessage) -> Usage:
    """Return what the process cost so far, which is what its one batch cost."""
    counts = message.usage or {}
    kinds = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return Usage(
        input_tokens=sum(int(counts.get(kind) or 0) for kind in kinds),
        output_tokens=int(counts.get("output_tokens") or 0),
        cost_usd=message.total_cost_usd or 0.0,
    )
