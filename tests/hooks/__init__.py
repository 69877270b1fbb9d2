"""The hooks, run as Claude Code runs them: as processes of their own."""
