"""What redaction leaves and takes; how much of the corpus of secrets it finds is counted by tests/attacks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

from tests.attacks import corpus, ordinary, vendor_keys
from tests.attacks.vendor_keys import ALNUM, BASE32, some
from watcher import privacy
from watcher.privacy import blocks
from watcher.privacy.redaction import MARGIN, redact, redact_part
from watcher.transcript import excerpts

KEY = "AK" + "IA" + some(Random("key"), BASE32, 16)
PASSWORD = some(Random("password"), ALNUM, 16)


def test_what_was_removed_stays_readable() -> None:
    assert redact(f"aws_access_key_id = {KEY}\nregion = eu-west-1") == (
        "aws_access_key_id = [redacted: aws-access-key]\nregion = eu-west-1"
    )
    assert redact(f"PASSWORD={PASSWORD} ./run") == "PASSWORD=[redacted: password] ./run"
    assert redact(f"postgres://app:{PASSWORD}@db/app") == "postgres://app:[redacted: url-password]@db/app"


def test_what_is_redacted_stays_as_it_is() -> None:
    for planted in list(corpus.plant("twice"))[::7]:
        once = redact(planted.text)
        assert redact(once) == once, planted


@pytest.mark.parametrize("seed", range(5))
def test_what_only_looks_like_a_secret_stays(seed: int) -> None:
    for text in ordinary.harmless(Random(seed)):
        assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        'curl -d "password={0}" -u admin:{1} https://api.acme.io',
        'curl -H "X-Api-Key: {0}" -u admin:{1} https://api.acme.io',
        '{{"content": "curl https://acme.io\\nDB_PASSWORD={0} ./run\\ncurl -u admin:{1} https://acme.io"}}',
        "mysql -h db -e \"set password='{0}'\" -p{1} shop",
    ],
)
def test_a_secret_between_the_beginning_of_a_command_and_another_secret_in_it_goes_too(text: str) -> None:
    planted = "S3cr3t" + "Pw9f8e7d6c5b4a", "G8NPRV" + "dD53X83RZJ"
    found = redact(text.format(*planted))
    assert not [one for one in planted if one in found], found
    assert found.count("[redacted: ") == 2


@pytest.mark.parametrize(
    "text",
    [
        "token: {0}",
        "data:\n  password: {0}\n",
        '{{"content": "a\\n  token: {0}\\nb"}}',
        '{{"c": "token: {0}"}}',
        "token: {0} ; ls",
    ],
)
def test_a_value_that_ends_in_padding_is_no_type_of_a_default(text: str) -> None:
    value = "Q" + some(Random("padding"), ALNUM, 26) + "="
    assert value not in redact(text.format(value))
    assert PASSWORD not in redact(f'token: str = "{PASSWORD}x9"') + redact(f"password: str={PASSWORD!r}")


def test_a_value_behind_a_call_is_not_taken_for_that_call() -> None:
    """Before 3.11.5, Python's possessive groups match what they have only begun to match."""
    value = some(Random("call"), ALNUM, 40) + "7"
    assert value not in redact(f'let STORAGE_KEY = String::from("{value}");')


TOLD = (
    "pw: {}",
    "root_pw={}",
    'psk="{}"',
    "GITHUB_PAT={}x7Q9abc",
    "the password for staging is {}",
    "Password for bob: {}",
    "use {} as the password",
    "Das Passwort ist {}",
    'password = """{}"""',
    "password = '''\n{}'''",
    "password=\\\n{}",
    'variable "db_pass" {{\n  description = "of the shop"\n  default = "{}"\n}}',
    "db.internal:5432:shop:app:{}",
    "# .pgpass\ndb.internal:6000:shop:app:{}",
    'Cookie: a=b; x="{}"',
    'Cookie: a=b1; x="y"; z=1 | PASSWORD = @"{}"',
    "Cookie: a=example; b={}",
    "chpasswd < users | chpasswd | X-Api-Key: {}x1",
    "Set-Cookie: a=b1c2d3e4; Path=/; HttpOnly; sshpass -p {} ssh root@host",
)


@pytest.mark.parametrize("text", TOLD)
def test_a_secret_that_a_name_a_sentence_or_a_place_tells_goes(text: str) -> None:
    for written in (text.format(PASSWORD), json.dumps({"content": text.format(PASSWORD)})):
        assert PASSWORD[:8] not in redact(written)
        assert PASSWORD[-8:] not in redact(written)


