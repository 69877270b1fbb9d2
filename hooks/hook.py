"""Owns what every hook shares: its event, the home, the database, the log, and ending well.

A hook runs under whatever `python3` there is, from 3.9 on, with the standard library alone (`-I -S`), while Claude
Code waits for it: so it imports little. `import json` costs as much as Python's own start; SQLite reads JSON too.
Whatever goes wrong, a hook says nothing but what Claude Code expects, ends with 0, and leaves a line in hooks.log.
"""

import os
import sys
import time

QUIET = b'{"continue": true, "suppressOutput": true}'
BUSY_TIMEOUT = 0.8  # seconds to wait for a writer; all SessionEnd hooks of a plugin have 1.5 s together
SAME_EVENT = 10_000  # milliseconds within which the same event again is the same hook set up twice
MAX_ASIDE = 1000  # flags kept in files
MAX_LOG = 1_000_000  # bytes, before hooks.log is put aside as hooks.log.1

# A plugin and settings.json may both set up the same hook. Claude Code then runs both, at the same time and with the
# same bytes on stdin, so the second is recognised here. Newest rows first: there may be many, and events are long.
_RAISE = """
INSERT INTO flags (session_id, kind, project, event, raised_at_epoch)
SELECT :session_id, :kind, :project, :event, :now
WHERE NOT EXISTS (
    SELECT 1 FROM (SELECT * FROM flags ORDER BY id DESC LIMIT 100)
    WHERE session_id = :session_id AND kind = :kind AND event = :event
        AND raised_at_epoch BETWEEN :now - :same AND :now + :same
)
"""
# What is kept of an event: nothing that anybody said. The watcher knows the assistant's last words by their checksum.
_KEPT = ("session_id", "transcript_path", "cwd", "hook_event_name", "prompt_id", "source", "reason")
_AS_JSON = """
SELECT json_object('session_id', :session_id, 'kind', :kind, 'project', :project, 'event', :event, 'raised_at', :now)
"""


class Event:
    """What Claude Code tells a hook: the JSON as it came, and what is needed of it."""

    __slots__ = ("cwd", "json", "now", "project", "session_id", "source", "transcript_path")

    def __init__(self, json: str) -> None:
        self.json = json
        self.now = int(time.time() * 1000)  # milliseconds since 1970
        fields = extract(json, ("session_id", "transcript_path", "cwd", "source"))
        self.session_id, self.transcript_path, self.cwd, self.source = fields
        if not self.session_id:
            raise ValueError("the event has no session_id")
        # The event's cwd follows `cd`; this variable keeps the folder that the session was started in.
        started_in = os.environ.get("CLAUDE_PROJECT_DIR", "")
        self.project = os.fsencode(started_in).decode("utf-8", "replace") or self.cwd


def run(name: str, act: object) -> None:
    """Do what a hook does and end the process: print what `act(event)` returns (bytes), or the quiet answer."""
    answer = QUIET
    try:
        raw = _stdin()
        # The memory's own agent is a Claude Code too. It must not remember itself.
        if not os.environ.get("CLAUDE_MEM_INSIDE"):
            event = Event(raw.decode("utf-8", "replace"))
            if not _is_left_out(event):
                answer = act(event) or QUIET
    except BaseException as error:  # noqa: BLE001
        log(name, error)
    try:
        while answer:
            answer = answer[os.write(1, answer) :]
    finally:
        # Not by way of the interpreter's own end: that takes time and may complain on stderr. The connection stays
        # open on purpose, since closing the last one makes SQLite write its whole log back to disk.
        os._exit(0)


