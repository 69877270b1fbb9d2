"""Bytes of a transcript to typed entries. Pure: no database, no clock."""
