"""Owns the table of tokens that say by their own form what they are: cloud, git host, model provider, payment keys.

A token is found by an anchor, a literal that is in every one of its kind: only where it stands is the pattern tried.
The formats are the issuers', and what the field's scanners (gitleaks, trufflehog, detect-secrets, credsweeper) know of
them. They are looser than those where that costs no false alarm: a key that is a little longer next year is one still.
"""

from __future__ import annotations

from typing import NamedTuple


class Token(NamedTuple):
    """One kind of token."""

    kind: str
    anchor: str  # a literal of it, in the case in which it is written
    body: str  # a class of characters: what follows the anchor; it may be interrupted as a string is (see detectors)
    least: int  # characters of that at least
    most: int = 400
    lead: str = ""  # a pattern of what precedes the anchor
    tail: str = ""  # a pattern of what follows the body
    is_word: bool = False  # weak: no letter or digit may stand before it


A = "A-Za-z0-9"
U = r"A-Za-z0-9\-_"
B = "A-Za-z0-9+/"
X = "0-9a-fA-F"


def _all(kind: str, anchors: str, body: str, least: int, *, most: int = 400, is_word: bool = False) -> list[Token]:
    return [Token(kind, anchor, body, least, most, is_word=is_word) for anchor in anchors.split()]


CLOUD = [
    *_all("aws-access-key", "AKIA ASIA ABIA ACCA", "A-Z0-9", 16, most=20, is_word=True),
    *_all("aws-bedrock-key", "ABSK", B, 100, is_word=True),
    Token("aws-bedrock-key", "bedrock-api-key-", B, 28),
    Token("google-api-key", "AIza", U, 33, 40),
    Token("google-oauth-secret", "GOCSPX-", U, 20, 40),
    Token("google-access-token", "ya29.", "A-Za-z0-9_.-", 20, 2000, is_word=True),
    Token("google-refresh-token", "1//0", U, 40, is_word=True),
    Token("google-refresh-token", "1%2F%2F0", U, 40, is_word=True),
    Token("google-api-key", "AQ.Ab", U, 40, 80, is_word=True),
    Token("azure-client-secret", "8Q~", "A-Za-z0-9_.~-", 30, 40, lead=r"[A-Za-z0-9_.~-]{3}"),
    Token("azure-client-secret", "7Q~", "A-Za-z0-9_.~-", 30, 40, lead=r"[A-Za-z0-9_.~-]{3}"),
    *_all("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", X, 40),
    *_all("cloudflare-token", "cfut_ cfat_ cfk_", A, 40, is_word=True),
    Token("cloudflare-origin-key", "v1.0-", "0-9a-f-", 150, 200, is_word=True),
    Token("heroku-key", "HRKU-", U, 30, 70),
    *_all("netlify-token", "nfp_ nfo_ nfc_ nfu_", A, 30, is_word=True),
    *_all("vercel-token", "vcp_ vci_ vca_ vcr_", A, 24, is_word=True),
    *_all("alibaba-key", "LTAI", A, 12, most=24, is_word=True),
    Token("fly.io-token", "fm1r_", B + "=_-", 40, 2000, is_word=True),
    Token("fly.io-token", "fm2_", B + "=_-", 40, 2000, is_word=True),
    Token("fly.io-token", "fo1_", U, 40, is_word=True),
    Token("planetscale-token", "pscale_", "A-Za-z0-9_.-", 30),
    *_all("supabase-token", "sbp_ sb_secret_", A + "_", 30, is_word=True),
    *_all("tailscale-key", "tskey-", U, 24),
    Token("terraform-token", ".atlasv1.", U, 50, 90, lead=r"[A-Za-z0-9]{14}"),
    *_all("vault-token", "hvs. hvb. hvr.", U, 20, is_word=True),
    *_all("doppler-token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", "A-Za-z0-9_.-", 40, is_word=True),
    Token("pulumi-token", "pul-", "0-9a-f", 40, 40, is_word=True),
    Token("databricks-token", "dapi", "0-9a-f", 32, 34, is_word=True),
    Token("scaleway-key", "SCW", "A-Z0-9", 17, 17, is_word=True),
    Token("oracle-or-ibm-key", "ApiKey-", U, 40, is_word=True),
]