@pytest.mark.parametrize("text", ["token={}", "secret={}", 'token = "{}"', '{{"secret": "{}"}}'])
def test_a_short_secret_of_letters_and_digits_is_told_from_a_word(text: str) -> None:
    draw = Random("short")
    values = [some(draw, ALNUM, 16) for _ in range(300)]
    found = sum(value not in redact(text.format(value)) for value in values)
    assert found >= 0.95 * len(values)


NEAR_SECRETS = (
    '#define LN_pbe_WithSHA1And3_Key_TripleDES_CBC "pbeWithSHA1And3-KeyTripleDES-CBC"',
    '# define LN_pbeWithMD5AndRC2_CBC_key "pbeWithMD5AndRC2-CBC"',
    '#define TLS1_TXT_PSK_WITH_RC4_128_SHA "PSK-RC4-SHA"',
    '{"OLDPWD": "/home/someone/projects/claude4mem", "PWD": "/Users/someone/work/app2/source-tree"}',
    "OLDPWD=/home/someone/projects/claude4mem",
    "MachineFunctionPass::getAnalysisUsage2(AU); P = FSDiscriminatorPass::Pass1;",
    "std::string p = FooPass::Base9x;",
    "The password for the user is required. The password for bob is hashed with SHA256.",
    "the password for the hash is sha512, the password is at least 12chars",
    "Use UTF-8 as the password encoding. Use it as the password.",
    'HEX_PAT = "[0-9A-Fa-f]{1,4}"',
    "pw = pwd.getpwnam(name)\nhpw: h4sh3d_p4ss\nfile_pat = '*.py'\nurl_pat=re.compile(x)",
    "Use argon2id as the password hash, bcrypt2 as the password hasher. CVE-2024-1234 is the password leak.",
    "the key for index2 is user_id3 and the token for step2 is token_2; 'a1b2c3' is the password field",
    "change the password to user_id or with password hashing",
    "arn:aws:logs:*:*:log-group:/aws/lambda/f1 10:20:30:40:50:60",
    'variable "region" { default = "eu-west-1" }\nvariable "key_name" { default = "deploy-2024" }',
)


@pytest.mark.parametrize("text", NEAR_SECRETS)
def test_what_is_like_a_secret_by_its_name_or_sentence_alone_stays(text: str) -> None:
    assert redact(text) == text


def test_nothing_but_single_letters_is_matched_possessively() -> None:
    """Before 3.11.5, Python takes for matched what a possessive or atomic group has only begun to match."""
    for path in Path(privacy.__file__).parent.glob("*.py"):
        written = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<!\\)\)(?:[*+?]|\{+[\d,]+\}+)\+", written), path
        assert "(?>" not in written, path


def test_every_long_run_of_base64_is_seen() -> None:
    """As by a plain search, which takes ten times as long."""
    draw, plainly = Random("runs"), re.compile(rb"[a-z0-9+/]{64}")
    for _ in range(3000):
        parts = (b" ", b".", b"a" * draw.randrange(70), b"+/1" * draw.randrange(30))
        text = b"".join(draw.choices(parts, k=draw.randrange(20)))
        assert blocks.has_long_run(text) == bool(plainly.search(text))


def test_code_holds_few_secrets() -> None:
    megabytes, _, found = ordinary.alarms()

    assert megabytes > 3
    assert len(found) <= 4 * megabytes, found


def test_json_stays_json() -> None:
    """A secret in a string of JSON is replaced within that string, also where the whole is given as it is written."""
    for planted in list(corpus.plant("json"))[::5]:
        for written in (json.dumps({"a": planted.text, "b": [planted.text]}), json.dumps(planted.text)):
            json.loads(redact(written))


@pytest.mark.parametrize("name", ["password", "api_key", "clientSecret"])
def test_a_named_argument_of_a_tool_is_a_secret_for_its_name_alone(name: str) -> None:
    given = {"host": "db", name: PASSWORD, "nested": {"auth": [{name: PASSWORD}]}}

    kept = json.loads(excerpts.input_excerpt(given, 4000))

    assert PASSWORD not in json.dumps(kept)
    assert kept["host"] == "db"


