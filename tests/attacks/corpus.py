"""Owns the corpus of planted secrets: each of some kind, in some place, wrapped in some way; all of it of a seed."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import unquote

from tests.attacks import carriers, vendor_keys

SEVERAL = 400  # texts with more than one secret
SHORTEST = 8  # characters of a secret that must not remain together; of a shorter one all


@dataclass(frozen=True, slots=True)
class Planted:
    """One text that holds a secret."""

    kind: str
    place: str
    text: str
    secrets: tuple[str, ...]
    count: int = 1  # secrets in the text, with those that are planted beside this one

    def remains_in(self, text: str) -> bool:
        """Say whether a part of a secret can be read in a text, however that is wrapped."""
        text = re.sub(r"\[redacted: [\w.-]+\]", "[]", text)
        parts = {secret[at : at + SHORTEST] for secret in map(own_part, self.secrets) for at in _starts(secret)}
        return any(part in reading for reading in _readings(text) for part in parts)


def side_by_side(seed: str) -> Iterator[Planted]:
    """Yield texts that hold two to four secrets, on one line or on many; each text as often as it has secrets."""
    random = Random(f"{seed}, side by side")
    for _ in range(SEVERAL):
        parts = [_one_line(random) for _ in range(random.randint(2, 4))]
        way = random.choice(list(carriers.BETWEEN))
        text = carriers.BETWEEN[way]([text for _, _, text, _ in parts])
        if random.random() < 0.4:
            wrapper = random.choice(list(carriers.WRAPPERS))
            text, way = carriers.WRAPPERS[wrapper](text), f"{way}, {wrapper}"
        for at, (kind, place, _, secrets) in enumerate(parts):
            beside = " + ".join(f"{kind} ({place})" for kind, place, _, _ in parts)
            yield Planted(kind, f"{place}, {way}, {at + 1} of {beside}", text, secrets, len(parts))


def _one_line(random: Random) -> tuple[str, str, str, tuple[str, ...]]:
    """Return a secret in its place, on one line: its kind and that place, the text, and what in it is secret."""
    while True:
        secrets: tuple[str, ...]
        which = random.randrange(3)
        if which == 0:
            kind, place = random.choice(list(vendor_keys.TOKENS)), random.choice(list(carriers.BARE))
            value = vendor_keys.TOKENS[kind](random)
            text, secrets = carriers.BARE[place]("", value), (value,)
        elif which == 1:
            kind, place = random.choice(list(vendor_keys.NAMED)), random.choice(list(carriers.NAMED))
            make, names = vendor_keys.NAMED[kind]
            value = make(random)
            text, secrets = carriers.NAMED[place](random.choice(names), value), (value,)
        else:
            kind = random.choice(list(carriers.SHAPES))
            place = random.choice(list(carriers.SHAPES[kind]))
            text, secrets = carriers.SHAPES[kind][place](random)
        if "\n" not in text and "base64" not in place:
            return kind, place, text, secrets


def own_part(secret: str) -> str:
    """Return what of a secret is no other text's: of a URL, what follows its host; not what a key begins with."""
    secret = secret.removeprefix("access_token$production$")
    return secret.partition("://")[2].partition("/")[2] if "://" in secret else secret


def _starts(secret: str) -> range:
    # The first characters of a token name its issuer: the last ones are as telling, and never the same by chance.
    return range(max(1, len(secret) - SHORTEST + 1))


def _readings(text: str) -> Iterator[str]:
    yield text
    yield unquote(text)
    yield html.unescape(text)
    yield text.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "\n").replace("\\/", "/")
    yield re.sub(r"[\"'\\\s+]", "", text)  # what was joined or continued
    for run in re.findall(r"[A-Za-z0-9+/\n]{24,}={0,2}", text):
        letters = run.replace("\n", "").rstrip("=")
        if len(letters) % 4 != 1:
            yield base64.b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-8", "replace")


def plant(seed: str, *, thorough: bool = False) -> Iterator[Planted]:
    """Yield the corpus of a seed: every kind in every place, each pair wrapped in two ways, or in all of them."""
    random = Random(seed)
    for kind, place, text, secrets in _plain(random):
        yield Planted(kind, place, text, secrets)
        names = list(carriers.WRAPPERS)
        for name in names if thorough else random.sample(names, 2):
            yield Planted(kind, f"{place}, {name}", carriers.WRAPPERS[name](text), secrets)


def _plain(random: Random) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    for kind, make in vendor_keys.TOKENS.items():
        for place, carrier in carriers.BARE.items():
            value = make(random)
            yield kind, place, carrier("", value), (value,)
        for place in random.sample(list(carriers.NAMED), 4):
            value = make(random)
            yield kind, place, carriers.NAMED[place]("SERVICE_VALUE", value), (value,)
    for kind, (make, names) in vendor_keys.NAMED.items():
        for place, carrier in carriers.NAMED.items():
            value = make(random)
            yield kind, place, carrier(random.choice(names), value), (value,)
    for kind, shapes in carriers.SHAPES.items():
        for place, shape in shapes.items():
            text, secrets = shape(random)
            yield kind, place, text, secrets
    for kind, make in vendor_keys.BLOCKS.items():
        for place, text, secrets in _blocks(make(random)):
            yield kind, place, text, secrets


def _blocks(block: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    lines = block.split("\n")
    body = _whole(lines[1:-1])
    half = len(lines) // 2
    yield "a file", block, body
    yield (
        "cut off at its end",
        "\n".join(["$ cat key.pem", *lines[:half]]),
        _whole(lines[1:half]),
    )
    yield "cut off at its beginning", "\n".join(lines[half:]), _whole(lines[half:-1])
    yield "escaped in .env", 'KEY="' + "\\n".join(lines) + '"', body
    yield "indented in yaml", "key: |\n" + "\n".join("    " + line for line in lines) + "\nport: 1", body
    yield "joined in python", "KEY = (\n" + "\n".join(f'    "{line}\\n"' for line in lines) + "\n)", body
    yield "joined in javascript", "const k = " + " +\n".join(f"  '{line}\\n'" for line in lines) + ";", body
    yield "in json", json.dumps({"private_key": block, "id": 3}), body
    yield "on one line", "key: " + " ".join(lines), body


def _whole(lines: list[str]) -> tuple[str, ...]:
    """Return the lines of a key's body, without what tells nothing."""
    return tuple(line for line in lines if len(line) >= 60)
