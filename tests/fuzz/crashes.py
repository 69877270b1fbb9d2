"""Owns the cases that failed once: each a file of its own, a Python literal, tried by the suite ever after."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent.parent / "fixtures" / "crashes"


def kept(target: str, folder: Path = FOLDER) -> list[Path]:
    """Return the files of the cases at which a target failed."""
    return sorted((folder / target).glob("*"))


def read(path: Path) -> Any:
    """Return the case in a file."""
    return ast.literal_eval(path.read_text(encoding="ascii"))


def keep(target: str, case: Any, folder: Path = FOLDER) -> Path:
    """Write a case down; return the file, which is named after what is in it."""
    text = f"{case!a}\n"
    path = folder / target / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii", newline="\n")
    return path
