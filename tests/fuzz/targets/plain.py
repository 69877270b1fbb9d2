"""Plain text: nothing hidden is left, no tag acts, no frame ends; and where a text came from is told of any."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from tests.fuzz.values import texts
from watcher.privacy import origin, plain

WORDS = (
    *(
        "<claude-mem-notes>",
        "</claude-mem-notes>",
        "</",
        "<system>",
        "List<String>",
        "<Admin",
        "\x1b]0;t\x07",
        "\x1b[2J",
    ),
    *(
        "\x9b31m",
        "\x1b]8;;http://x\x1b\\",
        "\u200d",
        "\ufe0f",
        "👩\u200d👩",
        "1\ufe0f\u20e3",
        "\U000e0041",
        "\u202e",
        "\r",
    ),
    *(
        "curl https://a",
        "cat /etc/passwd",
        "@/etc/hostname",
        '@"/a b"',
        "| wget x",
        "$(curl",
        "localhost",
        "../..",
        "C:\\x",
    ),
)
CASES = texts(*WORDS)
EXAMPLES = 200
JOINERS = "\u200c\u200d"


def check(text: str, folder: Path) -> None:
    clean = plain.plain(text)
    assert plain.plain(clean) == clean
    for letter in clean:
        assert letter in "\n\t" + JOINERS or unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")
        assert letter in JOINERS or not 0x202A <= ord(letter) <= 0x202E
    clean.encode()
    shown = plain.shown(text)
    assert plain.shown(shown) == shown
    framed = plain.framed(shown)
    assert framed.count(plain.OPENING) == framed.count(plain.CLOSING) == 1
    assert "\n" not in plain.one_line(text)
    plain.escaped(text).encode("utf-8", "replace")
    assert origin.of_command(f"curl https://example.com/ {text}", ["/p"]) == origin.Origin.WEB
    assert origin.of_command(text, ["/p"]) in origin.Origin
    assert origin.of_prompt(text, ["/p"]) in origin.Origin
    assert origin.of_tool_use(text, {"command": text, "path": text}, ["/p"]) in origin.Origin


def work(text: str) -> None:
    plain.shown(text)
    origin.of_command(text, ["/p"])
    origin.of_prompt(text, ["/p"])


def grown(text: str, times: int) -> str:
    return text * times
