"""What the user says is private, in every spelling and place, looked for in all bytes that are kept or sent."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.attacks.outcome import Outcome
from tests.service.recorder import Recorder, ScriptedAgent
from tests.transcript import lines
from tests.transcript.lines import BEGIN, SESSION
from watcher.memory import sessions
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service.admission import OBSERVERS
from watcher.service.ingest import Ingest
from watcher.settings import PrivacySettings, Settings

OPENINGS = ("<private>", "<PRIVATE >", "<private\nfor='me'>", "< private >", "<private/>", '<private if="1 > 0">')
CLOSINGS = ("</private>", "</ Private\n>", "")
TOOLS = (("Read", "file_path"), ("Edit", "file_path"), ("Write", "file_path"), ("MultiEdit", "file_path"))
MORE_TOOLS = (("NotebookEdit", "notebook_path"), ("Grep", "path"), ("Glob", "pattern"), ("mcp__fs__read", "path"))
PATHS = (
    ".env",
    "./.env",
    "a/../.env",
    "/home/dev/api/.env.local",
    ".ENV",
    "C:\\dev\\api\\.env",
    "secrets/a",
    "~/.ssh/x",
)
COMMANDS = "cat {};cat '{}';bash -c \"cat {}\";echo A=1 > {};x=$(cat {});cat<{};run --file={};cd /x && source {}"
FOLDERS = ("/home/dev/clients/acme", "/home/dev/clients", "/srv/nda/x")
# Of what is not seen, and why not: the watcher reads what Claude Code wrote, and runs no shell.
UNSEEN = {
    "a variable": ('f=.en; cat "${f}v"', "a shell puts the name together"),
    "a wildcard": ("cat .e*", "only a shell knows what it stands for"),
    "a search of all": ("grep -rn KEY .", "the command names no file; what it prints does"),
    "a difference": ("git diff", "the command names no file; what it prints does"),
}


@dataclass
class Case:
    """One session, and what must not be found of it."""

    name: str
    marker: str
    written: list[bytes]
    folder: str = "-home-dev-api"


class Home:
    """A memory in a home of its own, and what its agent was shown."""

    def __init__(self, folder: Path, privacy: PrivacySettings | None = None) -> None:
        settings = Settings(home=folder / "memory", claude_dir=folder / "claude")
        self.privacy = privacy or PrivacySettings(ignore=("secrets/**",))
        self.agent = ScriptedAgent()
        self.recorder = Recorder(settings, Database.create(settings.database), self.agent)
        self.recorder.ingest.heed(self.privacy)

    def play(self, case: Case, number: int, *, by_line: bool) -> None:
        """Take a session in, whole or each line by a watcher of its own; end it, and have it observed."""
        session = SESSION.replace("1", "0", 1)[:-4] + f"{number:04}"
        recorder = self.recorder
        path = recorder.settings.projects / case.folder / f"{session}.jsonl"
        for line in case.written:
            recorder.write(line.replace(SESSION.encode(), session.encode()), path=path)
            if by_line:
                Ingest(recorder.database, recorder.settings.capture, self.privacy).take_in(path)
        recorder.transcript = path
        self._flag(FlagKind.FINALIZE, session, 8000, last_assistant_message=f"Found {case.marker}.")
        recorder.now += 60_000
        recorder.life.handle_flags()
        self._flag(FlagKind.CLEANUP, session, 9000)
        recorder.life.handle_flags()
        while recorder.digest.ask_agent(session).name == "DONE":
            pass

    def _flag(self, kind: FlagKind, session: str, at: int, **event: str) -> None:
        whole = {"session_id": session, "transcript_path": str(self.recorder.transcript), **event}
        with self.recorder.database.write() as connection:
            sessions.raise_flag(connection, session, kind, json.dumps(whole), BEGIN + at)

    def everything(self) -> bytes:
        """Return all that is kept, and all that was sent."""
        files = [path.read_bytes() for path in self.recorder.settings.home.rglob("*") if path.is_file()]
        return b"\n".join([*files, repr(self.agent.asked).encode()])

    def rows(self) -> int:
        """Return how many rows there are of sessions."""
        tables = [
            "sdk_sessions",
            "user_prompts",
            "tool_uses",
            "checkpoints",
            "broken_lines",
            "flags",
            "project_folders",
        ]
        return sum(self.recorder.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables)


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Try all of it."""
    yield _tried(folder / "a", "private passage: spellings and places", list(_passages()), is_one_session=True)
    yield _tried(folder / "b", "private turn: all that is done in it", list(_turns()))
    yield _tried(folder / "c", "private turn: each line by another watcher", list(_turns()), by_line=True)
    yield _tried(folder / "d", "private file: tools and spellings", list(_files()), is_one_session=True)
    yield _tried(folder / "e", "private file: named by a command", list(_commands()), is_one_session=True)
    yield _unseen(folder / "f")
    yield _left_out(folder / "g", "excluded project", [(place, "cli", "-x") for place in FOLDERS])
    sdk = [("/home/dev/api", entrypoint, "-x") for entrypoint in ("sdk-py", "sdk-ts", "sdk-x")]
    yield _left_out(folder / "h", "another program's session", sdk)
    own = str(folder / "i" / "memory" / "agent")
    observers = [(own, "cli", "-x"), (own, "sdk-py", "-x"), ("/home/dev/api", "cli", f"-home{OBSERVERS}")]
    yield _left_out(folder / "i", "a memory's own agent", observers, sdk_sessions=True)


