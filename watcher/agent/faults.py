"""Owns the words for what goes wrong with the model: from a status and the CLI's own name to an error.

The CLI tells of an API fault twice: as prose in the answer's place, and in the fields read here. The prose
may quote the request, so no error made here repeats any of it.
"""

from __future__ import annotations

from watcher.agent.base import AgentError, Usage

_WITHOUT_MODEL = 'set name = "extractive" under [agent] in config.toml (or CLAUDE_MEM_AGENT=extractive)'

LOGIN_HINT = f"run claude and type /login, or {_WITHOUT_MODEL}"
CLI_HINT = f"install Claude Code, or name it with cli_path under [agent] in config.toml, or {_WITHOUT_MODEL}"
UPDATE_HINT = f"run claude update, or {_WITHOUT_MODEL}"
WORKER_HINT = f"claude-mem watch --stop (a session starts it anew), or install claude-mem again, or {_WITHOUT_MODEL}"
MODEL_HINT = "set model under [agent] in config.toml to one that your account has"


def of_result(status: int | None, name: str, prose: str, ending: str) -> AgentError:
    """Return the error for an answer that the CLI marked as failed.

    Args:
        status: the HTTP status of the failed request; None where there was none, or no request at all.
        name: the CLI's own word for it ("authentication_failed", "rate_limit", …); may be empty.
        prose: what the CLI put in the answer's place; looked at where nothing else tells two faults apart.
        ending: how the CLI's loop ended ("api_error", "prompt_too_long", "error_max_turns", …).
    """
    code = f" (status {status})" if status else ""
    if name == "authentication_failed" or status in (401, 403):
        return AgentError(f"not logged in{code}", kind="login", may_recover=False, hint=LOGIN_HINT)
    if name == "billing_error":
        return AgentError(
            f"the account has no credit left{code}", kind="refused", may_recover=False, hint=_WITHOUT_MODEL
        )
    if name == "model_not_found" or status == 404:
        return AgentError(f"the model was not found{code}", kind="refused", may_recover=False, hint=MODEL_HINT)
    if name == "rate_limit" or status == 429:
        return AgentError(f"the account's rate limit is reached{code}", kind="rate_limit")
    if status is not None and status >= 500:
        return AgentError(f"the API is overloaded or down{code}", kind="overloaded")
    if status is not None or name == "invalid_request":
        # May lie in this batch alone (too long, or not to a safety filter's liking): others are worth their try.
        why = "" if ending == "api_error" else f": {ending}"
        return AgentError(f"the API refused the request{code}{why}", kind="refused")
    if ending != "api_error":
        return AgentError(f"the model's answer ended early: {ending}", kind="unreadable")
    if "timed out" in prose:
        return AgentError("the API did not answer in time", kind="timeout")
    return AgentError(
        "the API cannot be reached", kind="unreachable", hint="look at the network, or at ANTHROPIC_BASE_URL"
    )


def timeout(seconds: float) -> AgentError:
    """Return the error for a batch that took longer than it may."""
    return AgentError(f"no answer within {seconds:g} s", kind="timeout")


def stopped() -> AgentError:
    """Return the error for a batch that `close` ended, or came after it."""
    return AgentError("the agent was closed", kind="stopped")


def crashed(what: str) -> AgentError:
    """Return the error for a CLI that ended or babbled in the middle of a batch."""
    return AgentError(f"the Claude Code process failed: {what}", kind="crashed")


def ended(what: str) -> AgentError:
    """Return the error for an agent's process that ended, babbled or fell silent in the middle of a batch."""
    return AgentError(f"the agent's process failed: {what}", kind="crashed")


def unusable(what: str) -> AgentError:
    """Return the error for an agent's process that never gets ready to be asked: no fault of any batch."""
    return AgentError(f"the agent's process cannot be used: {what}", kind="missing", hint=WORKER_HINT)


def missing(where: str) -> AgentError:
    """Return the error for a CLI that is not there or cannot be run; `where` says where it was looked for."""
    return AgentError(f"no Claude Code CLI that can be run {where}", kind="missing", may_recover=False, hint=CLI_HINT)


def outdated(version: str, needed: str) -> AgentError:
    """Return the error for a CLI that would act on what a prompt says."""
    return AgentError(
        f"Claude Code {version or 'of an unknown version'} is too old, {needed} is needed",
        kind="outdated",
        may_recover=False,
        hint=UPDATE_HINT,
    )


def unreadable(what: str, usage: Usage | None = None) -> AgentError:
    """Return the error for an answer that holds nothing usable."""
    return AgentError(f"the model's answer cannot be used: {what}", kind="unreadable", usage=usage or Usage())
