"""Tests of watcher/transcript."""