CODE = [
    *_all("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", A + "_", 30),
    Token("github-token", "github_pat_", A + "_", 30),
    *_all("gitlab-token", "glpat- glptt- glrt- gldt- glcbt- glft- glimt- glagent- gloas- glsoat- glffct-", U + ".", 20),
    Token("gitlab-token", "GR1348941", U, 20),
    Token("bitbucket-password", "ATBB", A, 28, 60, is_word=True),
    *_all("atlassian-token", "ATATT3xFf ATCTT3xFf ATSTT3xFf", U + "=", 60),
    Token("bitbucket-token", "BBDC-", B + "=", 32, 60, is_word=True),
    Token("pypi-token", "pypi-AgE", U, 40, 1000),
    Token("npm-token", "npm_", A, 34, 80, is_word=True),
    Token("crates.io-token", "cio", A, 32, 32, is_word=True),
    Token("rubygems-key", "rubygems_", X, 40),
    *_all("docker-token", "dckr_pat_ dckr_oat_", U, 20),
    *_all("docker-swarm-token", "SWMTKN-1- SWMKEY-1-", B + "-", 30),
    Token("nuget-key", "oy2", "a-z0-9", 43, 43, is_word=True),
    Token("clojars-token", "CLOJARS_", "0-9a-f", 40),
    *_all("circleci-token", "CCIPAT_ CCIPRJ_", A + "_", 40),
    *_all("sonar-token", "sqp_ squ_ sqa_", X, 40, most=40, is_word=True),
    *_all("artifactory-token", "AKCp cmVmdGtu", A, 50, is_word=True),
    *_all("buildkite-token", "bkua_ bkpat_ bkct_ bkaj_ bkpt_", A + "_-", 40, is_word=True),
    *_all("postman-key", "PMAK- PMAT-", A + "-", 24, is_word=True),
    Token("sourcegraph-token", "sgp_", A + "_", 40, is_word=True),
    Token("snyk-token", "snyk_uat.", U + ".", 30),
]

MODELS = [
    Token("anthropic-key", "sk-ant-", U, 20, 300),
    *_all("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-None-", U, 20),
    Token("openrouter-key", "sk-or-", U, 30),
    Token("openai-key", "T3BlbkFJ", U, 16, lead=r"sk-[A-Za-z0-9_-]{16,170}?"),
    Token("api-key", "sk-", A, 30, 100, is_word=True),
    Token("api-key", "sk-lf-", "0-9a-f-", 30, is_word=True),
    *_all("hugging-face-token", "hf_ api_org_", A, 30, most=60, is_word=True),
    Token("groq-key", "gsk_", A, 40, 80, is_word=True),
    Token("replicate-token", "r8_", A, 30, 50, is_word=True),
    Token("perplexity-key", "pplx-", A, 30, is_word=True),
    Token("xai-key", "xai-", A, 40, is_word=True),
    Token("cerebras-key", "csk-", A, 40, is_word=True),
    Token("together-key", "tgp_v1_", U, 40),
    Token("fireworks-key", "fw_", A, 20, 30, is_word=True),
    *_all("langsmith-key", "lsv2_pt_ lsv2_sk_", A + "_", 32),
    Token("tavily-key", "tvly-", U, 20, is_word=True),
    Token("nvidia-key", "nvapi-", U, 40, is_word=True),
    Token("llamaindex-key", "llx-", A, 30, is_word=True),
    Token("elevenlabs-or-other-key", "sk_", "0-9a-f", 48, 48, is_word=True),
    Token("e2b-key", "e2b_", X, 32, is_word=True),
]

