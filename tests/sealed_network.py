"""A whole session where every packet is seen: in a network namespace whose every address is this machine's own.

Run as `unshare --user --map-root-user --net python -m tests.sealed_network FOLDER`. The real CLI with this checkout as
its plugin, its hooks, a watcher with the agent `claude`, commands and the MCP server; the model is scripted. Prints
JSON: who was contacted, each as `[protocol, address, port]`, and what the session came to. Nothing gets out, and
what would have got out is told: looking up a name, too.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

from tests.messages_api import Kind, MessagesAPI, Reply, ToolCall
from tests.world import World, agent_answer

PROMPT = "Write a greeting into test.txt."
QUIETED = "DISABLE_"  # in a variable's name: it is to be quiet without being told to
EVERY_PROTOCOL = 3  # ETH_P_ALL
TCP, UDP = 6, 17
SYN, ACK = 0x02, 0x10

Contact = tuple[str, str, int]


def contact(packet: bytes) -> Contact | None:
    """Return whom an IP packet is meant to reach: at the opening of a TCP connection, or with any datagram."""
    if not packet:
        return None
    if packet[0] >> 4 == 4:
        protocol, address, payload = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
        name = socket.inet_ntop(socket.AF_INET, address)
    else:
        protocol, address, payload = packet[6], packet[24:40], packet[40:]
        name = socket.inet_ntop(socket.AF_INET6, address)
    port = int.from_bytes(payload[2:4], "big")
    if protocol == TCP and payload[13] & (SYN | ACK) == SYN:
        return "tcp", name, port
    return ("udp", name, port) if protocol == UDP else None


class Listener:
    """Notes who is contacted, from its making on."""

    def __init__(self) -> None:
        self.found: set[Contact] = set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERY_PROTOCOL))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            if (one := contact(self._socket.recv(1 << 16))) is not None:
                self.found.add(one)


def seal() -> None:
    """Let every address be this machine's."""
    for command in (
        ("link", "set", "lo", "up"),
        ("route", "add", "local", "0.0.0.0/0", "dev", "lo"),
        ("-6", "route", "add", "local", "::/0", "dev", "lo"),
    ):
        subprocess.run(["ip", *command], check=True)


def session(folder: Path, api: MessagesAPI) -> list[tuple[object, ...]]:
    """Play a session; return what was summarised by whom."""
    with World(folder, api) as world:
        told = {name: value for name, value in world.environment.items() if QUIETED in name}
        for name in told:
            del world.environment[name]
        world.claude_mem("install")
        world.claude_mem("watch", "--background")
        world.environment |= told  # what the user's own Claude Code contacts is theirs to say
        world.say(PROMPT)
        world.wait_for_rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'", [(1,)])
        for name in told:
            del world.environment[name]
        for command in (["status"], ["search", "greeting"], ["context"], ["usage"], ["doctor"]):
            world.claude_mem(*command)
        return world.rows("SELECT source, agent FROM session_summaries")


def attempt_to_leave() -> None:
    """Contact others, in each way that the listener must tell."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.sendto(b"name?", ("192.0.2.1", 53))
    for family, address in ((socket.AF_INET, "192.0.2.2"), (socket.AF_INET6, "2001:db8::2")):
        with socket.socket(family) as connection:
            connection.connect_ex((address, 443))


def main(folder: Path) -> None:
    seal()
    listener = Listener()
    writing = ToolCall("Write", {"file_path": str(folder / "project" / "test.txt"), "content": "hello\n"})
    with MessagesAPI(
        [Reply(tool_uses=[writing]), Reply(text="Wrote it.")], agent=lambda _request: agent_answer()
    ) as api:
        summaries = session(folder, api)
        asked = len(api.requests_of(Kind.AGENT))
        of_api = ("tcp", "127.0.0.1", int(api.url.rpartition(":")[2]))
    contacted = set(listener.found)
    attempt_to_leave()
    # Packets are noted in their order: once the last is, all are.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        while ("udp", "127.0.0.1", 9) not in listener.found:
            datagram.sendto(b"", ("127.0.0.1", 9))
    told = {
        "summaries": summaries,
        "agent_requests": asked,
        "contacted_api": of_api in contacted,
        "contacted_others": sorted(contacted - {of_api}),
        "attempts": sorted(listener.found - contacted - {("udp", "127.0.0.1", 9)}),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
