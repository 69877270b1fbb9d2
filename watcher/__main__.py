"""Runs the command line, as `claude-mem` and as `python -m watcher`: that is how the hooks start a watcher."""

import gc

gc.disable()  # Nothing that is imported is garbage, and looking for some would take a twentieth of a command's time.

from watcher.cli import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
