"""Puts secrets where they are met: in files and code of several languages, on command lines, in headers, in URLs.

A carrier takes a name and a value; a shape makes its secret itself; a wrapper takes a whole text that holds some.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote

from tests.attacks import vendor_keys
from tests.attacks.vendor_keys import ALNUM, BASE64, HEX, LOWER, URL, password, some

Carrier = Callable[[str, str], str]
Shape = Callable[[Random], tuple[str, tuple[str, ...]]]  # the text, and what in it is secret
Wrapper = Callable[[str], str]


def _cut(value: str) -> tuple[str, str]:
    return value[: len(value) // 2], value[len(value) // 2 :]


# Of a token that says by itself what it is.
BARE: dict[str, Carrier] = {
    "prose": lambda _, v: f"You can use {v} for that, it is valid until Friday.",
    "end of a sentence": lambda _, v: f"The one that worked was {v}.",
    "inline code": lambda _, v: f"- run it with `{v}` and look again",
    "brackets": lambda _, v: f"rotated ({v}) [{v}] <{v}>",
    "alone": lambda _, v: v,
    "a list in json": lambda _, v: json.dumps(["a", v, 3]),
    "an argument": lambda _, v: f'client = Client("{v}", timeout=30)',
    "a log line": lambda _, v: f"2026-01-05T10:00:01.123Z DEBUG api.client request failed: 401 for {v} (attempt 2)",
    "a path of a url": lambda _, v: f"GET https://api.example.com/v1/{v}/things HTTP/1.1",
    "a query of a url": lambda _, v: f"curl 'https://api.example.com/v1/items?page=2&k={v}&limit=3'",
    "userinfo of a url": lambda _, v: f"git remote set-url origin https://{v}@git.example.com/team/app.git",
    "a table": lambda _, v: f"| prod | {v} | yes |",
    "a comment": lambda _, v: f"# TODO remove: {v}",
    "a bearer header": lambda _, v: f"Authorization: Bearer {v}",
    "behind an equals sign": lambda _, v: f"x={v}",
    "behind a colon": lambda _, v: f"x:{v}",
    "a value of a nameless variable": lambda _, v: f"const x = '{v}';",
    "joined in python": lambda _, v: 'x = "{}" "{}"'.format(*_cut(v)),
    "joined in python over lines": lambda _, v: 'x = (\n    "{}"\n    "{}"\n)'.format(*_cut(v)),
    "joined in javascript": lambda _, v: "const x = '{}' + '{}';".format(*_cut(v)),
    "joined in javascript over lines": lambda _, v: "const x = '{}' +\n  '{}';".format(*_cut(v)),
    "continued in a shell": lambda _, v: "export X={}\\\n{}".format(*_cut(v)),
}

# Of a value that its name makes a secret.
NAMED: dict[str, Carrier] = {
    ".env": lambda n, v: f"DEBUG=1\n{n}={v}\nPORT=8080",
    ".env, quoted": lambda n, v: f'{n}="{v}"\nPORT=8080',
    "export": lambda n, v: f"export {n}='{v}'",
    "before a command": lambda n, v: f"{n}={v} npm run deploy",
    "fish": lambda n, v: f"set -gx {n} {v}",
    "powershell": lambda n, v: f'$env:{n} = "{v}"',
    "windows": lambda n, v: f"set {n}={v}",
    "json": lambda n, v: json.dumps({"id": 7, n: v, "next": "x"}),
    "json, indented": lambda n, v: json.dumps({"id": 7, n: v, "next": "x"}, indent=2),
    "yaml": lambda n, v: f"service:\n  {n}: {v}\n  port: 80",
    "yaml, quoted": lambda n, v: f"service:\n  {n}: '{v}'\n  port: 80",
    "yaml, folded": lambda n, v: f"service:\n  {n}: >-\n    {v}\n  port: 80",
    "toml": lambda n, v: f'[service]\n{n} = "{v}"\n',
    "ini": lambda n, v: f"[service]\n{n} = {v}\nport = 80",
    "java properties": lambda n, v: f"app.port=80\napp.{n}={v}",
    "terraform": lambda n, v: f'resource "x" "y" {{\n  {n}      = "{v}"\n  size = 3\n}}',
    "dockerfile": lambda n, v: f"FROM x\nENV {n}={v}\nRUN y",
    "dockerfile, old": lambda n, v: f"FROM x\nENV {n} {v}\nRUN y",
    "docker run": lambda n, v: f"docker run -d -e {n}={v} -p 80:80 image:latest",
    "docker compose": lambda n, v: f"    environment:\n      - {n}={v}\n      - A=b",
    "kubernetes": lambda n, v: f"        - name: {n}\n          value: {v}\n        - name: A",
    "task definition": lambda n, v: json.dumps({"environment": [{"name": n, "value": v}]}),
    "kubernetes secret": lambda n, v: f"kind: Secret\ndata:\n  {n}: {base64.b64encode(v.encode()).decode()}",
    "python": lambda n, v: f'import os\n{n} = "{v}"\nx = 1',
    "python, annotated": lambda n, v: f'{n}: str = "{v}"',
    "python, argument": lambda n, v: f'client = connect(host="x", {n}="{v}", port=1)',
    "python, single quotes": lambda n, v: f"settings = {{'{n}': '{v}', 'port': 1}}",
    "python, environment": lambda n, v: f'os.environ["{n}"] = "{v}"',
    "python, fallback": lambda n, v: f'x = os.environ.get("{n}", "{v}")',
    "javascript": lambda n, v: f"const {n} = '{v}';",
    "javascript, object": lambda n, v: f"  {n}: '{v}',\n  port: 1,",
    "javascript, fallback": lambda n, v: f"const x = process.env.{n} || '{v}';",
    "typescript": lambda n, v: f'private readonly {n}: string = "{v}";',
    "java": lambda n, v: f'private static final String {n} = "{v}";',
    "go": lambda n, v: f'{n} := "{v}"',
    "go, environment": lambda n, v: f'os.Setenv("{n}", "{v}")',
    "rust": lambda n, v: f'let {n} = String::from("{v}");',
    "ruby": lambda n, v: f'"{n}" => "{v}",',
    "php": lambda n, v: f"define('{n}', '{v}');",
    "c sharp": lambda n, v: f'public const string {n} = @"{v}";',
    "makefile": lambda n, v: f"{n} := {v}\nall: x",
    "xml": lambda n, v: f"<config><{n}>{v}</{n}><port>1</port></config>",
    "app settings": lambda n, v: f'<add key="{n}" value="{v}" />',
    "flag": lambda n, v: f"deploy --{n.lower().replace('_', '-')} {v} --verbose",
    "flag with equals sign": lambda n, v: f"deploy --{n.lower().replace('_', '-')}={v} --verbose",
    "arguments as json": lambda n, v: json.dumps(["deploy", f"--{n.lower().replace('_', '-')}", v, "--verbose"]),
    "helm": lambda n, v: f"helm upgrade app . --set auth.{n}={v}",
    "printed environment": lambda n, v: f"HOME=/root\n{n}={v}\nPATH=/bin",
    "said": lambda n, v: f"the {n} is {v}, please use it",
    "python, triple quotes": lambda n, v: f'{n} = """{v}"""\nx = 1',
    "python, below triple quotes": lambda n, v: f'{n} = """\n{v}\n"""',
    "toml, triple quotes": lambda n, v: f"[service]\n{n} = '''{v}'''",
    "continued": lambda n, v: f"export {n}=\\\n{v}",
    "continued, indented": lambda n, v: f'{n} = \\\n    "{v}"',
    "terraform, variable": lambda n, v: f'variable "{n}" {{\n  type    = string\n  default = "{v}"\n}}',
    "terraform, variable on one line": lambda n, v: f'variable "{n}" {{ default = "{v}" }}',
    "r": lambda n, v: f'{n} <- "{v}"',
    "clojure": lambda n, v: f'{{:{n} "{v}"}}',
    "cmake": lambda n, v: f'set({n} "{v}")',
    "gradle": lambda n, v: f"    {n} '{v}'",
    "lua": lambda n, v: f'local {n} = "{v}"',
    "systemd": lambda n, v: f'[Service]\nEnvironment="{n}={v}"',
    "pytest": lambda n, v: f'monkeypatch.setenv("{n}", "{v}")',
    "sql update": lambda n, v: f"UPDATE settings SET {n} = '{v}' WHERE id = 1;",
    "a named cell of a table": lambda n, v: f"| {n} | `{v}` |",
    "below its name in a table": lambda n, v: f"user,{n}\nme,{v}",
    "a query of a url": lambda n, v: f"https://api.example.com/x?a=1&{n}={quote(v, safe='')}&b=2",
}


def _jdbc(r: Random) -> tuple[str, tuple[str, ...]]:
    p = password(r)
    return f"jdbc:postgresql://db:5432/app?user=app&password={p}&ssl=true", (p,)


def _of(form: str, make: Callable[[Random], str] = password) -> Shape:
    """Return a shape that holds one secret, at the braces."""

    def shape(random: Random) -> tuple[str, tuple[str, ...]]:
        value = make(random)
        return form.replace("{}", value), (value,)

    return shape


def _basic(random: Random) -> str:
    return base64.b64encode(f"deploy:{password(random)}".encode()).decode()


def _hex(length: int) -> Callable[[Random], str]:
    return lambda random: some(random, HEX, length)


def _letters(letters: str, length: int) -> Callable[[Random], str]:
    return lambda random: some(random, letters, length)


# What is a secret by where it stands.
SHAPES: dict[str, dict[str, Shape]] = {
    "connection string": {
        "postgres": _of("postgresql://app:{}@db.internal:5432/app"),
        "postgres in .env": _of("DATABASE_URL=postgres://app:{}@db:5432/app?sslmode=require"),
        "mysql": _of("engine = create_engine('mysql+pymysql://root:{}@127.0.0.1/app')"),
        "mongodb": _of('mongoose.connect("mongodb+srv://app:{}@c0.ab1cd.mongodb.net/app?retryWrites=true")'),
        "redis": _of("REDIS_URL=redis://:{}@cache:6379/0"),
        "rediss with a user": _of("rediss://default:{}@cache.example.com:6380"),
        "amqp": _of("broker_url = amqp://guest:{}@mq:5672//"),
        "sqlserver": _of("Server=tcp:db,1433;Initial Catalog=app;User ID=sa;Password={};Encrypt=True;"),
        "odbc": _of("Driver={ODBC};Server=db;Uid=sa;Pwd={};Encrypt=yes"),
        "jdbc": _jdbc,
        "libpq": _of("host=db user=app password={} dbname=app"),
        "url-encoded": _of("url=postgres%3A%2F%2Fapp%3A{}%40db%3A5432%2Fapp"),
        "a password with signs": _of("postgres://app:p%40ss{}%21@db/app", _letters(ALNUM, 8)),
    },
    "url with a password": {
        "git over https": _of("git clone https://deploy:{}@git.example.com/team/app.git"),
        "ftp": _of("wget ftp://user:{}@files.example.com/x.zip"),
        "proxy": _of("export https_proxy=http://user:{}@proxy.corp:3128"),
        "git credentials": _of("https://me:{}@example.org"),
        "pip index": _of("pip install --extra-index-url https://ci:{}@pypi.corp/simple/ thing"),
        "pip.conf": _of("[global]\nindex-url = https://__token__:{}@pkgs.corp/simple"),
        "smtp": _of("smtp://mailer:{}@mail.example.com:587"),
    },
    "azure connection string": {
        "storage": _of(
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={};EndpointSuffix=core.windows.net",
            lambda r: some(r, BASE64, 86) + "==",
        ),
        "service bus": _of(
            "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}",
            lambda r: some(r, BASE64, 43) + "=",
        ),
        "cosmos": _of(
            "AccountEndpoint=https://acme.documents.azure.com:443/;AccountKey={};", lambda r: some(r, BASE64, 86) + "=="
        ),
    },
    "signed url": {
        "azure sas": _of(
            "https://acme.blob.core.windows.net/c/f?sv=2022-11-02&se=2026-01-01T00%3A00%3A00Z&sr=b&sp=r&sig={}%3D",
            _letters(ALNUM, 43),
        ),
        "s3": _of(
            "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&X-Amz-Signature={}",
            _hex(64),
        ),
        "gcs": _of("https://storage.googleapis.com/b/o?X-Goog-Expires=900&X-Goog-Signature={}", _hex(512)),
    },
    "authorization header": {
        "basic": _of("Authorization: Basic {}", _basic),
        "basic in curl": _of("curl -s -H 'Authorization: Basic {}' https://x", _basic),
        "basic in json": _of('{"headers": {"Authorization": "Basic {}"}}', _basic),
        "bearer": _of("authorization: bearer {}", _letters(URL, 40)),
        "bearer in curl": _of('curl -H "Authorization: Bearer {}" https://x', _letters(HEX, 40)),
        "bearer continued": _of('curl -H "Authorization: \\\n  Bearer {}" https://x', _letters(ALNUM, 32)),
        "bearer in python": _of("headers = {'Authorization': 'Bearer {}'}", _letters(ALNUM, 32)),
        "bearer in javascript": _of("headers: { Authorization: `Bearer {}` }", _letters(ALNUM, 32)),
        "token": _of("Authorization: token {}", _letters(HEX, 40)),
        "raw": _of("Authorization: {}", _letters(ALNUM, 36)),
        "proxy": _of("Proxy-Authorization: Basic {}", _basic),
        "apikey": _of("Authorization: ApiKey {}", lambda r: base64.b64encode(r.randbytes(33)).decode()),
        "verbose curl": _of("> GET / HTTP/2\n> authorization: Bearer {}\n> accept: */*", _letters(URL, 40)),
        "git": _of('git -c http.extraheader="AUTHORIZATION: basic {}" fetch', _basic),
    },
    "key header": {
        "x-api-key": _of("X-Api-Key: {}", _letters(ALNUM, 32)),
        "x-api-key in curl": _of("curl -H 'x-api-key: {}' https://x", _hex(32)),
        "x-auth-token": _of('-H "X-Auth-Token: {}"', _hex(40)),
        "private-token": _of("PRIVATE-TOKEN: {}", _letters(URL, 20)),
        "datadog": _of("curl -H 'DD-API-KEY: {}' https://x", _hex(32)),
        "in javascript": _of("headers: {'X-API-Key': '{}'}", _letters(ALNUM, 32)),
        "in java": _of('.header("X-Api-Key", "{}")', _letters(ALNUM, 32)),
    },
    "cookie": {
        "cookie": _of("Cookie: sessionid={}", _letters(LOWER, 32)),
        "several": _of("Cookie: theme=dark; session={}; lang=de", _letters(URL, 48)),
        "set-cookie": _of("Set-Cookie: connect.sid=s%3A{}; Path=/; HttpOnly", _letters(URL, 60)),
        "set-cookie, lower": _of("< set-cookie: JSESSIONID={}; Path=/", _letters(HEX.upper(), 32)),
        "curl": _of("curl -b 'session={}' https://x", _letters(ALNUM, 40)),
        "behind a short one": _of('Cookie: a=b; x="{}"', _letters(ALNUM, 24)),
        "in quotes": _of('Cookie: lang="de"; x="{}"; y=2', _letters(ALNUM, 24)),
        "in quotes, in curl": _of("curl -H 'Cookie: a=b1; x=\"{}\"' https://x", _letters(ALNUM, 24)),
        "curl, long": _of('curl --cookie "auth_session={}" https://x', _letters(ALNUM, 40)),
    },
    "command line": {
        "mysql": _of("mysql -h db -u root -p{} app"),
        "mysql, joined user": _of("mysqldump -uroot -p'{}' app > x.sql"),
        "--password": _of("mongosh --username a --password {} --host x"),
        "--password=": _of("mariadb --user=a --password={} app"),
        "curl -u": _of("curl -u admin:{} https://x/api"),
        "curl --user": _of("curl -sS --user 'admin:{}' https://x/api"),
        "wget": _of("wget --user=a --http-password={} https://x"),
        "sshpass": _of("sshpass -p {} ssh root@host"),
        "sshpass, quoted": _of("sshpass -p '{}' scp a root@host:"),
        "PGPASSWORD": _of("PGPASSWORD={} psql -h db -U app -c 'select 1'"),
        "docker login": _of("docker login -u me -p {} registry.example.com"),
        "docker login, long": _of("docker login --username me --password {} registry.example.com"),
        "redis-cli": _of("redis-cli -h cache -a {} ping"),
        "az login": _of("az login --service-principal -u x -p {} --tenant y"),
        "sqlcmd": _of("sqlcmd -S db -U sa -P {} -Q 'select 1'"),
        "ldapsearch": _of("ldapsearch -x -D cn=admin -w {} -b dc=x"),
        "openssl": _of("openssl rsa -in k.pem -passin pass:{} -out o.pem"),
        "htpasswd": _of("htpasswd -bc .htpasswd admin {}"),
        "chpasswd": _of("echo 'root:{}' | chpasswd"),
        "password on stdin": _of("echo {} | docker login --username me --password-stdin"),
        "sudo": _of("echo '{}' | sudo -S apt update"),
        "httpie": _of("http -a admin:{} GET https://x"),
        "aws configure": _of("aws configure set aws_secret_access_key {}", lambda r: some(r, BASE64, 40)),
        "kubectl": _of("kubectl create secret generic db --from-literal=password={}"),
        "gh secret": _of("gh secret set DEPLOY_TOKEN --body {}", _letters(ALNUM, 30)),
        "smbclient": _of("smbclient //h/s -U user%{}"),
        "powershell": _of('$p = ConvertTo-SecureString "{}" -AsPlainText -Force'),
    },
    "sql": {
        "create user": _of("CREATE USER 'app'@'%' IDENTIFIED BY '{}';"),
        "alter role": _of("ALTER ROLE app WITH LOGIN PASSWORD '{}';"),
    },
    "sentence": {
        "for": _of("The password for staging is {}"),
        "for a few words": _of("the password for the staging database is {}, I think"),
        "for somebody": _of("Password for bob: {}"),
        "of": _of("the password of root is now {}."),
        "with quotes": _of("the password for user 'bob' should be \"{}\""),
        "as the password": _of("use {} as the password"),
        "as the password, code": _of("Use `{}` as your password for now."),
        "is the password": _of("{} is the root password"),
        "set to": _of("I changed the password to {} today"),
        "with": _of("log in as admin with the password {}"),
        "short": _of("the pw for the wifi is {}"),
        "german": _of("Das Passwort ist {}"),
        "german, for": _of("das Passwort für staging lautet {}"),
        "french": _of("mot de passe : {}"),
        "token": _of("the token for staging is {}", _letters(ALNUM, 32)),
    },
    "pgpass": {
        "a line": _of("db.internal:5432:app:deploy:{}"),
        "all hosts": _of("*:*:*:postgres:{}"),
        "another port": _of("$ cat ~/.pgpass\nlocalhost:7777:app:bob:{}"),
        "echo": _of("echo 'db:5432:app:bob:{}' >> ~/.pgpass"),
    },
    "netrc": {
        "lines": _of("machine api.example.com\n  login me\n  password {}\n"),
        "one line": _of("machine api.example.com login me password {}"),
    },
    "npmrc": {
        "_authToken": _of("//registry.npmjs.org/:_authToken={}", vendor_keys.uuid),
        "_auth": _of("//registry.corp/:_auth={}", _basic),
        "_password": _of("//registry.corp/:_password={}", lambda r: base64.b64encode(password(r).encode()).decode()),
    },
    "pypirc": {"password": _of("[pypi]\nusername = me\npassword = {}\n")},
    "docker config": {"auth": _of('{"auths": {"https://index.docker.io/v1/": {"auth": "{}"}}}', _basic)},
    "kubeconfig": {
        "token": _of("users:\n- name: me\n  user:\n    token: {}", _letters(ALNUM, 64)),
        "client-key-data": _of(
            "    client-key-data: {}",
            lambda r: base64.b64encode(vendor_keys.BLOCKS["rsa private key"](r).encode()).decode(),
        ),
    },
    "sentry dsn": {
        "with a secret": _of(
            "SENTRY_DSN=https://" + "0" * 8 + "ab12cd34ef56ab12cd34ef56:{}@sentry.example.com/2", _hex(32)
        ),
        "public": _of("Sentry.init({dsn: 'https://{}@o447951.ingest.sentry.io/5429213'})", _hex(32)),
    },
    "cloudflare origin key": {"bare": _of("v1.0-{}", lambda r: some(r, HEX, 24) + "-" + some(r, HEX, 146))},
    "putty key": {
        "ppk": _of(
            "PuTTY-User-Key-File-3: ssh-rsa\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 2\n{}\nPrivate-MAC: 00",
            lambda r: some(r, BASE64, 64) + "\n" + some(r, BASE64, 44),
        )
    },
}


def _service_account(random: Random) -> tuple[str, tuple[str, ...]]:
    key = vendor_keys.BLOCKS["pkcs8 private key"](random)
    key_id = some(random, HEX, 40)
    account = {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": key_id,
        "private_key": key + "\n",
        "client_email": "x@acme.iam.gserviceaccount.com",
    }
    return json.dumps(account, indent=2), tuple(key.split("\n")[1:-1])


SHAPES["google service account"] = {"json": _service_account}


def _prefixed(prefix: Callable[[int], str]) -> Wrapper:
    return lambda text: "\n".join(prefix(number) + line for number, line in enumerate(text.split("\n"), 9))


# Several texts as one.
BETWEEN: dict[str, Callable[[list[str]], str]] = {
    "by a gap": " ".join,
    "by a semicolon": "; ".join,
    "by a comma": ", ".join,
    "by and": " && ".join,
    "by a pipe": " | ".join,
    "in sentences": ". Then ".join,
    "on lines": "\n".join,
    "on lines apart": "\n\n".join,
    "on lines of others": "\n# nothing here\n".join,
    "in a list of json": json.dumps,
    "in an object of json": lambda texts: json.dumps({f"line{at}": text for at, text in enumerate(texts)}, indent=1),
    "in a table": lambda texts: "| " + " | ".join(texts) + " |",
}

WRAPPERS: dict[str, Wrapper] = {
    "plain": lambda t: t,
    "among other lines": lambda t: f"total 12\ndrwxr-xr-x 2 root root\n\n{t}\n\nexit code 0",
    "in json": lambda t: json.dumps({"type": "text", "content": t}),
    "in json in json": lambda t: json.dumps({"result": json.dumps({"content": t})}),
    "added in a diff": lambda t: "@@ -1,3 +1,4 @@\n context\n" + _prefixed(lambda _: "+")(t) + "\n context",
    "removed in a diff": lambda t: "@@ -1,3 +1,4 @@\n context\n" + _prefixed(lambda _: "-")(t) + "\n context",
    "as Read shows it": _prefixed(lambda n: f"{n:>6}→"),
    "as cat -n shows it": _prefixed(lambda n: f"{n:>6}\t"),
    "as grep shows it": _prefixed(lambda n: f"config/settings.txt:{n}:"),
    "in colours": _prefixed(lambda _: "\x1b[32m"),
    "colours in json": lambda t: json.dumps(_prefixed(lambda _: "\x1b[1;33m")(t) + "\x1b[0m"),
    "with CRLF": lambda t: t.replace("\n", "\r\n") + "\r\n",
    "indented by tabs": _prefixed(lambda _: "\t\t"),
    "escaped in HTML": lambda t: f"<pre>{html.escape(t)}</pre>",
    "url-encoded": lambda t: "body=" + quote(t, safe="") + "&x=1",
    "base64": lambda t: "payload: " + base64.b64encode(f"# settings\n{t}\n".encode()).decode(),
    "base64 over lines": lambda t: base64.encodebytes(f"# settings\n{t}\nEND=1\n".encode()).decode(),
    "fenced in markdown": lambda t: f"Then put this in:\n\n```sh\n{t}\n```\n\nand start it.",
    "quoted in markdown": _prefixed(lambda _: "> "),
    "in a log": _prefixed(lambda n: f"2026-02-03 10:00:{n % 60:02} INFO [main] c.e.App - "),
    "in a docker log": _prefixed(lambda _: "web-1  | "),
    "a python string": lambda t: f"text = {t!r}",
    "a heredoc": lambda t: f"cat > .env <<'EOF'\n{t}\nEOF",
    "in xml": lambda t: f"<file><contents>{t}</contents></file>",
}
