"""Gives a new session what the ones before it in its project did. Run by Claude Code at SessionStart.

What a SessionStart hook prints reaches the model before the first request, which waits for it; the screen does not.
"""

import sys
import time

sys.path.insert(0, __file__[: -len("session_start.py")])  # `-I` leaves a script's own folder out

import hook
import launch

SOURCES = ("startup", "resume", "fork")  # after clear the user wants an empty page; compact keeps what it needs
WAIT = 2.0  # seconds to wait at most for the session before to be summarised
POLL_INTERVAL = 0.02  # seconds
FORGOTTEN = 60_000  # milliseconds after which nobody waits for a flag to be lowered

# Only flags raised before this session began: others of the same project may well go on raising theirs. They say the
# folder that their session began in, which may be another one of the project.
_AWAITED = """
SELECT EXISTS (
    SELECT 1 FROM flags
    WHERE lowered_at_epoch IS NULL AND raised_at_epoch BETWEEN :now - :forgotten AND :now
        AND project IN (SELECT :folder{})
)
"""
_OTHER_FOLDERS = """
    UNION ALL SELECT theirs.folder FROM project_folders ours JOIN project_folders theirs USING (project)
    WHERE ours.folder = :folder
"""
# A folder that nobody has looked at may be of a project that is known by another: the watcher finds out.
_IS_UNKNOWN = """
SELECT EXISTS (SELECT 1 FROM contexts WHERE project != :folder)
    AND NOT EXISTS (SELECT 1 FROM contexts WHERE project = :folder)
    AND NOT EXISTS (SELECT 1 FROM project_folders WHERE folder = :folder)
"""
# The context in its frame, and who else is at work there: that is known only now. `claude-mem context` prints the same,
# by the same words in watcher/memory/recalled.py. JSON keeps a request on one line; a tag in it must not end the frame.
_CONTEXT = """
SELECT '<claude-mem-notes>' || char(10) || replace(text, '</claude-mem-notes', '&lt;/claude-mem-notes') || coalesce((
    SELECT char(10) || char(10) || 'Another session is open in this project, last heard of at '
        || strftime('%H:%M', last_activity_at_epoch / 1000, 'unixepoch') || ' UTC'
        || coalesce('; it was asked: ' || (
            SELECT substr(replace(json_quote(
                substr(prompt_text, 1, 80) || CASE WHEN length(prompt_text) > 80 THEN '…' ELSE '' END
            ), '<', '&lt;'), 1, 92)
            FROM (
                SELECT prompt_text FROM user_prompts p WHERE p.session_id = s.session_id
                ORDER BY prompt_number DESC LIMIT 1
            ) WHERE prompt_text != '[private]' AND NOT substr(prompt_text, 1, 80) GLOB :unseen
        ), '.')
    FROM sdk_sessions s
    WHERE status = 'active' AND last_activity_at_epoch > :now - 1800000
        AND project = :project AND session_id != :session_id
    ORDER BY last_activity_at_epoch DESC LIMIT 1
), '') || char(10) || '</claude-mem-notes>'
FROM contexts WHERE project = :project AND text != ''
"""
# A request with something in it that cannot be seen (as in watcher/privacy/plain.py; stored before such was taken away)
# is not told.
_UNSEEN = (
    "*[\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\ufff0-\ufffc\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]*"
)
# Of a hook that is set up twice, the one that writes this row prints.
_CLAIM = """
INSERT INTO deliveries (session_id, source, project, delivered_at_epoch)
SELECT :session_id, :source, :project, :now
WHERE NOT EXISTS (
    SELECT 1 FROM deliveries
    WHERE session_id = :session_id AND source = :source AND delivered_at_epoch BETWEEN :now - :same AND :now + :same
)
"""


def remember(event: hook.Event) -> "bytes | None":
    """Return the project's context, None where there is none or another hook prints it."""
    has_watcher = bool(hook.attempt("SessionStart", launch.ensure_watcher, "SessionStart"))
    if event.source not in SOURCES:
        return None
    connection = _up_to_date(event, time.monotonic() + (WAIT if has_watcher else 0.0), is_asking=has_watcher)
    project = hook.project_of(connection, event.project)
    connection.text_factory = bytes  # UTF-8 as it is stored, whatever the locale
    values = {"project": project, "session_id": event.session_id, "now": event.now, "unseen": _UNSEEN}
    row = connection.execute(_CONTEXT, values).fetchone()
    if row is None:
        return None
    # Where the database stays locked, better the context twice than never.
    is_mine = hook.attempt("SessionStart", _claim, connection, event, project)
    return None if is_mine is False else row[0]


def _up_to_date(event: hook.Event, deadline: float, *, is_asking: bool) -> object:
    """Return a connection once the session that ended a moment ago is summarised, or it is too late to wait.

    The same goes for what project the folder is of. A watcher that was just started may still be creating the
    database, or its tables.
    """
    asked = {"folder": event.project, "now": event.now, "forgotten": FORGOTTEN}
    connection = None
    awaited_by = ""
    while True:
        try:
            connection = connection or hook.connect()
            if not awaited_by:
                has_projects = hook.knows_projects(connection)
                if is_asking and has_projects and connection.execute(_IS_UNKNOWN, asked).fetchone()[0]:
                    hook.attempt("SessionStart", hook.raise_flag, event, "place")
                awaited_by = _AWAITED.format(_OTHER_FOLDERS if has_projects else "")
            awaited = connection.execute(awaited_by, asked).fetchone()[0]
        except Exception:
            if time.monotonic() >= deadline:
                raise
            connection = None
        else:
            if not awaited or time.monotonic() >= deadline:
                return connection
        time.sleep(POLL_INTERVAL)


def _claim(connection: object, event: hook.Event, project: str) -> bool:
    """Say whether it is this hook that is to print."""
    values = {"session_id": event.session_id, "source": event.source, "project": project}
    return connection.execute(_CLAIM, {**values, "now": event.now, "same": hook.SAME_EVENT}).rowcount == 1


hook.run("SessionStart", remember)
