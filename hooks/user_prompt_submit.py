"""Writes down that a session is active, and where its transcript will be. Run by Claude Code at UserPromptSubmit.

Where the user wants it, what this prints, observations that match the prompt, reaches the model with the prompt.
The transcript need not exist yet: it appears a tenth of a second or two later.
"""

import os
import sys
import time

sys.path.insert(0, __file__[: -len("user_prompt_submit.py")])  # `-I` leaves a script's own folder out

import hook
import launch

_RECORD = """
INSERT INTO sdk_sessions (
    session_id, project, cwd, transcript_path, status,
    started_at, started_at_epoch, last_activity_at_epoch, last_prompt_at_epoch
)
VALUES (:session_id, :project, :cwd, :transcript_path, 'active', :started_at, :now, :now, :now)
ON CONFLICT (session_id) DO UPDATE SET
    status = 'active', completed_at = NULL, completed_at_epoch = NULL, end_reason = NULL,
    last_activity_at_epoch = max(last_activity_at_epoch, excluded.last_activity_at_epoch),
    last_prompt_at_epoch = max(last_prompt_at_epoch, excluded.last_prompt_at_epoch),
    project = coalesce(nullif(project, ''), excluded.project),
    cwd = coalesce(nullif(cwd, ''), excluded.cwd),
    transcript_path = coalesce(nullif(transcript_path, ''), excluded.transcript_path)
"""


def prompted(event: hook.Event) -> "bytes | None":
    """Record the session, and see to it that a watcher follows it; return what it is to be told with the prompt."""
    hook.attempt("UserPromptSubmit", _record, event)
    launch.ensure_watcher("UserPromptSubmit")
    most = _wanted()
    return hook.attempt("UserPromptSubmit", _recall, event, most) if most else None


def _wanted() -> int:
    """Return how many observations a prompt may bring up, as the settings say; the watcher writes them down."""
    said = os.environ.get("CLAUDE_MEM_CONTEXT_AT_PROMPT")
    if said is None:
        try:
            with open(os.path.join(hook.home(), "data", "at-prompt"), "rb", buffering=0) as file:
                said = file.read(9).decode("ascii", "replace")
        except OSError:
            return 0
    return int(said) if said.strip().isdecimal() else 0


def _recall(event: hook.Event, most: int) -> "bytes | None":
    import recall  # most users do without, and need not wait for it

    return recall.matching(event, most)


def _record(event: hook.Event) -> None:
    seconds, milliseconds = divmod(event.now, 1000)
    started_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03}Z"
    connection = hook.connect()
    values = {
        "session_id": event.session_id,
        "project": hook.project_of(connection, event.project),
        "cwd": event.cwd,
        "transcript_path": event.transcript_path,
        "started_at": started_at,
        "now": event.now,
    }
    connection.execute(_RECORD, values)


hook.run("UserPromptSubmit", prompted)