PAYMENT = [
    *_all("stripe-key", "sk_live_ sk_test_ rk_live_ rk_test_ sk_prod_ rk_prod_", A + "_", 16, most=300),
    Token("stripe-webhook-secret", "whsec_", B + "=", 20),
    Token("braintree-token", "access_token$", A + "$", 30),
    Token("braintree-token", "access_token%24", A + "%", 30),
    *_all("square-token", "sq0atp- sq0csp- sq0idp-", U, 20),
    Token("square-token", "EAAA", U, 56, 70, is_word=True),
    *_all("shopify-token", "shpat_ shpss_ shpca_ shppa_ shptka_", X, 30),
    *_all("facebook-token", "EAAM EAAC EAAB EAAG", A, 60, is_word=True),
    *_all("razorpay-key", "rzp_live_ rzp_test_", A, 14),
    *_all("flutterwave-key", "FLWSECK-", A + "-", 12),
    *_all("plaid-token", "access-production- access-development- access-sandbox-", "0-9a-f-", 30),
    *_all("mercadopago-or-adyen-key", "AQE", B, 90, is_word=True),
]

SERVICES = [
    *_all("slack-token", "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxe- xoxe.xox xapp-", "A-Za-z0-9.-", 20),
    Token("slack-webhook", "hooks.slack.com/", "A-Za-z0-9_/", 30, lead=r"(?:https?:(?:\\?/){2})?"),
    Token(
        "discord-webhook",
        "/api/webhooks/",
        "A-Za-z0-9_/-",
        50,
        lead=r"(?:https?:(?:\\?/){2})?(?:\w+\.)?discord(?:app)?\.com",
    ),
    Token("teams-webhook", ".webhook.office.com/", "A-Za-z0-9_@/-", 50, lead=r"(?:https?:(?:\\?/){2})?[\w-]{1,40}"),
    *[
        Token("discord-token", anchor, U + ".", 55, 80, is_word=True)
        for anchor in ["MTA", "MTE", "MTI", "MTM", "MTQ", "MTU", "MTY", "MTc", "MTg", "MTk"]
    ],
    Token("telegram-bot-token", ":AA", U, 33, 33, lead=r"\d{8,10}"),
    *[Token("twilio-key", f"SK{digit}", "0-9a-f", 31, 31, is_word=True) for digit in "0123456789abcdef"],
    Token("sendgrid-key", "SG.", U + ".", 50, 80, is_word=True),
    Token("mailgun-key", "key-", "0-9a-f", 32, 32, is_word=True),
    *[Token("mailchimp-key", f"-us{n}", "0-9", 0, 1, lead=r"(?:{J}[0-9a-f]){32}") for n in range(1, 10)],
    *_all("sentry-token", "sntrys_ sntryu_", B + "=_-", 40, most=1000),
    *_all("new-relic-key", "NRAK- NRII- NRJS- NRBR- NRRA-", A + "-", 19, is_word=True),
    Token("linear-key", "lin_api_", A, 30),
    Token("linear-key", "lin_oauth_", A, 30),
    Token("notion-token", "ntn_", A, 40, is_word=True),
    Token("notion-token", "secret_", A, 43, 43, is_word=True),
    *_all("figma-token", "figd_ figo_ figu_", U, 36, is_word=True),
    Token("airtable-token", "pat", A + ".", 79, 79, is_word=True),
    *_all("grafana-token", "glsa_ glc_", B + "_=", 32, is_word=True),
    *_all("dynatrace-token", "dt0c01. dt0s01. dt0s08. dt0s16.", "A-Z0-9.", 60),
    *_all("brevo-key", "xkeysib- xsmtpsib-", A + "-", 60),
    *_all("posthog-key", "phx_ phs_", A, 40, is_word=True),
    Token("1password-token", "ops_eyJ", B + "=_-", 100, 2000, is_word=True),
    Token("typeform-token", "tfp_", U, 40, is_word=True),
    Token("contentful-token", "CFPAT-", U, 40),
    Token("shippo-token", "shippo_live_", X, 40),
    Token("asana-or-other-token", "rdme_", A, 60, is_word=True),
    Token("prefect-token", "pnu_", A, 36, is_word=True),
    Token("age-key", "AGE-SECRET-KEY-1", "A-Z0-9", 40, 80),
]

TOKENS: tuple[Token, ...] = tuple(dict.fromkeys([*CLOUD, *CODE, *MODELS, *PAYMENT, *SERVICES]))
