"""Tests of the agent's rooms: prompts, replies, the extractive agent, and the model's through the real CLI."""
