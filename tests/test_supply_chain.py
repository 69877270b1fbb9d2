"""What we run is what was locked, and speaks to nobody but the model."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NETWORK = {"aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "requests", "smtplib", "socket", "socketserver"}
NETWORK |= {"ssl", "telnetlib", "urllib", "urllib3", "websockets", "xmlrpc"}
# The SDK, which starts the model's process, is asynchronous; it is spoken to over pipes.
ALLOWED = {("watcher/agent/claude.py", "asyncio")}
UNSHARE = ["unshare", "--user", "--map-root-user", "--net"]


def pinned() -> dict[str, str]:
    """Return what the lock says of each package, by its name."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", "\n".join(line for line in text.splitlines() if line.strip()[:1] != "#"))
    return {re.split(r"[=\[ ]", block.strip(), maxsplit=1)[0]: block for block in blocks if block.strip()}


def needed() -> set[str]:
    """Return the names of all that pyproject.toml asks for: to run, to develop, and to build."""
    written = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = written["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"], *written["build-system"]["requires"]]
    return {re.split(r"[<>=~!\[; ]", one, maxsplit=1)[0].lower().replace("_", "-") for one in asked}


def test_all_that_is_needed_is_locked() -> None:
    assert needed() <= set(pinned())
    assert len(pinned()) > len(needed())  # what those need, too


def test_every_package_is_of_one_version_and_known_by_its_hashes() -> None:
    for name, block in pinned().items():
        assert re.match(rf"{re.escape(name)}(\[[a-z,-]+\])?==\S+", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_the_lock_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|--(index|extra-index|find-links|trusted)|^-[ifr] | @ ", text, re.MULTILINE)


def test_what_builds_is_installed_from_the_lock_too() -> None:
    """An isolated build would fetch its backend anew, whatever the lock says."""
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if " pip install" in line]
    installs = [line for line in installs if not line.rstrip().endswith(" uv")]  # which resolves, and runs nothing
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]


@pytest.mark.skipif(sys.platform == "win32", reason="make runs its recipes in a shell")
def test_an_audit_that_looked_up_nothing_is_a_failure(tmp_path: Path) -> None:
    """pip-audit counts what its index does not know as skipped, and says that it found no vulnerabilities."""
    said = "ERROR:pip_audit._cli:attrs: Dependency not found on PyPI and could not be audited: attrs (26.1.0)"
    (tmp_path / "pip-audit").write_text(f'#!/bin/sh\ncase "$*" in *--strict*) echo "{said}" >&2; exit 1;; esac\n')
    (tmp_path / "pip-audit").chmod(0o755)
    told = subprocess.run(
        ["make", "-o", ".venv/.installed", "audit", f"BIN={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode
    assert said in told.stderr
    assert "make audit: what answers as the package index" in told.stderr


def imported(path: Path) -> set[str]:
    """Return the top names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "urllib.parse":
                continue  # which reads addresses, and goes to none
            found.add(node.module.partition(".")[0])
    return found


def test_nothing_of_ours_can_speak_to_a_network() -> None:
    files = [path for folder in ("watcher", "hooks", "alembic") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    found = {(path.relative_to(ROOT).as_posix(), name) for path in files for name in imported(path) & NETWORK}
    assert found - ALLOWED == set()


def cannot_unshare() -> str:
    """Say why there is no network namespace to be had here; empty where there is one."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "needs Linux with unshare and ip"
    done = subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    return f"no network namespace can be made here: {done.stderr.strip()}" if done.returncode else ""


@pytest.mark.cli
def test_a_whole_session_contacts_nothing_but_the_model(tmp_path: Path) -> None:
    if why := cannot_unshare():
        pytest.skip(why)
    command = [*UNSHARE, sys.executable, "-m", "tests.sealed_network", str(tmp_path / "world")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["summaries"] == [["agent", "claude"]]
    assert told["agent_requests"] == 1
    assert told["contacted_api"]
    assert told["contacted_others"] == []
    # It would have been seen.
    assert told["attempts"] == [["tcp", "192.0.2.2", 443], ["tcp", "2001:db8::2", 443], ["udp", "192.0.2.1", 53]]
