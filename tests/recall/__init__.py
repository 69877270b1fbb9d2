"""Tests of watcher/recall."""
