"""Owns what cases are made of: texts and JSON as nobody would write them, and real lines with a few things changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.conftest import FIXTURES

# What some reader, writer, terminal or shell takes for something else than a letter.
MARKS = (
    *(
        "\0",
        "\x1b[31m",
        "\x07",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
        "\uffff",
        "\ud800",
        "\udc00",
        "\U0010ffff",
    ),
    *(
        "<",
        "</",
        ">",
        "/>",
        "&",
        "&lt;",
        "]]>",
        "<![CDATA[",
        "<!--",
        '"',
        "'",
        "\\",
        "\\u",
        "\n",
        "\r\n",
        "\t",
        " ",
        "  ",
    ),
    *(
        "é",
        "e\u0301",
        "ß",
        "İ",
        "日本",
        "🎉",
        "²",
        "٣",
        "0",
        "-1",
        "9" * 20,
        "NaN",
        "null",
        "*",
        "?",
        "%",
        "%s",
        "{",
        "}",
    ),
    *(
        "[",
        "]",
        "(",
        ")",
        "|",
        "||",
        "&&",
        ";",
        "$(",
        "`",
        "$HOME",
        "~",
        "..",
        "/",
        "C:\\",
        "#",
        "=",
        ":",
        ",",
        "```",
        "a",
    ),
)
TIMES = (1, 1, 1, 1, 1, 1, 1, 1, 40, 1500)


def one_of(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Take one of some values; in a message that something failed, unlike `sampled_from`, without all the others."""
    return st.integers(0, len(values) - 1).map(lambda number: values[number])


def texts(*words: str, most: int = 12) -> st.SearchStrategy[str]:
    """Make texts up of marks, some words, and letters; a few of them long."""
    pieces = st.lists(one_of([*MARKS, *words, *words]) | st.text(max_size=6), max_size=most)
    return st.builds(lambda some, times: "".join(some) * times, pieces, st.sampled_from(TIMES))


class Raw(str):
    """JSON that is to stand as it is, though no writer would write it so."""

    __slots__ = ()


class Pair(list[Any]):
    """A name and its value."""


class Pairs(list[Any]):
    """An object, as its pairs: a name may stand there twice."""


def written(value: Any) -> str:
    """Return a value as JSON."""
    match value:
        case Raw():
            return str(value)
        case Pairs():
            return "{" + ",".join(f"{written(name)}:{written(one)}" for name, one in value) + "}"
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case _:
            # Half a character comes escaped, as Node writes it, and as bytes that are no UTF-8.
            return json.dumps(value, ensure_ascii="\ud800" in str(value))


def parsed(text: str | bytes) -> Any:
    """Return JSON such that it can be changed and written again."""
    return json.loads(text, object_pairs_hook=lambda pairs: Pairs(map(Pair, pairs)))


def _nested(times: int) -> list[Raw]:
    return [Raw("[" * times + "]" * times), Raw('{"a":' * times + "0" + "}" * times)]


STRANGE = [
    *map(Raw, ("NaN", "-Infinity", "1e999", "-1e-999", "1E400", "9" * 30, "9" * 400, "0.1e1", "-0")),
    *map(Raw, (r'"\ud83d"', r'"\ude00\ud83d"', r'"a\ud800b"', r'"\u0000"', '"\x01"', '"\t"')),
    *_nested(40), *_nested(330), *_nested(600), *_nested(990), *_nested(3000), *_nested(3000),
    *map(Raw, ("1" * 5000, "", r'"\x"', '"', "tru", "]")),  # no JSON
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)


def json_values(*words: str) -> st.SearchStrategy[Any]:
    """Make JSON values up, strange ones among them."""
    names = texts(*words, most=2)
    return st.recursive(
        SCALARS | texts(*words, most=4) | one_of(STRANGE),
        lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(names, inner).map(Pair), max_size=4).map(Pairs),
        max_leaves=6,
    )


def changed(bases: Sequence[Any], *words: str, most: int = 3) -> st.SearchStrategy[Any]:
    """Take a value, and change a few things in it: something else in its place, gone, twice, moved, wrapped."""

    @st.composite
    def draw_changed(draw: st.DrawFn) -> Any:  # takes nothing: Hypothesis would write out what it takes
        value = [copy.deepcopy(draw(one_of(bases)))]
        for _ in range(draw(st.integers(0, most))):
            _change(draw, value, words)
        return value[0]

    return draw_changed()


def _change(draw: st.DrawFn, value: list[Any], words: Sequence[str]) -> None:
    """Change one thing in what the one value of a list is."""
    spots = list(_spots(value))
    holder, index = draw(one_of(spots))
    what = draw(one_of(["replace"] * 5 + ["remove", "double", "move", "wrap"]))
    if what in ("remove", "double") and not isinstance(holder, Pair) and holder is not value:
        holder[index : index + 1] = [] if what == "remove" else [holder[index], copy.deepcopy(holder[index])]
    elif isinstance(holder, Pairs):
        return
    elif what == "move":
        other, at = draw(one_of([spot for spot in spots if not isinstance(spot[0], Pairs)]))
        holder[index] = copy.deepcopy(other[at])
    elif what == "wrap":
        holder[index] = [holder[index]] if draw(st.booleans()) else Pairs([Pair(["a", holder[index]])])
    else:
        holder[index] = draw(one_of(STRANGE) | one_of(STRANGE) | json_values(*words) | texts(*words, most=3))


def _spots(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield every place in a value where another could stand."""
    stack = [value]
    while stack:
        holder = stack.pop()
        for index, one in enumerate(holder):
            yield holder, index
            if isinstance(one, list):
                stack.append(one)


@st.composite
def torn(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Take bytes; now and then cut them off, put some into them, or write over some."""
    data = draw(whole)
    if draw(st.integers(0, 7)):
        return data
    at = draw(st.integers(0, len(data)))
    new = draw(st.binary(max_size=6) | st.sampled_from([b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"', b"\\"]))
    return data[:at] + new + data[at + draw(st.sampled_from([0, len(new), len(data)])) :]


def json_bytes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Write values down, a few of them damaged."""
    return torn(values.map(lambda value: written(value).encode("utf-8", "surrogatepass")))


def transcript_lines(longest: int = 3000) -> list[bytes]:
    """Return lines of the recorded transcripts, without their ends: one of each shape."""
    found: dict[object, bytes] = {}
    for path in sorted(FIXTURES.glob("*/*.jsonl")):
        if path.name != "hooks.jsonl":
            for line in path.read_bytes().split(b"\n")[:-1]:
                if len(line) <= longest and line.startswith(b"{") and line.endswith(b"}"):
                    found.setdefault(_shape(json.loads(line)), line)
    return list(found.values())


def _shape(entry: dict[str, Any]) -> object:
    """Return what a line is like, for a reader: what kind of entry, with what in it."""
    content = (entry.get("message") or {}).get("content")
    blocks = tuple(block.get("type") for block in content) if isinstance(content, list) else type(content).__name__
    attachment = entry.get("attachment") or {}
    return entry.get("type"), entry.get("subtype"), attachment.get("type"), blocks, bool(entry.get("isMeta"))
