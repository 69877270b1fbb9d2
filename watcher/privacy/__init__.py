"""Keeps out of the memory what must not be in it: secrets, and what the user says is private.

Knows texts and paths; no database, no transcript, no agent.
"""
