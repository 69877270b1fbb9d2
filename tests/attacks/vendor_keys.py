"""Makes secrets as their issuers publish their formats: by kind, of a seed, none of them real.

Nothing here looks at how they are found. A value is put together from pieces at run time, so that no scanner takes a
file of this repository for a leak.
"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random

LETTERS = string.ascii_letters
DIGITS = string.digits
ALNUM = LETTERS + DIGITS
UPPER = string.ascii_uppercase + DIGITS
LOWER = string.ascii_lowercase + DIGITS
HEX = "0123456789abcdef"
BASE32 = string.ascii_uppercase + "234567"
URL = ALNUM + "_-"
BASE64 = ALNUM + "+/"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"

Make = Callable[[Random], str]


def some(random: Random, letters: str, length: int) -> str:
    """Return some characters, with a digit and a letter among the first ones where both are to be had."""
    while True:
        text = "".join(random.choices(letters, k=length))
        has_both = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
        if has_both or not (set(letters) & set(DIGITS) and set(letters) & set(LETTERS)) or length < 4:
            return text


def _joined(*pieces: str | tuple[str, int]) -> Make:
    """Return what makes a key: a text stands for itself, a pair for so many of some characters."""

    def make(random: Random) -> str:
        return "".join(piece if isinstance(piece, str) else some(random, *piece) for piece in pieces)

    return make


def _any_of(*makes: Make) -> Make:
    return lambda random: random.choice(makes)(random)


def uuid(random: Random) -> str:
    """Return a UUID of version 4."""
    digits = some(random, HEX, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(random: Random) -> str:
    """Return a signed JSON web token (RFC 7519)."""
    header = {"alg": random.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    claims = {"sub": some(random, ALNUM, 12), "iat": random.randrange(1_600_000_000, 1_800_000_000), "admin": True}
    signed = [_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)]
    return ".".join([*signed, _base64url(random.randbytes(random.choice([32, 64, 256])))])


def _discord(random: Random) -> str:
    snowflake = str(random.randrange(10**18, 15 * 10**17))
    return ".".join([_base64url(snowflake.encode()), some(random, URL, 6), some(random, URL, 38)])


def _pem(label: str, size: int) -> Make:
    def make(random: Random) -> str:
        body = base64.b64encode(random.randbytes(size)).decode()
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])

    return make


def _pgp(random: Random) -> str:
    body = base64.b64encode(random.randbytes(700)).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    label = "PGP PRIVATE KEY BLOCK"
    return "\n".join([f"-----BEGIN {label}-----", "", *lines, "=" + some(random, BASE64, 4), f"-----END {label}-----"])


# By kind: tokens that say by their form what they are. The sources are the issuers' own pages on their formats and
# the tables of the public secret scanners.
TOKENS: dict[str, Make] = {
    "aws access key": _any_of(_joined("AK" + "IA", (BASE32, 16)), _joined("AS" + "IA", (BASE32, 16))),
    "aws bedrock key": _joined("ABSK", (BASE64, 128)),
    "google api key": _joined("AI" + "za", (URL, 35)),
    "google oauth secret": _joined("GOC" + "SPX-", (URL, 28)),
    "google access token": _joined("ya29" + ".a0", (URL, 180)),
    "google refresh token": _joined("1//" + "0", (URL, 95)),
    "azure client secret": _joined((ALNUM, 3), "8Q~", (ALNUM, 34)),
    "github classic token": _joined("gh" + "p_", (ALNUM, 36)),
    "github app token": _any_of(_joined("gh" + "s_", (ALNUM, 36)), _joined("gh" + "u_", (ALNUM, 36))),
    "github oauth token": _any_of(_joined("gh" + "o_", (ALNUM, 36)), _joined("gh" + "r_", (ALNUM, 76))),
    "github fine-grained token": _joined("github" + "_pat_", (ALNUM, 22), "_", (ALNUM, 59)),
    "gitlab token": _any_of(
        _joined("gl" + "pat-", (URL, 20)), _joined("gl" + "rt-", (URL, 20)), _joined("gl" + "dt-", (URL, 20))
    ),
    "gitlab trigger token": _joined("gl" + "ptt-", (HEX, 40)),
    "bitbucket app password": _joined("AT" + "BB", (ALNUM, 24), (HEX.upper(), 8)),
    "atlassian token": _joined("ATATT" + "3xFfGF0", (URL, 171), "=", (HEX.upper(), 8)),
    "anthropic key": _any_of(
        _joined("sk-" + "ant-api03-", (URL, 93), "AA"), _joined("sk-" + "ant-admin01-", (URL, 93), "AA")
    ),
    "anthropic login": _joined("sk-" + "ant-oat01-", (URL, 93), "AA"),
    "openai key": _joined("sk-", (ALNUM, 20), "T3Blbk" + "FJ", (ALNUM, 20)),
    "openai project key": _any_of(
        _joined("sk-" + "proj-", (URL, 74), "T3Blbk" + "FJ", (URL, 74)),
        _joined("sk-" + "svcacct-", (URL, 74), "T3Blbk" + "FJ", (URL, 74)),
    ),
    "hugging face token": _joined("h" + "f_", (LETTERS, 34)),
    "groq key": _joined("gs" + "k_", (ALNUM, 20), "WGdyb3" + "FY", (ALNUM, 24)),
    "replicate token": _joined("r8" + "_", (ALNUM, 37)),
    "perplexity key": _joined("ppl" + "x-", (ALNUM, 48)),
    "xai key": _joined("xa" + "i-", (ALNUM, 80)),
    "openrouter key": _joined("sk-" + "or-v1-", (HEX, 64)),
    "deepseek key": _joined("sk-", (HEX, 32)),
    "langsmith key": _joined("lsv2" + "_pt_", (HEX, 32), "_", (HEX, 10)),
    "pypi token": _joined("pyp" + "i-AgEIcHlwaS5vcmc", (URL, 160)),
    "npm token": _joined("np" + "m_", (ALNUM, 36)),
    "crates.io token": _joined("ci" + "o", (ALNUM, 32)),
    "rubygems key": _joined("ruby" + "gems_", (HEX, 48)),
    "docker hub token": _any_of(_joined("dckr" + "_pat_", (URL, 27)), _joined("dckr" + "_oat_", (URL, 32))),
    "stripe live key": _any_of(
        _joined("sk_" + "live_", (ALNUM, 24)),
        _joined("sk_" + "live_51", (ALNUM, 97)),
        _joined("rk_" + "live_", (ALNUM, 24)),
    ),
    "stripe test key": _any_of(_joined("sk_" + "test_51", (ALNUM, 97)), _joined("rk_" + "test_", (ALNUM, 99))),
    "stripe webhook secret": _joined("wh" + "sec_", (ALNUM, 32)),
    "braintree token": _joined("access_" + "token$production$", (LOWER, 16), "$", (HEX, 32)),
    "square token": _any_of(
        _joined("sq0" + "atp-", (URL, 22)), _joined("sq0" + "csp-", (URL, 43)), _joined("EA" + "AA", (URL, 60))
    ),
    "shopify token": _any_of(_joined("shp" + "at_", (HEX, 32)), _joined("shp" + "ss_", (HEX, 32))),
    "slack token": _any_of(
        _joined("xo" + "xb-", (DIGITS, 12), "-", (DIGITS, 13), "-", (ALNUM, 24)),
        _joined("xo" + "xp-", (DIGITS, 12), "-", (DIGITS, 12), "-", (DIGITS, 12), "-", (HEX, 32)),
        _joined("xa" + "pp-1-A", (UPPER, 10), "-", (DIGITS, 13), "-", (HEX, 64)),
    ),
    "slack webhook": _joined(
        "https://hooks.sl" + "ack.com/services/T", (UPPER, 10), "/B", (UPPER, 10), "/", (ALNUM, 24)
    ),
    "discord bot token": _discord,
    "discord webhook": _joined("https://disc" + "ord.com/api/webhooks/", (DIGITS, 19), "/", (URL, 68)),
    "telegram bot token": _joined((DIGITS[1:], 10), ":AA", (URL, 33)),
    "twilio api key": _joined("S" + "K", (HEX, 32)),
    "sendgrid key": _joined("S" + "G.", (URL, 22), ".", (URL, 43)),
    "mailgun key": _any_of(_joined("ke" + "y-", (HEX, 32)), _joined((HEX, 32), "-", (HEX, 8), "-", (HEX, 8))),
    "mailchimp key": _joined((HEX, 32), "-us", (DIGITS[1:], 2)),
    "sentry token": _any_of(
        _joined("sntr" + "yu_", (HEX, 64)), _joined("sntr" + "ys_eyJpYXQiOjE3", (ALNUM, 90), "=_", (BASE64, 43))
    ),
    "new relic key": _joined("NR" + "AK-", (UPPER, 27)),
    "vault token": _joined("hv" + "s.", (URL, 95)),
    "terraform token": _joined((ALNUM, 14), ".atlas" + "v1.", (URL, 67)),
    "digitalocean token": _joined("do" + "p_v1_", (HEX, 64)),
    "heroku key": _joined("HR" + "KU-AA", (URL, 58)),
    "netlify token": _joined("nf" + "p_", (ALNUM, 36)),
    "linear key": _joined("lin" + "_api_", (ALNUM, 40)),
    "notion token": _any_of(_joined("nt" + "n_", (DIGITS, 11), (ALNUM, 35)), _joined("sec" + "ret_", (ALNUM, 43))),
    "figma token": _joined("fig" + "d_", (URL, 40)),
    "airtable token": _joined("pa" + "t", (ALNUM, 14), ".", (HEX, 64)),
    "databricks token": _joined("da" + "pi", (HEX, 32)),
    "postman key": _joined("PM" + "AK-", (HEX, 24), "-", (HEX, 34)),
    "grafana token": _joined("gl" + "sa_", (ALNUM, 32), "_", (HEX, 8)),
    "doppler token": _joined("dp" + ".pt.", (ALNUM, 43)),
    "pulumi token": _joined("pu" + "l-", (HEX, 40)),
    "planetscale token": _joined("pscale" + "_tkn_", (URL, 43)),
    "supabase token": _joined("sb" + "p_", (HEX, 40)),
    "tailscale key": _joined("ts" + "key-auth-", (ALNUM, 17), "-", (ALNUM, 32)),
    "fly.io token": _joined("fm2" + "_lJPE", (BASE64, 160)),
    "circleci token": _joined("CCI" + "PAT_", (ALNUM, 22), "_", (HEX, 40)),
    "sonar token": _joined("sq" + "p_", (HEX, 40)),
    "dynatrace token": _joined("dt0" + "c01.", (BASE32, 24), ".", (BASE32, 64)),
    "artifactory key": _joined("AK" + "Cp8", (ALNUM, 69)),
    "alibaba key": _joined("LT" + "AI5t", (ALNUM, 18)),
    "facebook token": _joined("EA" + "AM", (ALNUM, 160)),
    "brevo key": _joined("xkey" + "sib-", (HEX, 64), "-", (ALNUM, 16)),
    "posthog key": _joined("ph" + "x_", (ALNUM, 43)),
    "1password token": _joined("op" + "s_eyJ", (ALNUM, 260)),
    "age key": _joined("AGE-SECRET-" + "KEY-1", (BECH32, 58)),
    "jwt": jwt,
}


def password(random: Random) -> str:
    """Return a password that needs no quotes anywhere."""
    return some(random, ALNUM + "_.-", random.choice([10, 14, 20]))


# By kind: keys that only their name tells, and names that they go by.
NAMED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "aws secret key": (_joined((BASE64, 40)), ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key")),
    "aws session token": (_joined("IQoJb3JpZ2luX2VjE", (BASE64, 260)), ("AWS_SESSION_TOKEN", "aws_session_token")),
    "azure storage key": (_joined((BASE64, 86), "=="), ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY")),
    "datadog key": (_joined((HEX, 32)), ("DD_API_KEY", "DATADOG_API_KEY", "DD_APP_KEY")),
    "twilio auth token": (_joined((HEX, 32)), ("TWILIO_AUTH_TOKEN", "twilio_auth_token")),
    "cloudflare token": (_joined((URL, 40)), ("CLOUDFLARE_API_TOKEN", "CF_API_TOKEN", "cloudflare_api_token")),
    "heroku uuid key": (uuid, ("HEROKU_API_KEY", "heroku_api_key")),
    "mistral key": (_joined((ALNUM, 32)), ("MISTRAL_API_KEY", "mistral_api_key")),
    "cohere key": (_joined((ALNUM, 40)), ("COHERE_API_KEY", "CO_API_KEY")),
    "together key": (_joined((HEX, 64)), ("TOGETHER_API_KEY",)),
    "vercel token": (_joined((ALNUM, 24)), ("VERCEL_TOKEN", "vercel_token")),
    "algolia key": (_joined((HEX, 32)), ("ALGOLIA_API_KEY", "ALGOLIA_ADMIN_KEY")),
    "django secret": (_joined((LOWER + "!@#%^*(-_=+)", 50)), ("SECRET_KEY", "DJANGO_SECRET_KEY")),
    "session secret": (_joined((HEX, 64)), ("SESSION_SECRET", "JWT_SECRET", "jwtSecret", "COOKIE_SECRET")),
    "encryption key": (_joined((BASE64, 43), "="), ("ENCRYPTION_KEY", "FERNET_KEY", "encryptionKey", "MASTER_KEY")),
    "client secret": (_joined((URL, 40)), ("CLIENT_SECRET", "client_secret", "clientSecret", "OAUTH_CLIENT_SECRET")),
    "api key": (_joined((ALNUM, 32)), ("API_KEY", "api_key", "apiKey", "x_api_key", "SERVICE_APIKEY")),
    "access token": (
        _joined((ALNUM, 40)),
        ("ACCESS_TOKEN", "access_token", "accessToken", "refresh_token", "authToken"),
    ),
    "password": (
        lambda random: some(random, ALNUM + "!#%*+-_.?", random.choice([10, 12, 16, 24])),
        (
            "PASSWORD",
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "MYSQL_ROOT_PASSWORD",
            "smtp_passwd",
            "ADMIN_PWD",
            "passphrase",
        ),
    ),
    "pw": (password, ("pw", "PW", "root_pw", "DB_PW", "dbPw")),
    "pre-shared key": (lambda random: some(random, ALNUM, random.choice([10, 16, 24])), ("psk", "PSK", "wpa_psk")),
    "personal access token": (_joined((LOWER, 52)), ("AZURE_DEVOPS_EXT_PAT", "GITHUB_PAT", "gitlab_pat")),
    "short token": (_joined((ALNUM, 16)), ("token", "TOKEN", "DEPLOY_TOKEN", "access_token")),
    "short secret": (_joined((ALNUM, 16)), ("secret", "SECRET", "APP_SECRET")),
    "short password": (
        lambda random: random.choice(["Winter", "hunter", "Sommer", "qwertz", "Dragon"]) + some(random, DIGITS, 3),
        ("PASSWORD", "password", "REDIS_PASSWORD", "db_password", "DB_PASS"),
    ),
}

# By kind: private keys in their armour.
BLOCKS: dict[str, Make] = {
    "rsa private key": _pem("RSA PRIVATE" + " KEY", 1190),
    "ec private key": _pem("EC PRIVATE" + " KEY", 121),
    "pkcs8 private key": _pem("PRIVATE" + " KEY", 1217),
    "encrypted private key": _pem("ENCRYPTED PRIVATE" + " KEY", 1300),
    "openssh private key": _pem("OPENSSH PRIVATE" + " KEY", 290),
    "dsa private key": _pem("DSA PRIVATE" + " KEY", 450),
    "pgp private key": _pgp,
}
