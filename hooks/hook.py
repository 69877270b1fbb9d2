"""Owns what every hook shares: its event, the home, the database, the log, and ending well.

A hook runs under whatever `python3` there is, from 3.9 on, with the standard library alone (`-I -S`), while Claude
Code waits for it: so it imports little. `import json` costs as much as Python's own start; SQLite reads JSON too.
Whatever goes wrong, a hook says nothing but what Claude Code expects, ends with 0, and leaves a line in hooks.log.

An event holds what was asked and answered: secrets, and what is private. None of that leaves the process. A flag keeps
the few fields in KEPT and two digests, as `watcher/privacy/hook_events.py` has them too; the words stand in the
transcript.

What is in the home is believed, down to which program is the watcher. So a hook does nothing at all where the home is
another user's, or one that others can write into: `watcher/permissions.py` has the whole of it, and `claude-mem doctor`
tells. What a hook makes is for its user alone, whatever the umask.
"""

import os
import sys
import time

QUIET = b'{"continue": true, "suppressOutput": true}'
BUSY_TIMEOUT = 0.8  # seconds to wait for a writer; all SessionEnd hooks of a plugin have 1.5 s together
SAME_EVENT = 10_000  # milliseconds within which the same event again is the same hook set up twice
MAX_ASIDE = 1000  # flags kept in files
MAX_LOG = 1_000_000  # bytes, before hooks.log is put aside as hooks.log.1
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # a link in the home is none of ours
KEPT = ("transcript_path", "cwd", "reason")  # of an event, with its flag
REASONS = ("bypass_permissions_disabled", "clear", "logout", "other", "prompt_input_exit", "replayed", "resume")

# A plugin and settings.json may both set up the same hook. Claude Code then runs both, at the same time and with the
# same bytes on stdin, so the second is recognised here. Newest rows first: there may be many.
_RAISE = """
INSERT INTO flags (session_id, kind, project, event, raised_at_epoch)
SELECT :session_id, :kind, :project, :event, :now
WHERE NOT EXISTS (
    SELECT 1 FROM (SELECT * FROM flags ORDER BY id DESC LIMIT 100)
    WHERE session_id = :session_id AND kind = :kind AND event = :event
        AND raised_at_epoch BETWEEN :now - :same AND :now + :same
)
"""
_AS_JSON = """
SELECT json_object('session_id', :session_id, 'kind', :kind, 'project', :project, 'event', :event, 'raised_at', :now)
"""


class EventError(ValueError):
    """An event is none that a hook can do anything with; the message quotes nothing of it."""


class Event:
    """What Claude Code tells a hook: the JSON as it came, and what is needed of it."""

    __slots__ = ("closing", "cwd", "json", "now", "project", "reason", "session_id", "source", "transcript_path")

    def __init__(self, json: str) -> None:
        self.json = json
        self.now = int(time.time() * 1000)  # milliseconds since 1970
        keys = ("session_id", "transcript_path", "cwd", "source", "reason", "last_assistant_message")
        self.session_id, self.transcript_path, self.cwd, self.source, self.reason, self.closing = extract(json, keys)
        if not self.session_id:
            raise EventError("the event has no session_id")
        # The event's cwd follows `cd`; this variable keeps the folder that the session was started in.
        started_in = os.environ.get("CLAUDE_PROJECT_DIR", "")
        self.project = os.fsencode(started_in).decode("utf-8", "replace") or self.cwd

    def kept(self) -> str:
        """Return what a flag keeps of it, as JSON: no text of the session. The digest tells it from the next event."""
        found = {"digest": digest(self.json), **{key: getattr(self, key) for key in KEPT}}
        if self.reason not in REASONS:
            del found["reason"]
        if self.closing:
            found["closing_digest"] = digest(self.closing)
        pairs = [part for key, value in found.items() if value for part in (key, value)]
        marks = ", ".join("?" * len(pairs))
        return _sqlite().connect(":memory:").execute(f"SELECT json_object({marks})", pairs).fetchone()[0]


