"""Owns what the agent's Claude Code process is told about the user's world: the login, and nothing else.

The process runs with every source of settings switched off, which also takes away how some users log in: an
`apiKeyHelper`, or a provider named in the `env` of their settings.json. Those keys alone are handed on.

Nothing here is put on a command line, which any user of the machine can read.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OWN = {
    # Titles, updates, telemetry: with this set a batch is exactly one request.
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    # The user's auto-memory is put into requests although no source of settings is read. Either of the two
    # keeps it out today, and the second one would keep out CLAUDE.md too.
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
    # `thinking={"type": "disabled"}` is ignored for current models; this is not.
    "CLAUDE_CODE_DISABLE_THINKING": "1",
    # The default, 128,000, lets a model that repeats itself run up a bill.
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "16000",
    # The default, ten, takes three minutes to admit that the API is down; the queue tries again anyway.
    "CLAUDE_CODE_MAX_RETRIES": "2",
    # Managed settings cannot be switched off: a hook of ours that fires all the same leaves at once.
    "CLAUDE_MEM_INSIDE": "1",
}

_LOGIN_SETTINGS = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh")

_LOGIN_VARIABLE = re.compile(
    r"""
      ANTHROPIC_.* | AWS_.* | AZURE_.* | GOOGLE_.* | GCLOUD_.* | CLOUD_ML_.* | VERTEX_.*
    | CLAUDE_CONFIG_DIR | CLAUDE_SECURESTORAGE_CONFIG_DIR
    | CLAUDE_CODE_USE_.* | CLAUDE_CODE_SKIP_.*_AUTH | CLAUDE_CODE_OAUTH_(TOKEN|REFRESH_TOKEN|SCOPES)
    | CLAUDE_CODE_API_KEY_HELPER_TTL_MS | CLAUDE_CODE_CERT_STORE
    | CLAUDE_CODE_CLIENT_(CERT|KEY|KEY_PASSPHRASE) | CLAUDE_CODE_GIT_BASH_PATH
    | (?i:(HTTPS?|ALL|NO)_PROXY) | NODE_EXTRA_CA_CERTS | NODE_TLS_REJECT_UNAUTHORIZED | SSL_CERT_(FILE|DIR)
    """,
    re.VERBOSE,
)


def variables(
    inherited: Mapping[str, str], written: Mapping[str, Any], claude_dir: Path, request_timeout: float
) -> dict[str, str]:
    """Return what to set in the agent's process, over all that it inherits.

    A watcher started by a hook has inherited who the user's session is: its id, its project, its plugin, its
    sockets. The SDK lets variables be overridden but not removed, so they are emptied, which the CLI takes
    for unset. The two that the SDK sees to itself are left alone: empty, `CLAUDECODE` would be there again,
    and `CLAUDE_CODE_ENTRYPOINT` would name another client.

    Args:
        inherited: the watcher's own environment.
        written: the user's settings.json.
        claude_dir: Claude Code's own folder.
        request_timeout: seconds to wait for an API that accepts a request and then says nothing.
    """
    emptied = dict.fromkeys(filter(_is_of_a_session, inherited), "")
    env = written.get("env")
    login = {
        name: str(value)
        for name, value in (env.items() if isinstance(env, dict) else ())
        if _LOGIN_VARIABLE.fullmatch(name)
    }
    chosen = {**emptied, **login, **OWN, "API_TIMEOUT_MS": str(int(request_timeout * 1000))}
    # Named only where it is not the default anyway: with another folder, or with the same one named, the
    # CLI may look for the login elsewhere.
    default = Path(inherited.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude")
    if claude_dir != default.expanduser().absolute():
        chosen["CLAUDE_CONFIG_DIR"] = str(claude_dir)
    return chosen


def login_file(written: Mapping[str, Any], folder: Path) -> str | None:
    """Write those settings that say how to log in, and no other, to a file that only the user can read.

    Returns:
        The file's path, made anew or left as it is; None where there are no such settings.
    """
    login = {key: written[key] for key in _LOGIN_SETTINGS if isinstance(written.get(key), str)}
    path = folder / "login.json"
    if not login:
        path.unlink(missing_ok=True)
        return None
    text = json.dumps(login)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        # Put in its place whole: another batch may be reading it.
        fresh = path.with_suffix(f".{uuid.uuid4().hex}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    return str(path)


def read_settings(claude_dir: Path) -> dict[str, Any]:
    """Return the user's settings.json; empty where it is missing or cannot be read.

    The CLI itself says what is wrong with a broken one; here it only means no login by settings.
    """
    try:
        written = json.loads((claude_dir / "settings.json").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return written if isinstance(written, dict) else {}


def _is_of_a_session(name: str) -> bool:
    if name == "CLAUDE_CODE_ENTRYPOINT" or name.startswith("CLAUDE_MEM_"):
        return False
    return name.startswith("CLAUDE_") and not _LOGIN_VARIABLE.fullmatch(name)