def _tried(
    folder: Path, kind: str, cases: list[Case], *, by_line: bool = False, is_one_session: bool = False
) -> Outcome:
    home = Home(folder)
    if is_one_session:
        home.play(Case("", "nothing", [line for case in cases for line in case.written]), 0, by_line=by_line)
    else:
        for number, case in enumerate(cases):
            home.play(case, number, by_line=by_line)
    found = home.everything()
    assert b"Go on." in found  # what is not private is kept, and so something was looked at
    return Outcome(kind, len(cases), tuple(case.name for case in cases if case.marker.encode() in found))


def _left_out(folder: Path, kind: str, places: list[tuple[str, str, str]], *, sdk_sessions: bool = False) -> Outcome:
    through = []
    for number, (cwd, entrypoint, name) in enumerate(places):
        privacy = PrivacySettings(exclude=("/home/dev/clients/**", "**/nda"), sdk_sessions=sdk_sessions)
        home = Home(folder if sdk_sessions else folder / str(number), privacy)
        written = lines.turn(0, 1) + lines.tool_use(3000, "t")[:50] + b"\n"
        written = written.replace(b"/home/dev/api", cwd.encode())
        written = written.replace(b'"cwd"', b'"entrypoint": "%s", "cwd"' % entrypoint.encode())
        home.play(Case(cwd, "", [written], name), number, by_line=False)
        if home.rows():
            through.append(f"{cwd} {entrypoint}")
    return Outcome(kind, len(places), tuple(through))


def _unseen(folder: Path) -> Outcome:
    cases = [
        Case(name, f"PLUM{number}X", _turn("Go on.", f"u-{number}", "Bash", {"command": command}, f"PLUM{number}X"))
        for number, (name, (command, _)) in enumerate(UNSEEN.items())
    ]
    outcome = _tried(folder, "private file: not named as a word", cases)
    return Outcome(outcome.kind, outcome.tried, outcome.through, {name: why for name, (_, why) in UNSEEN.items()})


def _marker(name: str) -> str:
    return f"SLOE{zlib.crc32(name.encode())}X"


def _turn(prompt: str, name: str, tool: str, given: dict[str, object], output: str) -> list[bytes]:
    use = lines.tool_use(10, name, tool, **given)
    return [lines.prompt(0, prompt, f"p-{name}"), use, lines.tool_result(20, name, output), lines.turn_end(30)]


