"""The settings file and the variables: settings that can be meant, or an error that says what to do."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import texts, torn
from watcher import settings
from watcher.errors import UsageError

SECTIONS = ("agent", "watch", "capture", "context", "retention", "privacy", "other")
KEYS = tuple(field.name for section in settings._SECTIONS.values() for field in fields(section))
VALUES = (
    *("inf", "-inf", "nan", "0", "-0", "-1", "1", "1.5", "1e400", "9" * 30, "9" * 5000, "0x" + "f" * 5000, "true"),
    *('"claude"', '"extractive"', '""', '"\\u0000"', '["summary", "threads"]', '["summary", "summary"]', "[1]", "[]"),
    *("{}", "{a = 1}", "1979-05-27", "1979-05-27T07:32:00Z", "'''\n'''", "[[]]", "[" * 2000, '["a", 1]', "[[1, inf]]"),
    *("[0x" + "f" * 5000 + "]", "99999-01-01", "1_000", "60", "0.5", '["*"]', "''"),
)
LINES = st.one_of(
    st.sampled_from(SECTIONS).map(lambda name: f"[{name}]\n"),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map(lambda pair: f"{pair[0]} = {pair[1]}\n"),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map(lambda pair: f"{pair[0]} = {pair[1]}\n"),
    st.sampled_from(["[[agent]]\n", "agent = 1\n", "agent.name = 1\n", "[agent.name]\n", "\ufeff", "# a\r\n", "=\n"]),
    texts(most=3),
)
DEEP = st.sampled_from(
    [b"a = " + b"[" * 2000, b"a = " + b"{b = " * 2000, b"a = " + b"9" * 5000, b"a." * 2000 + b"b = 1"]
)
FILES = DEEP | torn(st.lists(LINES, max_size=6).map(lambda lines: "".join(lines).encode("utf-8", "surrogatepass")))
NAMES = tuple(
    f"CLAUDE_MEM_{name}_{field.name}".upper() for name, kind in settings._SECTIONS.items() for field in fields(kind)
)
PLAIN = ("inf", "nan", "1e999", "-1", "3", "2.5", "9" * 5000, " 5 ", "٣", "claude", "extractive", "", "a,b", "summary")
VARIABLES = st.dictionaries(
    st.sampled_from([*NAMES, "CLAUDE_MEM_AGENT", "CLAUDE_CONFIG_DIR"]),
    st.sampled_from(PLAIN) | texts(most=3).map(lambda text: text.replace("\0", "")[:200]),
    max_size=2,
)
HOMES = st.sampled_from(["home", "home", "home", "home", "~nobody-has-this-name/x", "file/below", "n" * 5000, "folder"])
CASES = st.tuples(FILES, VARIABLES, HOMES)
EXAMPLES = 200


def check(case: tuple[bytes, dict[str, str], str], folder: Path) -> None:
    written, variables, home = case
    (folder / "home").mkdir(exist_ok=True)
    (folder / "home" / "config.toml").write_bytes(written)
    (folder / "file").write_bytes(b"")
    (folder / "folder" / "config.toml").mkdir(parents=True, exist_ok=True)
    where = home if home.startswith("~") else str(folder / home)
    try:
        made = settings.load({"CLAUDE_MEM_HOME": where, **variables})
    except UsageError as error:
        if str(error) and error.hint:
            return
        raise
    _check_section(made)


def _check_section(section: Any) -> None:
    """See that each value is one of its kind, and one that can be reckoned with."""
    for field in fields(section):
        value = getattr(section, field.name)
        if is_dataclass(value):
            _check_section(value)
        elif isinstance(value, int | float):
            assert type(value) is type(field.default)
            assert math.isfinite(value)
            assert 0 <= value < 2**53
        elif isinstance(value, tuple):
            assert all(isinstance(one, str) for one in value)
        else:
            assert isinstance(value, str | Path)
    if isinstance(section, settings.AgentSettings):
        assert section.name in settings.AGENTS