@pytest.mark.parametrize("at", range(-30, 40, 3))
@pytest.mark.parametrize("length", [5_000, 500_000])
def test_a_secret_that_a_cut_would_halve_goes_as_a_whole(at: int, length: int) -> None:
    limit = 4000
    for edge in (limit * 3 // 5, length - (limit - limit * 3 // 5)):
        text = "word " * (length // 5)
        text = text[: edge + at] + f" {KEY} " + text[edge + at + len(KEY) + 2 :]

        kept = excerpts.excerpt(text, limit)

        assert not any(KEY[i : i + 6] in kept for i in range(len(KEY) - 5))


def test_a_long_secret_that_reaches_into_a_part_is_known_by_its_beginning() -> None:
    token = "ya29" + ".a0" + some(Random("long"), ALNUM, 1500)
    text = "word " * 2000 + token + " word" * 2000
    start = text.index(token) + 1200

    assert redact_part(text, start, start + 2000).startswith("[redacted: google-access-token] word")


def test_of_the_rest_of_a_text_only_a_margin_is_looked_at() -> None:
    text = f"PASSWORD={PASSWORD}\n" + "word " * MARGIN

    assert redact_part(text, len(text) - 10, len(text)) == text[-10:]


def test_a_private_key_is_one_secret_however_much_of_it_is_there() -> None:
    key = vendor_keys.BLOCKS["rsa private key"](Random("pem"))
    half = len(key) // 2

    assert redact(f"a\n{key}\nb") == "a\n[redacted: private-key]\nb"
    assert redact(f"a\n{key[:half]}") == "a\n[redacted: private-key]"
    assert redact(f"{key[half:]}\nb") == "[redacted: private-key]\nb"


def test_text_that_is_no_text_does_no_harm() -> None:
    for text in ("", "\ud83d token=\udc00", "İ" * 50 + f" {KEY}", f"ß{KEY}ẞ 😀 {KEY}"):
        assert KEY not in redact(text)


HOSTILE = {
    "names": "password=" * 3750,
    "names without an end": "api_key" * 3750,
    "quotes": 'password="' * 2500,
    "backslashes": "password=" + "\\" * 25000,
    "escaped quotes": 'token: "' + '\\"' * 12500,
    "gaps": "secret" + " \t" * 12500,
    "colours": "token=" + "\x1b[32m" * 3750,
    "beginnings of keys": "-----BEGIN RSA PRIVATE KEY-----\n" * 750,
    "ends of keys": "-----END RSA PRIVATE KEY-----\n" * 750,
    "a key without an end": "-----BEGIN RSA PRIVATE KEY-----\n" + "A" * 25000,
    "one letter": "a" * 37500,
    "base64": "cGFzc3dvcmQ" * 2500,
    "base64 in lines": ("cGFzc3dvcmQ9" * 6 + "\n") * 375,
    "tokens": "eyJ" * 8750,
    "tokens with dots": "eyJhbGciOiJI.eyJ" * 1500,
    "addresses": "://" * 8750,
    "addresses with colons": "://a:" * 6250,
    "encoded addresses": "%3a%2f%2f" * 3125,
    "commands": "mysql curl -u " * 1875,
    "cookies": "cookie: a=" * 2500,
    "leads": "hooks.slack.com/" * 1500,
    "digits": "1234567890:AA" * 1875,
    "joined strings": 'ghp_" "' * 3750,
    "escapes": "&quot;%22" * 3125,
    "sentences": "password for a b c d e f " * 1500,
    "ends of sentences": "a as the root password " * 1625,
    "three quotes": 'password = """' * 2500,
    "variables": 'variable "password" { default ' * 1250,
    "fields": ":5432:a:b:" * 3750,
    "hidden line ends": "password=\\\n" * 3400,
    "numbers of lines": "password:\n   1→" * 1875,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_done_with(name: str) -> None:
    """None of these ends in this century where a pattern takes the square of the text's length, or worse."""
    text = HOSTILE[name]

    assert len(redact(text)) <= 30 * len(text)


def test_a_marker_says_which_kind_and_nothing_else() -> None:
    for planted in list(corpus.plant("markers"))[::20]:
        for marker in re.findall(r"\[redacted:[^\]]*\]", redact(planted.text)):
            assert re.fullmatch(r"\[redacted: [a-z0-9.-]+\]", marker)