def _passages() -> Iterable[Case]:
    number = 0
    for opening in OPENINGS:
        for closing in CLOSINGS:
            for before, after in (
                ("Go on. ", ""),
                ("Go on.\n" + "é" * 9000, " And on." * 2000),
                ("/review Go on. ", ""),
            ):
                number += 1
                marker = f"QUINCE{number}X"
                hidden = f"{before}{opening}a\n{marker}\n<private>{marker}</private>{marker}{closing}"
                text = hidden + (after if closing else "")
                yield Case(f"{opening}{closing} {before[:8]}", marker, list(_places(text, f"{number}", marker)))


def _places(text: str, name: str, marker: str) -> Iterator[bytes]:
    """Yield all lines in which a prompt stands, or may stand."""
    torn = lines.prompt(0, text, f"torn-{name}").rstrip()[:-9] + b"\n"
    blocks = [{"type": "image", "source": {}}, *({"type": "text", "text": part} for part in text.split("\n"))]
    command = (
        f"<command-message>x</command-message>\n<command-name>/x</command-name>\n<command-args>{text}</command-args>"
    )
    yield lines.line(0, type="queue-operation", operation="enqueue", content=text)
    yield lines.prompt(0, text, f"p-{name}")
    yield lines.prompt(0, text, f"p-{name}")
    yield torn
    yield lines.line(10, type="user", uuid=f"b-{name}", message={"role": "user", "content": blocks})
    yield lines.prompt(20, command, f"c-{name}")
    yield lines.queued(30 + int(name), text)
    yield lines.line(
        40, type="user", uuid=f"s-{name}", isCompactSummary=True, message={"role": "user", "content": text}
    )
    yield lines.line(0, type="last-prompt", lastPrompt=text)
    yield lines.line(0, type="ai-title", aiTitle=marker)
    yield lines.line(0, type="custom-title", customTitle=marker)
    yield lines.line(0, type="summary", summary=marker)


def _turns() -> Iterable[Case]:
    for number, opening in enumerate(OPENINGS):
        marker = f"MEDLAR{number}X"
        prompt = f"{opening}Find {marker}</private> "
        names = [f"t-{number}-{index}" for index in range(4)]
        yield Case(
            opening,
            marker,
            [
                lines.prompt(0, prompt, f"p-{number}"),
                lines.tool_use(10, names[0], "Read", file_path=f"/x/{marker}"),
                lines.tool_result(20, names[0], marker),
                lines.tool_use(30, names[1], "Bash", command=f"echo {marker}"),
                lines.words(40, f"I found {marker}."),
                lines.queued(50 + number, "Also this."),
                lines.tool_use(60, names[2], "Write", file_path=f"/x/{marker}", content=marker),
                lines.words(70, f"I wrote {marker}."),
                lines.line(0, type="ai-title", aiTitle=marker),
                lines.tool_use(75, f"torn-{number}", "Read", file_path=f"/x/{marker}").rstrip()[:-4] + b"\n",
                lines.turn_end(80),
                lines.prompt(1000, "Go on.", f"q-{number}"),
                lines.tool_result(1010, names[1], marker),
                lines.tool_result(1020, names[2], marker),
                lines.tool_use(1030, names[3], "Read", file_path="/x/bread"),
                lines.tool_result(1040, names[3], "bread"),
                lines.words(1050, "Read bread."),
                lines.turn_end(1060),
            ],
        )


def _files() -> Iterable[Case]:
    for tool, key in (*TOOLS, *MORE_TOOLS):
        for path in PATHS:
            name = f"{tool} {path}"
            marker = _marker(name)
            given: dict[str, object] = {key: path, "content": marker, "old_string": marker, "new_string": marker}
            yield Case(name, marker, _turn("Go on.", f"f-{name}", tool, given, marker))


def _commands() -> Iterable[Case]:
    for tool in ("Bash", "PowerShell"):
        for path in PATHS:
            for command in COMMANDS.split(";"):
                whole = command.format(path)
                if "\\" in path and tool == "Bash":
                    continue  # a shell of Unix takes these away
                marker = _marker(tool + whole)
                yield Case(whole, marker, _turn("Go on.", f"c-{tool}-{whole}", tool, {"command": whole}, marker))
