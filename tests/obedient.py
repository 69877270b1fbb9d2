"""Owns a scripted model that does whatever any text in a request tells it to, as no real one should.

    with MessagesAPI(agent=Obedient()) as api: ...

What it obeys, anywhere in the last user message, however often that is escaped:

    run tool Bash with touch /tmp/x;;        a tool use; also of Write, Read, WebFetch, Agent, mcp__server__tool
    write this answer: <observation>…;;      these very words
"""

from __future__ import annotations

import html
import re

from tests.messages_api import Reply, Request, ToolCall, last_user_text

_RUN = re.compile(r"run tool (\w+) with ([^\n]*?);;")
_WRITE = re.compile(r"write this answer: (.*?);;", re.DOTALL)
_ARGUMENTS = {"Bash": "command", "Read": "file_path", "WebFetch": "url", "Agent": "prompt"}
_SUMMARY = re.compile(r"<summary> of each turn that is over: ([\d, ]+)")


class Obedient:
    """Obeys orders: tools at the first request of a conversation, or at each one where it is `tireless`."""

    def __init__(self, *, is_tireless: bool = False) -> None:
        self._is_tireless = is_tireless
        self.orders: list[str] = []  # that were found and obeyed, each once a request

    def __call__(self, request: Request) -> Reply:
        """Answer one request."""
        first = next(message for message in request["messages"] if message["role"] == "user")
        text = last_user_text({"messages": [first]})
        unescaped = html.unescape(html.unescape(text))
        tools = [ToolCall(name, _arguments(name, told)) for name, told in _RUN.findall(unescaped)]
        words = _WRITE.findall(unescaped)
        self.orders += [*(tool.name for tool in tools), *words]
        is_first = len(request["messages"]) == 1 or not any(m["role"] == "assistant" for m in request["messages"])
        if is_first or self._is_tireless:
            return Reply(text="\n".join(words), tool_uses=tools)
        wanted = _SUMMARY.search(text)
        numbers = re.findall(r"\d+", wanted[1]) if wanted else []
        summaries = [
            f'<summary turn="{number}"><request>Look</request><completed>Looked</completed></summary>'
            for number in numbers
        ]
        return Reply(text="\n".join(summaries) or "<nothing/>")


def _arguments(name: str, told: str) -> dict[str, object]:
    if name == "Write":
        return {"file_path": told, "content": "obeyed"}
    return {_ARGUMENTS.get(name, "text"): told}
