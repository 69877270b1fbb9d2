"""claude-mem: persistent memory for Claude Code, read from the transcripts it writes anyway."""

__version__ = "0.1.0"
