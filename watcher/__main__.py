"""Runs the command line, as `claude-mem` and as `python -m watcher`: that is how the hooks start a watcher."""

import gc
import os
import sys

gc.disable()  # Nothing that is imported is garbage, and looking for some would take a twentieth of a command's time.

os.umask(0o077)  # whatever this makes is for its user's eyes: SQLite's temporary files, what a library writes

if sys.argv[1:] == ["mcp"]:
    # Claude Code waits for it at the start of a session, and what reads a command line takes longer than all the rest.
    from watcher.recall.serving import main
else:
    from watcher.cli import main

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
