"""Drives transcript, memory, agent and recall. Prints nothing: it tells a listener."""
