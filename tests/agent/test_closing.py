"""Which of the closing words say what: by their headings first, then by their own words."""

from __future__ import annotations

import pytest

from watcher.agent import closing


@pytest.mark.parametrize(
    ("text", "part", "said"),
    [
        ("I made the following changes:\n- a.py\n- b.py", "done", ["a.py", "b.py"]),
        (
            "**Root cause:** a default was shared. It is made once.",
            "learned",
            ["a default was shared.", "It is made once."],
        ),
        (
            "## Decisions\n- **X rather than Y**: it is small. It is ours.",
            "decisions",
            ["X rather than Y: it is small. It is ours."],
        ),
        ("I chose X over Y.", "decisions", ["I chose X over Y."]),
        ("## Known issues\n- Days are wrong", "troubles", ["Days are wrong"]),
        ("The lambda does not work.", "troubles", ["The lambda does not work."]),
        ("## Next steps\n- Deploy\n\nAll tests pass.", "done", ["All tests pass."]),
        ("## Next steps\n- [x] Deploy\n- [ ] Watch", "next_steps", ["Watch"]),
        ("| Before | After |\n|---|---|\n| `a` | `b` |", "done", ["`a` → `b`"]),
        ("| File | Change |\n|---|---|\n| a.py | new |", "done", ["a.py: new"]),
        ("Let me know if you have any questions!", "next_steps", []),
        ("The next session reads it.", "next_steps", []),
        (
            "**Entscheidung:** Der Name bleibt, weil er benutzt wird.",
            "decisions",
            ["Der Name bleibt, weil er benutzt wird."],
        ),
        ("## Nächste Schritte\n- Testen", "next_steps", ["Testen"]),
        ("## Próximos passos\n- Testar", "next_steps", ["Testar"]),
        ("## 原因\n缓存过期。", "learned", ["缓存过期。"]),
    ],
)
def test_closing_words_are_sorted(text: str, part: str, said: list[str]) -> None:
    assert list(getattr(closing.read(text), part)) == said


def test_the_gist_says_something() -> None:
    assert closing.gist("Thanks. Please document it in the README.") == "Please document it in the README."
    assert closing.gist("Go on.") == "Go on."
