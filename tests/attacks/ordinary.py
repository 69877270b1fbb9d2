"""Texts that hold no secret: the code of this interpreter and its packages, and what stands beside code."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

from tests.attacks import vendor_keys
from tests.attacks.vendor_keys import ALNUM, BASE64, HEX, some
from watcher.privacy.detectors import find

PIECE = 4000  # characters, as much as is kept of an output
MOST = 4_000_000  # characters looked at
KINDS = {".py", ".pyi", ".js", ".json", ".md", ".txt", ".toml", ".html", ".css", ".h", ".c", ".rst", ".yaml", ".sh"}


def pieces() -> Iterator[tuple[Path, str]]:
    """Yield pieces of the installed code, of some megabytes chosen by a seed, and the file that each is of."""
    ours, python = Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib"))
    # What else the interpreter has installed below itself is another on each machine.
    files = sorted(
        path
        for root in (ours, python)
        for path in root.rglob("*")
        if path.suffix in KINDS
        and path.stat().st_size < 500_000
        and (root == ours or not {"site-packages", "dist-packages"} & set(path.relative_to(root).parts))
    )
    Random("code").shuffle(files)
    left = MOST
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        for at in range(0, len(text), PIECE):
            yield path, text[at : at + PIECE]
        left -= len(text)
        if left < 0:
            return


@cache
def alarms() -> tuple[float, int, tuple[str, ...]]:
    """Return how many megabytes in how many files were looked at, and where in them a secret was seen."""
    size, files, found = 0, set(), []
    for path, text in pieces():
        size += len(text)
        files.add(path)
        place = f"{path.parent.name}/{path.name}"
        found += [f"{place}: {span.kind} {text[span.start : span.end][:40]!r}" for span in find(text)]
    return size / 1e6, len(files), tuple(found)


def harmless(random: Random) -> Iterator[str]:
    """Yield what looks like secrets and is none: digests, identifiers, blanks, and where secrets come from."""
    sha1, sha256, sha512 = (some(random, HEX, length) for length in (40, 64, 128))
    integrity = f"sha512-{some(random, BASE64, 86)}=="
    uuid = vendor_keys.uuid(random)
    yield f"commit {sha1}\nAuthor: A <a@example.com>\n\n    Say what a token is\n"
    yield f"{sha1[:7]} Rename password to passphrase\n{sha1[7:14]} Drop the secret\n"
    yield f'"node_modules/x": {{"version": "1.2.3", "integrity": "{integrity}"}}'
    yield f"sqlalchemy==2.1.0 \\\n    --hash=sha256:{sha256} \\\n    --hash=sha256:{some(random, HEX, 64)}"
    yield f"FROM python@sha256:{sha256}\nLABEL id={uuid}"
    yield f'checksum = "{sha256}"\nid = "{uuid}"\nkey = "{sha1}"\nprimary_key = "{uuid}"'
    yield f"ETag: {sha256[:32]}\nX-Request-Id: {uuid}\nContent-MD5: {some(random, BASE64, 22)}=="
    yield f"{sha512}  archive.tar.gz\nMD5 (x) = {sha256[:32]}"
    yield "password = get_password()\ntoken: str\nsecret: SecretStr = Field(...)\nself.token = token\npassword=pw,"
    yield "def login(user: str, password: str, token: Optional[str] = None) -> Token:"
    yield 'api_key = os.environ["API_KEY"]\nsecret = process.env.CLIENT_SECRET;\nconst token = await getToken(user);'
    yield "PASSWORD=${DB_PASSWORD}\nAPI_KEY=<your-api-key>\nTOKEN=xxxxxxxxxxxx\nSECRET_KEY=changeme\nTOKEN=$GH_TOKEN"
    yield 'password: ${{ secrets.PASSWORD }}\ntoken: "{{ vault_token }}"\napi_key = var.api_key\npassword = "********"'
    yield "postgres://${USER}:${PASSWORD}@db/app https://user:<password>@host https://example.com:8080/@scope/x"
    yield "Authorization: Bearer $TOKEN\nAuthorization: Bearer <token>\n-H 'Authorization: Bearer ${TOKEN}'"
    yield "mysql -u root -p app < dump.sql\ncurl -u $USER:$PASS https://x\ndocker login -u me --password-stdin"
    yield "The password is required. Enter your password: it must have 12 characters. Forgot password? Token expired."
    yield "tokens: 4096\nmax_tokens=1024\ninput_tokens: 12345678901234\ntoken_count = 123456\ntokenizer = Tokenizer()"
    yield '<input type="password" name="password" placeholder="Password">\n<label for="token">Token</label>'
    yield "-----BEGIN CERTIFICATE-----\n" + some(random, BASE64, 64) + "\n-----END CERTIFICATE-----"
    yield "-----BEGIN PUBLIC KEY-----\n" + some(random, BASE64, 64) + "\n-----END PUBLIC KEY-----"
    yield f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{some(random, ALNUM, 43)} me@host"
    yield f'<img src="data:image/png;base64,iVBORw0KGgo{some(random, BASE64, 300)}=">'
    yield "".join(f'!function(e,t){{var n=e.{c}Token,r=t.key;return n?r:"{c}"}}(this,0);' for c in ALNUM[:40])
    yield f"Traceback: KeyError: 'token'\n  File \"auth.py\", line 12, in secret\n{uuid} | ok"
