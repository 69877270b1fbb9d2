"""Owns the last moment of an agent's process: whatever ends the watcher, its Claude Code and all below it end too.

Run as a program of its own, on Linux, between the watcher and the CLI: the kernel tells it when its parent dies. The
CLI alone could be killed by the kernel in the same way, but not what it has started, such as a command that asks for
a password and waits. So it runs in a session of its own, and that whole session is killed; what has left it, as a
daemon or a browser does, has a life of its own and is let be.

It costs 30 ms a batch, whose request takes seconds, and 10 MB while one is under way. Standard library only: it is run
with `-I -S`.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

PARENT = "CLAUDE_MEM_PARENT"  # the pid of whoever waits for the CLI
CLI = "CLAUDE_MEM_CLI"  # what to run; both are variables, so that the file that names this program is always the same

# What a shell says of a command that it cannot run, and of one that it cannot find.
CANNOT_RUN, NOT_FOUND = 126, 127

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG in <sys/prctl.h>
_PARENT_DIED = signal.SIGHUP
_HEARD = {_PARENT_DIED, signal.SIGTERM, signal.SIGCHLD}
# Python ignores these, and what is ignored stays so in whatever is run next.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def main() -> int:
    """Run the CLI with the arguments given; return its exit code, 128 and the signal where one ended it."""
    parent, cli = int(os.environ.pop(PARENT)), os.environ.pop(CLI)
    # The terminal's Ctrl-C is for the watcher, which then ends its agents in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    die_with(parent, _PARENT_DIED)
    own = os.getpid()
    child = os.fork()
    if child == 0:
        become([cli, *sys.argv[1:]], own)
    let_go_of_pipes()
    return wait_for(child)


def die_with(parent: int, number: int) -> None:
    """Have the kernel send a signal once the parent is dead; end at once where it is dead already.

    What the kernel watches is the thread that started this process: the watcher's threads for agents live as long
    as it does. Where it cannot be asked, the CLI is run all the same, and its own time-outs bound its life.
    """
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def become(command: list[str], parent: int) -> None:
    """Turn this process, a child of the guard, into the CLI, as it would be without a guard."""
    os.setsid()
    die_with(parent, signal.SIGKILL)
    for number in (*_IGNORED_BY_PYTHON, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    try:
        os.execv(command[0], command)  # noqa: S606  # a shell would be one process more to end
    except FileNotFoundError:
        os._exit(NOT_FOUND)
    except OSError:
        os._exit(CANNOT_RUN)


def let_go_of_pipes() -> None:
    """Hold open none of the pipes to the CLI, so that both its ends see the other one go."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def wait_for(child: int) -> int:
    """Wait for the CLI's end, and bring it about where the parent asks for it or is dead."""
    was_asked = False
    while True:
        number = signal.sigwait(_HEARD)
        if number != signal.SIGCHLD:
            os.kill(child, signal.SIGKILL if number == _PARENT_DIED else signal.SIGTERM)
            was_asked = True
        # Looked at before it is reaped: until then no other process can be given its number.
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            if was_asked or ended.si_status:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            return code if code >= 0 else 128 - code


def variables(cli: str) -> dict[str, str]:
    """Return what tells the guard whom to run and for whom, to be set in its environment."""
    return {PARENT: str(os.getpid()), CLI: cli}


if __name__ == "__main__":
    sys.exit(main())
