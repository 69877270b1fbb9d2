"""Runs the command line as `python -m watcher`: that is how the hooks start a watcher."""

from watcher.cli import main

main()
