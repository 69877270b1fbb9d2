"""Tests of what must not get into the memory."""
