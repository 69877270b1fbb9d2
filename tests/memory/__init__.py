"""Tests of watcher/memory."""