def run(name: str, act: object) -> None:
    """Do what a hook does and end the process: print what `act(event)` returns (bytes), or the quiet answer."""
    answer = QUIET
    os.umask(0o077)
    try:
        raw = _stdin()
        # The memory's own agent is a Claude Code too. It must not remember itself.
        if not os.environ.get("CLAUDE_MEM_INSIDE") and is_ours(home()):
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


def is_ours(path: str) -> bool:
    """Say whether a folder, where it is there, is this user's and no other's to write into.

    A link counts where the user has made it, as some do whose home is kept elsewhere.
    """
    if os.name == "nt":
        return True  # it lies in the user's profile, which keeps others out
    try:
        found = os.lstat(path)
        if found.st_mode & 0o170000 == 0o120000:  # a link
            if found.st_uid not in (0, os.geteuid()):
                return False
            found = os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _can_enter(path: str) -> bool:
    """Say whether others get at what is in a folder. The watcher decides the same: watcher/permissions.py."""
    return bool(os.stat(path).st_mode & 0o011)


def database() -> str:
    """Return the path of the database, which need not exist."""
    return os.path.join(home(), "data", "claude-mem.db")


def connect() -> object:
    """Open the database, which is never created here; each statement is a transaction of its own."""
    if os.path.islink(database()):
        raise OSError(f"{database()} is a symbolic link: it is not followed")
    if not is_ours(os.path.dirname(database())) or (not is_ours(database()) and _can_enter(home())):
        raise OSError(f"others can write into {database()}; run: claude-mem doctor")
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


def digest(text: str) -> str:
    """Return what tells a text from others; the same where it stands in an event and where it stands in a transcript.

    What is broken there, half a surrogate pair say, is shown as a question mark or as U+FFFD: neither counts.
    """
    try:
        from _blake2 import blake2b  # `hashlib` around it takes ten times as long to import
    except ImportError:
        from hashlib import blake2b
    plain = text.strip().replace("?", "").replace("\ufffd", "")
    return blake2b(plain.encode("utf-8", "ignore"), digest_size=8).hexdigest()


def raise_flag(event: Event, kind: str) -> None:
    """Raise one flag, once; where the database is missing, locked or full, a file keeps it for the watcher."""
    values = {"session_id": event.session_id, "kind": kind, "project": event.project, "event": event.kept()}
    try:
        connect().execute(_RAISE, {**values, "now": event.now, "same": SAME_EVENT})
    except Exception:
        _set_aside({**values, "now": event.now})
        raise


def _set_aside(flag: dict) -> None:
    """Keep a flag in a file of its own."""
    path = folder("data", "flags")
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
        what = _told(problem) if isinstance(problem, BaseException) else str(problem)
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


def _told(error: BaseException) -> str:
    """Say what went wrong without the text that it went wrong with, which the message of many an error quotes."""
    kind = type(error).__name__
    if isinstance(error, (OSError, EventError)):
        return f"{kind}: {error}"
    if isinstance(error, _sqlite().Error):
        return kind + ": " + str(error).partition('"')[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno}" if trace else "nowhere"
    return f"{kind} in {place}"


def open_log(path: str) -> int:
    """Open a file for appending, created for its owner's eyes only; return its descriptor."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_FOLLOW, 0o600)


def folder(*names: str) -> str:
    """Return a folder of the home; all are created where needed, for their owner only (0700: see `run`)."""
    path = os.path.join(home(), *names)
    if not (is_ours(home()) and is_ours(path)):
        raise OSError(f"{path} is not for its user alone to write into")
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
    one = "CASE json_type(:json, '$.{0}') WHEN 'text' THEN json_extract(:json, '$.{0}') END"
    columns = ", ".join(one.format(key) for key in keys)
    row = connection.execute(f"SELECT {columns}", {"json": json}).fetchone()
    return [value if isinstance(value, str) else "" for value in row]


def _sqlite() -> object:
    """Return SQLite's module: the compiled one, since `sqlite3` around it adds dates, at a price in time."""
    try:
        import _sqlite3 as sqlite
    except ImportError:
        import sqlite3 as sqlite
    return sqlite