def _is_left_out(event: Event) -> bool:
    """Say whether nothing may be kept of a session; the watcher writes down what the settings say of that.

    It decides the same: watcher/service/admission.py, watcher/privacy/excluded.py.
    """
    entrypoint = os.environ.get("CLAUDE_CODE_ENTRYPOINT", "")
    is_sdk = entrypoint.startswith("sdk-") and entrypoint != "sdk-cli"  # `claude -p` says the latter
    if is_sdk and not os.path.exists(os.path.join(home(), "data", "sdk-sessions")):
        return True
    try:
        with open(os.path.join(home(), "data", "excluded"), "rb", buffering=0) as file:
            globs = file.read().decode("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return False
    connection = _sqlite().connect(":memory:")
    for folder in (event.project, os.path.realpath(event.project)):
        path = folder.replace("\\", "/")
        path = path.rstrip("/") or path
        path = path.lower() if sys.platform in ("win32", "darwin") else path
        for glob in globs:
            if connection.execute("SELECT ? GLOB ?", (path.encode("utf-8", "replace").decode(), glob)).fetchone()[0]:
                return True
    return False


def attempt(name: str, function: object, *arguments: object) -> object:
    """Return what a function returns, or None and a line in the log: what comes after it matters all the same."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001
        log(name, error)
        return None


def home() -> str:
    """Return the folder of the memory."""
    chosen = os.environ.get("CLAUDE_MEM_HOME") or os.path.join("~", ".claude-mem")
    return os.path.abspath(os.path.expanduser(chosen))


def database() -> str:
    """Return the path of the database, which need not exist."""
    return os.path.join(home(), "data", "claude-mem.db")


def connect() -> object:
    """Open the database, which is never created here; each statement is a transaction of its own."""
    path = database().replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if os.name == "nt":
        path = path.replace("\\", "/")
        path = path if path.startswith("//") else "/" + path
    try:
        connection = _sqlite().connect(
            "file://" + path + "?mode=rw", timeout=BUSY_TIMEOUT, isolation_level=None, uri=True
        )
    except Exception as error:
        raise OSError(f"cannot open {database()} ({error}); to create it: claude-mem install") from error
    # A flag lost to a power cut is no loss, the transcript being there: no need to wait for the disk. Nor is copying
    # the log back a hook's work: the watcher does it.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def knows_projects(connection: object) -> bool:
    """Say whether the database is new enough to know what project a folder is of; an older watcher may still run."""
    asked = "SELECT count(*) FROM sqlite_master WHERE name = 'project_folders'"
    return connection.execute(asked).fetchone()[0] == 1


def project_of(connection: object, folder: str) -> str:
    """Return the project that a folder is of, as far as is known; else the folder itself."""
    asked = "SELECT project FROM project_folders WHERE folder = ?"
    row = connection.execute(asked, (folder,)).fetchone() if knows_projects(connection) else None
    return row[0] if row else folder


def raise_flag(event: Event, kind: str) -> None:
    """Raise one flag, once; where the database is missing, locked or full, a file keeps it for the watcher."""
    values = {"session_id": event.session_id, "kind": kind, "project": event.project, "event": _kept(event)}
    try:
        connect().execute(_RAISE, {**values, "now": event.now, "same": SAME_EVENT})
    except Exception:
        _set_aside({**values, "now": event.now})
        raise


def _kept(event: Event) -> str:
    """Return what of an event is kept, as JSON."""
    words, *texts = extract(event.json, ("last_assistant_message", *_KEPT))
    values = {key: text for key, text in zip(_KEPT, texts) if text}
    if words.strip():
        import binascii

        values["closing"] = binascii.crc32(words.strip().encode("utf-8", "replace"))
    pairs = ", ".join(f"'{key}', :{key}" for key in values)
    return _sqlite().connect(":memory:").execute(f"SELECT json_object({pairs})", values).fetchone()[0]


def _set_aside(flag: dict) -> None:
    """Keep a flag in a file of its own."""
    path = os.path.join(folder("data"), "flags")
    os.makedirs(path, 0o700, exist_ok=True)
    if len(os.listdir(path)) >= MAX_ASIDE:
        return  # no watcher has come for them in a long time
    text = _sqlite().connect(":memory:").execute(_AS_JSON, flag).fetchone()[0]
    name = os.path.join(path, f"{flag['now']}-{os.getpid()}")
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb", buffering=0) as file:
            file.write(text.encode("utf-8", "replace"))
        os.rename(name, name + ".json")  # the watcher sees whole ones only
    except OSError:
        os.unlink(name)  # what finds no room must not count as one of those that are kept
        raise


def log(name: str, problem: object) -> None:
    """Write one line to hooks.log; where that fails too, nobody can be told."""
    try:
        what = f"{type(problem).__name__}: {problem}" if isinstance(problem, BaseException) else str(problem)
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"{moment} {name} {' '.join(what.split())[:1000]}\n"
        path = os.path.join(folder("logs"), "hooks.log")
        descriptor = open_log(path)
        if os.fstat(descriptor).st_size > MAX_LOG:
            os.close(descriptor)
            os.replace(path, path + ".1")
            descriptor = open_log(path)
        os.write(descriptor, line.encode("utf-8", "backslashreplace"))
        os.close(descriptor)
    except BaseException:  # noqa: BLE001, S110
        pass


def open_log(path: str) -> int:
    """Open a file for appending, created for its owner's eyes only; return its descriptor."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def folder(name: str) -> str:
    """Return a folder of the home; both are created where needed, for their owner only (0700)."""
    path = os.path.join(home(), name)
    if not os.path.isdir(path):
        os.makedirs(home(), 0o700, exist_ok=True)
        os.makedirs(path, 0o700, exist_ok=True)
    return path


def _stdin() -> bytes:
    chunks = []
    while True:
        chunk = os.read(0, 1 << 20)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def extract(json: str, keys: tuple) -> list:
    """Return the texts under some keys of a JSON object; empty where there is none."""
    connection = _sqlite().connect(":memory:")
    # A lone surrogate in the JSON is no UTF-8 any more, and no reason to give up.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    columns = ", ".join(f"json_extract(:json, '$.{key}')" for key in keys)
    row = connection.execute(f"SELECT {columns}", {"json": json}).fetchone()
    return [value if isinstance(value, str) else "" for value in row]


def _sqlite() -> object:
    """Return SQLite's module: the compiled one, since `sqlite3` around it adds dates, at a price in time."""
    try:
        import _sqlite3 as sqlite
    except ImportError:
        import sqlite3 as sqlite
    return sqlite
