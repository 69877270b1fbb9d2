"""Tests of watcher/privacy."""
