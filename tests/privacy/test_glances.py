"""What is told at a glance is told as without it: nothing that the patterns find is passed over."""

from __future__ import annotations

import random

import pytest

from tests.attacks import ordinary
from watcher.privacy import detectors, glances

NAMES = (
    *("token", "my_token", "client_secret", "credential", "auth_", "TOKEN", "api_key", "s_auth", "-key", "--token"),
    *("pass_key", "pwd_token", "ENV TOKEN", "set token", "-x token", '("token"', '"token"', "'secret'", 'name: "token'),
)
RESTS = ("", "", "_value", "s", "Name", ".py", "_password", "Pass", '"', "'", '\\"', '"]', '")', '\\\\"', "`", "&quot;")
SEPARATORS = (
    *("=", ": ", " = ", ":", "==", " => ", ":=", " ", ", ", ": str = ", ": str | None = ", ": int, n=", "\n", ":\n  "),
    *(
        "= |\n",
        " is ",
        "",
        ', "value": ',
        '\n "value": "',
        "%3D",
        "\x1b[0m=",
        "=\\t",
        ".",
        "(",
        "[",
        "] ",
        ": >-\n  ",
        "=\\\n",
        "::",
    ),
)
PREFIXES = (
    "",
    "",
    '"',
    "'",
    '\\"',
    'b"',
    "rb'",
    'String("',
    "str( '",
    ':String("',
    '\\\\"',
    "`",
    "%22",
    '$"',
    '@"',
    '"""',
    "'''\n",
)
VALUES = (
    *("abc1", "hunter2", "hunter22", "aB3dE6gH9jK2", "foo bar1", "a1b2c3d4e5", "get_token(x1", "get_token()", "naïve"),
    *(
        "é1234567",
        "٣٣٣abcdefgh",
        "Zx9" * 8,
        "self.token_1",
        "12345678901",
        "Qw7!kd9$Lp2",
        "abc\\ndef123456",
        "a&b1234567",
    ),
    *("abcdefghijklmnopqrst", "abcdefghijklmnopqrs", "[0x12ab]", "}\\nx y1234567"),
)
ENDS = ('"', "'", '\\"', ")", "\n", ";", " x", ",", "\\n", "`", "<", "&", '\\\\"', "%22", '")', '"""')


def texts(count: int) -> list[str]:
    draw = random.Random("glances")
    parts = (("", "a ", "x(", "é", '"', "login x\n"), NAMES, RESTS, SEPARATORS, PREFIXES, VALUES, ENDS)
    return ["".join(map(draw.choice, parts)) for _ in range(count)]


def test_nothing_that_the_patterns_find_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [*texts(20_000), *[text for _, text in ordinary.pieces()][::8]]
    with_glances = [detectors.find(text) for text in every]
    monkeypatch.setattr(glances, "is_idle", lambda *_: False)
    without = [detectors.find(text) for text in every]
    assert sum(map(len, without)) > 3000
    differing = [text for text, one, other in zip(every, with_glances, without, strict=True) if one != other]
    assert differing == []


@pytest.mark.parametrize(
    "text",
    [
        "token = get_token(x)",
        "a token is",
        "token: str,",
        'token": "next_token"',
        "tokens[0]",
        "key_token PASSED",
        "token\\n",
    ],
)
def test_most_are_done_with_at_a_glance(text: str) -> None:
    start = text.index("token")
    assert glances.is_idle(text.lower().encode(), start, start + len("token"))
