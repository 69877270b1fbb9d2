"""Tests of watcher/service."""
