"""The readers of shell commands: any command, in a time that grows like it does."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.values import texts
from watcher.agent import shell
from watcher.service.noise import Noise
from watcher.settings import CaptureSettings

WORDS = (
    *("ls", "cd", "cd /a && ", "git status", "git commit -m ", "git checkout -- a.py", "git reset --hard", "mv a b"),
    *(
        "rm -rf x",
        "cat ",
        "find . -delete",
        "sed -n",
        "sed -i",
        "python -c",
        "2>&1",
        "> /dev/null",
        " > out",
        "| tail -5",
    ),
    *("\"$(cat <<'EOF'\n", "EOF", "; echo done", "<< EOF", "claude-mem", "~/.claude-mem/data", " \t", "-", "--cached"),
)
CASES = texts(*WORDS)
EXAMPLES = 150
KEPT = 8000  # characters, at most, of what an agent reads; what is noise is said of the whole


def check(command: str, folder: Path) -> None:
    noise = Noise(CaptureSettings(), memory=folder)
    work(command)
    command = command[:KEPT]
    assert not shell.only_looks(f"{command}\nrm -rf x")
    assert not noise.is_noise("Bash", {"command": f"{command}\nrm -rf x"})
    assert not noise.is_noise("Bash", {"command": f"{command} > out"})
    assert "\n" not in shell.essence(command)
    for old, new in shell.moves(command):
        assert old is not None is not new
    for tool in (command, f"mcp__{command}"):
        noise.is_noise(tool, {"command": command})
    for path in ("file_path", "path"):
        noise.is_noise("Read", {path: command})
    assert noise.is_noise("Read", {"file_path": f"{folder}/{command.replace(chr(92), '')}".rstrip("/")})
    assert noise.is_noise(f"mcp__claude-mem__{command}", {})


def work(command: str) -> None:
    """Read a command in all ways."""
    noise = Noise(CaptureSettings(), memory=Path("/home/me/.claude-mem"))
    noise.is_noise("Bash", {"command": command})
    noise.is_noise(command, {})
    noise.is_noise("Read", {"path": command})
    command = command[:KEPT]
    shell.only_looks(command)
    shell.only_tries(command)
    for read in (shell.commits, shell.moves, shell.deletions, shell.takes_back):
        list(read(command))


def grown(command: str, times: int) -> str:
    return f"ls {command * times} x"
