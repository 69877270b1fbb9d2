"""The redaction of secrets: one that is planted is gone, whatever is around it, and once more changes nothing."""

from __future__ import annotations

import random
import string
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.values import texts
from watcher.privacy.redaction import redact, redact_part

WORDS = (
    *(
        "password",
        "passwd=",
        "secret:",
        "token = ",
        "Authorization: Bearer ",
        "api_key",
        '"apiKey": "',
        "export AWS_SECRET",
    ),
    *(
        "AKIA",
        "ghp_",
        "sk-",
        "xox",
        "eyJ",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "-----END ",
        "postgres://u:",
        "@host/db",
        "=",
    ),
    *(
        "[redacted: ",
        "[redacted: password]",
        "%3D",
        "%20",
        "&quot;",
        "\\n",
        "\\u0022",
        "--password ",
        "Cookie: ",
        "a" * 40,
    ),
    *("0123456789abcdef" * 3, "Zm9vYmFy" * 8, "https://me:", "user:pass@", "KEY=", "'", '"', "+", "- ", "base64 "),
)
TEXTS = texts(*WORDS)
KINDS = ("aws", "github", "anthropic", "slack", "pem")
PLANTED = st.tuples(
    st.sampled_from(KINDS), st.integers(0, 999), st.sampled_from([" ", "\n", '"', "'", "=", ": ", "\t"])
)
CASES = st.tuples(TEXTS, st.none() | PLANTED, TEXTS, st.integers(0, 100), st.integers(0, 100))
EXAMPLES = 120


def secret(kind: str, seed: int) -> tuple[str, str]:
    """Return a secret, and what of it must be nowhere afterwards: made here, for no scanner to take it for a leak."""
    draw = random.Random(seed)
    letters, upper = string.ascii_letters + string.digits, string.ascii_uppercase + "234567"
    body = "".join(draw.choices(upper if kind == "aws" else letters, k={"aws": 16, "github": 36}.get(kind, 93)))
    if kind == "slack":
        body = f"{''.join(draw.choices(string.digits, k=12))}-{body[:24]}"
        return f"xoxb-{''.join(draw.choices(string.digits, k=12))}-{body}", body
    if kind == "pem":
        body = "".join(draw.choices(letters, k=64))
        return f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body[::-1]}\n-----END RSA PRIVATE KEY-----", body
    return {"aws": "AKIA", "github": "ghp_", "anthropic": "sk-ant-api03-"}[kind] + body + (
        "AA" if kind == "anthropic" else ""
    ), body


def check(case: tuple[str, tuple[str, int, str] | None, str, int, int], folder: Path) -> None:
    before, planted, after, first, length = case
    text, body = before + after, ""
    if planted:
        kind, seed, around = planted
        whole, body = secret(kind, seed)
        text = f"{before}{around}{whole}{around}{after}"
    clean = redact(text)
    assert redact(clean) == clean
    assert not body or body not in clean
    assert redact_part(text, 0, len(text)) == clean
    start = len(text) * first // 100
    part = redact_part(text, start, start + len(text) * length // 100)
    assert not body or body not in part


def work(case: tuple[str, tuple[str, int, str] | None, str, int, int]) -> None:
    redact(case[0] + case[2])


def grown(
    case: tuple[str, tuple[str, int, str] | None, str, int, int], times: int
) -> tuple[str, tuple[str, int, str] | None, str, int, int]:
    return case[0] * times, None, case[2] * times, 0, 0
