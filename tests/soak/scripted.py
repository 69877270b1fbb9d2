"""Owns the scripted agent: the same tool use is always the same observation, however the work was cut into batches.

So what comes of a turn does not depend on how often a watcher died over it. It is to be had in two shapes: in the
watcher's own process, and as a CLI of a few lines that claude-agent-sdk starts as it starts the real one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from watcher.agent import base, prompts, replies

# Part of the CLI's own text below, so written with nothing but the standard library.
_ANSWER = '''
import hashlib, re

def digest(text):
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()

def answer(prompt):
    """Return one observation a tool use, and a summary of each turn that one is wanted of."""
    uses = re.findall(r'<tool_use n="(\\d+)" name="([^"]*)"[^>]*>(.*?)</tool_use>', prompt, re.DOTALL)
    told = [
        f"<observation><type>change</type><title>{name} {digest(inner)}</title><tool_uses>{n}</tool_uses></observation>"
        for n, name, inner in uses
    ]
    wanted = re.findall(r"\\d+", prompt.partition("exactly one <summary>")[2])
    for n, turn in re.findall(r'<turn n="(\\d+)">(.*?)</turn>', prompt, re.DOTALL):
        asked = " ".join(re.findall(r"<prompt>(.*?)</prompt>", turn, re.DOTALL))
        said = " ".join(re.findall(r"<closing_text>(.*?)</closing_text>", turn, re.DOTALL))
        fields = f"<request>Asked {digest(asked)}</request><completed>Said {digest(said)}</completed>"
        if n in wanted:
            told.append(f'<summary turn="{n}">{fields}</summary>')
    return "\\n".join(told) or "<nothing/>"
'''

_known: dict[str, Any] = {}
exec(_ANSWER, _known)  # the very text that the CLI below runs
answer: Callable[[str], str] = _known["answer"]


class ScriptedAgent:
    """Answers a batch as the scripted CLI does, but in this process."""

    name = "claude"  # stored with what it says: nobody is to tell the two shapes apart by their rows

    def __init__(self, thinks: float = 0.04) -> None:
        """Take how long it thinks at most, in seconds."""
        self._thinks = thinks

    def digest(self, batch: base.Batch) -> base.Reply:
        text = prompts.render(batch)
        time.sleep(self._thinks * (len(text) % 7) / 6)
        observations, summaries = replies.read(answer(text), batch)
        return base.Reply(observations, summaries, base.Usage(100, 10, 0.001))

    def close(self) -> None:
        """Nothing runs."""


def scripted_cli(path: Path) -> Path:
    """Write the CLI; `hold` and `fault`, files beside it, have it wait or fail.

    While `hold` is there it reads its prompt, says so by a line in `asked`, and answers nothing. `fault` holds the
    status and the name of an API fault, and is used up by the answer that it spoils.
    """
    path.write_text(f"#!{sys.executable} -S\n{_ANSWER}{_CLI}", encoding="utf-8")
    path.chmod(0o755)
    return path


_CLI = """
import json, os, sys, time

here, parent = os.path.dirname(os.path.abspath(__file__)), os.getppid()
lines = (json.loads(line) for line in iter(sys.stdin.readline, ""))

def send(message):
    print(json.dumps(message), flush=True)

def beside(name):
    return os.path.join(here, name)

request = next(lines)
server = {"claude_code_version": "9.0.0"}
response = {"subtype": "success", "request_id": request["request_id"], "response": server}
send({"type": "control_response", "response": response})
for message in lines:
    if message.get("type") == "control_request":
        done = {"subtype": "success", "request_id": message["request_id"], "response": {}}
        send({"type": "control_response", "response": done})
    if message.get("type") != "user":
        continue
    with open(beside("asked"), "a") as asked:
        asked.write(f"{os.getpid()}\\n")
    while os.path.exists(beside("hold")):
        time.sleep(0.005)
        if os.getppid() != parent:
            sys.exit(0)
    result = dict(type="result", subtype="success", duration_ms=1, duration_api_ms=1, is_error=False, num_turns=1,
                  session_id="s", user_message_uuids=[message["uuid"]], total_cost_usd=0.001,
                  usage={"input_tokens": 100, "output_tokens": 10})
    try:
        with open(beside("fault")) as file:
            fault = file.read().split()
        os.unlink(beside("fault"))
    except OSError:
        fault = []
    if fault and fault[0] == "cut":
        os._exit(1)
    if fault and fault[0] == "half":
        text = answer(message["message"]["content"])[:30]
    elif fault and fault[0] == "prose":
        text = "I cannot help with that."
    elif fault:
        status = int(fault[0]) or None
        send({**result, "is_error": True, "api_error_status": status, "terminal_reason": "api_error",
              "result": "API Error: " + " ".join(fault[1:])})
        continue
    else:
        text = answer(message["message"]["content"])
    content = [{"type": "text", "text": text}]
    send({"type": "assistant", "message": {"role": "assistant", "content": content, "model": "scripted"},
          "parent_tool_use_id": None, "session_id": "s", "uuid": "00000000-0000-4000-8000-000000000000"})
    send({**result, "result": text})
"""


def created(thinks: float) -> Mapping[str, object]:
    """Return what takes the place of `watcher.agent.create` in a watcher's process."""

    def create(*_: object) -> ScriptedAgent:
        return ScriptedAgent(thinks)

    return {"create": create}
