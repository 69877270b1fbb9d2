"""The tests, and the scripted world they run in: a Messages API on loopback and the real Claude Code CLI."""
