"""site.toml: every fault at its place, the environment's values in theirs, secrets nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hybridsite.config import MAX_SIZE, json_schema, load_settings, setting_locations
from hybridsite.errors import ConfigError, Location, SiteErrors
from hybridsite.settings import Settings

SECRET = "hunter2"


def load(root: Path, text: str | bytes, environ: Mapping[str, str] | None = None, *, serving: bool = False) -> Settings:
    (root / "site.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(root, environ or {}, serving=serving)


def faults(
    root: Path, text: str | bytes, environ: Mapping[str, str] | None = None, *, serving: bool = False
) -> list[str]:
    with pytest.raises((ConfigError, SiteErrors)) as caught:
        load(root, text, environ, serving=serving)
    found = caught.value.faults if isinstance(caught.value, SiteErrors) else (caught.value,)
    return [str(fault) for fault in found]


def test_an_empty_file_has_all_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Settings()
    assert load(tmp_path, "").warnings == ()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_values(tmp_path: Path, newline: str, mark: str) -> None:
    text = """[site]
url = "HTTPS://Example.com/"
base = "docs/"
[server]
port = 0
workers = 2
proxies = ["::1"]
grace = "1m"
[session]
driver = false
ttl = "12h"
max_size = "1KiB"
options = { path = "x", n = 1, f = 1.5, b = true }
cookie = { name = "__Host-a", secure = true, max_age = 60 }
"""
    settings = load(tmp_path, mark + text.replace("\n", newline))
    assert (settings.site.url, settings.site.base) == ("https://example.com", "/docs")
    assert (settings.server.port, settings.server.proxies, settings.server.grace) == (0, ("::1",), 60.0)
    session = settings.session
    assert (session.driver, session.ttl, session.max_size) == (False, 43200.0, 1024)
    assert session.options == {"path": "x", "n": 1, "f": 1.5, "b": True}
    assert (session.cookie.name, session.cookie.secure, session.cookie.max_age) == ("__Host-a", True, 60.0)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        # unknown tables and keys
        ('\n[sesion]\ndriver = "x"', "2:2", ('there is no table "sesion"', 'did you mean "session"?')),
        ("[zzz]", "1:2", ('there is no table "zzz"', "the tables are site, build, ")),
        ("[site]\n  bsae = 1", "2:3", ('there is no key "bsae" in [site]', 'did you mean "base"?')),
        ("site.titel = 1", "1:6", ('"titel" in [site]', 'did you mean "title"?')),
        ("[site]\nqqq = 1", "2:1", ("the keys are url, base, title",)),
        ("[session.cookie]\nsamesite = 'lax'", "2:1", ("in [session.cookie]", '"same_site"')),
        ("[site]\ntrailing_slash = 'never'", "2:1", ("it belongs to [routing]",)),
        ("port = 1", "1:1", ('there is no table "port"', "it belongs to [server]")),
        ('"" = 1', "1:1", ('there is no table ""',)),
        ('[site]\n"a.b" = 1', "2:1", ('no key "a.b"',)),
        # wrong types
        ("site = 3", "1:1", ("site must be a table; it is a whole number",)),
        ("[[site]]", "1:3", ("site must be a table; it is a list",)),
        ("[site]\ntitle = 3", "2:1", ("site.title must be text in quotes; it is a whole number",)),
        ("[site]\ntitle = 2026-01-01", "2:1", ("it is a date or a time",)),
        ("[server]\nport = 'high'", "2:1", ("server.port must be a whole number; it is text",)),
        ("[server]\nport = 80.0", "2:1", ("must be a whole number; it is a number",)),
        ("[server]\nworkers = true", "2:1", ("must be a whole number; it is true or false",)),
        ("[server]\nproxies = 'x'", "2:1", ("server.proxies must be a list; it is text",)),
        ("[server]\nproxies = ['10.0.0.0/33']", "2:12", ("must be an address, or a network such as",)),
        ("[server]\nproxies = ['a',\n 1]", "3:2", ("server.proxies[1] must be text",)),
        ("[front_matter]\nkeys = ['a', '']", "2:14", ("front_matter.keys[1] must not be empty",)),
        ("[session]\nttl = true", "2:1", ("session.ttl must be a number",)),
        ("[session]\ndriver = true", "2:1", ("session.driver must be the name of a driver",)),
        ("[session.options]\na = [1]", "2:1", ("session.options.a must be text, a number",)),
        ("[security]\ncheck_origin = 'yes'", "2:1", ("must be true or false; it is text",)),
        # ranges and words
        ("[server]\nport = 99999", "2:1", ("must be at most 65535; it is 99999",)),
        ("[server]\nport = -1", "2:1", ("must be at least 0; it is -1",)),
        ("[server]\nworkers = 0", "2:1", ("must be at least 1",)),
        ("[server]\ngrace = nan", "2:1", ("must be over 0 seconds",)),
        ("[session]\nttl = '0s'", "2:1", ("must be over 0 seconds",)),
        ("[session]\nttl = 'soon'", "2:1", ('such as "30s"',)),
        ("[session]\nmax_size = 0", "2:1", ("must be at least 1",)),
        ("[security]\nmax_body = '1 apple'", "2:1", ("or a size such as",)),
        ("[build]\noutput = 'sttic'", "2:1", ('must be "static" or "server"', 'did you mean "static"?')),
        ("[build]\nadapter = 'a b'", "2:1", ("build.adapter must be the name of an adapter",)),
        ("[build]\norigin = 'app.example.com'", "2:1", ("build.origin must begin with https://",)),
        ("[site]\nurl = 'example.com'", "2:1", ("must begin with https://",)),
        ("[security]\norigins = ['https://a.example', 'x']", "2:33", ("security.origins[1] must begin with",)),
        ("[templates]\nvariable = ['<<']", "2:1", ("must be two pieces of text",)),
        ("[session.cookie]\nsame_site = 'none'\nsecure = false", "1:10", ("session.cookie needs secure = true",)),
        ("[session.cookie]\nname = '__Host-a'\npath = '/a'", "1:10", ('no path but "/"',)),
        ("[redirects]\n'/a' = '//b'", "2:1", ("redirects.'/a'.to must be a path that begins with one",)),
        ("[redirects]\n'/a' = '/\\b'", "2:1", ("redirects.'/a'.to must be a path that begins with one",)),
        ("[redirects]\n'/a' = 'javascript:alert(1)'", "2:1", ("or an address with http",)),
        ("[redirects]\n'/a' = 'https://user@b.example/'", "2:1", ("or an address with http",)),
        ("[redirects]\n'/a' = \"/b\\r\\nSet-Cookie: c\"", "2:1", ("must be a path that begins",)),
        ("[redirects]\na = '/b'", "2:1", ('redirects.a must be a path that begins with one "/"',)),
        ("[redirects]\n'/a?b' = '/b'", "2:1", ("redirects.'/a?b' must be a path",)),
        ("[redirects]\n'/a' = 5", "2:1", ("redirects.'/a' must be a table", "it is a whole number")),
        ("[redirects]\n'/a' = {status = 302}", "2:1", ("redirects.'/a'.to has to be there",)),
        ("[redirects]\n'/a' = {to = '/b', staus = 302}", "2:20", ('did you mean "status"?',)),
        (
            "[redirects]\n'/a' = {to = '/b', status = 200}",
            "2:20",
            ("must be 301 or", "it is 200"),
        ),
        (
            "[prefetch]\nwhen = 'hovr'",
            "2:1",
            ('prefetch.when must be "hover" or "visible" or "never"', 'did you mean "hover"?'),
        ),
        ("[prefetch]\nwhen = true", "2:1", ('prefetch.when must be "hover" or "visible" or "never"',)),
        ("[i18n]\ndefault = 'en'", "1:2", ('names the language "en", which is not in its locales',)),
        ("[i18n]\nlocales = ['en', 'd!']", "2:18", ("i18n.locales[1] must be a language",)),
        ("[i18n]\nlocales = ['en', 'de']\nfallback = { fr = 'en' }", "1:2", ('names the language "fr"',)),
        ("[i18n]\nlocales = ['de', 'fr']\nfallback = { de = 'fr', fr = 'de' }", "1:2", ("goes in a circle",)),
        ("[i18n]\nlocales = ['en']\nfallback_type = 'rendr'", "3:1", ('did you mean "render"?',)),
        # the cache
        ("[cache]\ndriver = 'radis'", "2:1", ('cache.driver must be "memory", "redis" or false',)),
        ("[cache]\ndriver = true", "2:1", ('cache.driver must be "memory", "redis" or false',)),
        ("[cache]\nmax_size = 'much'", "2:1", ("cache.max_size must be a number of bytes",)),
        ("[cache]\nmax_entries = 5", "2:1", ('there is no key "max_entries" in [cache]', 'did you mean "max_entry"?')),
        ("[cache.options]\nurl = 'redis://:word@host'", "2:1", ("cache.options.url holds a secret", "env:NAME")),
        ("[site]\ntimezone = 1", "2:1", ("site.timezone must be text in quotes",)),
        # the file
        ("a = 1\nb = \n", "2:5", ("site.toml is no valid TOML; invalid value",)),
        ("[site]\n[site]\n", "2:6", ("no valid TOML",)),
        ("x = " + "[" * 5000, "1:105", ("nested too deep",)),
        ("a." * 100_000 + "b = 1", "1:201", ("nested too deep",)),
        (f"a = {'9' * 5000}", "1:5", ("too many digits",)),
        (b"\xef\xbb\xbfa = '\xe9'", "1:6", ("isn't text in UTF-8",)),
        (b"a = 1\nb = '\xc3\xa9\xff'", "2:7", ("isn't text in UTF-8", "save it as UTF-8")),
    ],
)
def test_a_fault_has_its_place(tmp_path: Path, text: str | bytes, place: str, words: tuple[str, ...]) -> None:
    [message] = faults(tmp_path, text)
    assert message.startswith(f"site.toml:{place}: ")
    for word in words:
        assert word in message


def test_all_faults_are_told_in_order(tmp_path: Path) -> None:
    text = """[server]
port = 99999
proxies = "x"
[site]
bsae = 1
title = "env:MISSING"
[sesion]
[session.options]
password = "x"
[prefetches]
"""
    found = faults(tmp_path, text)
    places = [re.match(r"site\.toml:(\d+:\d+): ", message) for message in found]
    assert [place[1] for place in places if place] == ["2:1", "3:1", "5:1", "6:1", "7:2", "9:1", "10:2"]


def test_a_folder_that_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is no site; it has no site\.toml; `touch .*, or is the path right\?"):
        load_settings(tmp_path, {})
    (tmp_path / "blog").mkdir()
    (tmp_path / "blog" / "site.toml").touch()
    with pytest.raises(ConfigError, match=r'did you mean ".*/blog"\?'):
        load_settings(tmp_path, {})
    (tmp_path / "blog" / "pages").mkdir()
    with pytest.raises(ConfigError, match=r'did you mean ".*/blog"\?'):
        load_settings(tmp_path / "blog" / "pages", {})
    with pytest.raises(ConfigError, match="there is no folder"):
        load_settings(tmp_path / "nothing", {})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "site.toml").mkdir()
    with pytest.raises(ConfigError, match=r"^site\.toml: site\.toml can't be read; is a directory"):
        load_settings(tmp_path, {})


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    assert faults(tmp_path, b"#" * (MAX_SIZE + 1)) == ["site.toml: site.toml is over 1 MB"]
    assert load(tmp_path, b"#" * MAX_SIZE) == Settings()


# ---- the time before sessions were stable


def test_experimental_session_is_a_warning(tmp_path: Path) -> None:
    settings = load(tmp_path, "[site]\ntitle = 'A'\n[experimental]\nsession = true\n")
    assert settings.site.title == "A"
    [warning] = map(str, settings.warnings)
    assert warning == (
        "site.toml:4:1: experimental.session; sessions are no experiment any more, so it is ignored; remove the line"
    )


@pytest.mark.parametrize(
    "text", ["experimental = 1", "[experimental]\nsession = true\nislands = true", "[experimental]"]
)
def test_no_other_experiment_is_known(tmp_path: Path, text: str) -> None:
    [message] = faults(tmp_path, text)
    assert 'there is no table "experimental"' in message


# ---- the environment


def test_values_from_the_environment(tmp_path: Path) -> None:
    text = """[site]
title = "env:TITLE"
[security]
check_origin = "env:CHECK"
origins = ["https://a.example", "env:ORIGIN"]
[session]
driver = "env:DRIVER"
ttl = "env:TTL"
options = { url = "env:URL", n = "env:N" }
cookie = { secure = "env:SECURE", max_age = "env:AGE" }
[server]
port = "env:PORT"
grace = "env:GRACE"
"""
    environ = {"TITLE": "5", "CHECK": "false", "ORIGIN": "http://b.example", "DRIVER": "redis", "TTL": "1d", "N": "1"}
    environ |= {"URL": "redis://x", "SECURE": "true", "AGE": "60", "PORT": "0080", "GRACE": "1.5"}
    settings = load(tmp_path, text, environ, serving=True)
    assert settings.site.title == "5"
    assert settings.security.check_origin is False
    assert settings.security.origins == ("https://a.example", "http://b.example")
    assert (settings.session.driver, settings.session.ttl) == ("redis", 86400.0)
    assert settings.session.options == {"url": "redis://x", "n": "1"}
    assert (settings.session.cookie.secure, settings.session.cookie.max_age) == (True, 60.0)
    assert (settings.server.port, settings.server.grace) == (80, 1.5)
    assert type(settings.site.title) is str


def test_a_flag_of_the_environment_may_turn_the_driver_off(tmp_path: Path) -> None:
    assert load(tmp_path, '[session]\ndriver = "env:D"', {"D": "false"}).session.driver is False


def test_what_a_server_needs_waits_for_it(tmp_path: Path) -> None:
    text = """[server]
port = "env:PORT"
proxies = ["10.0.0.1", "env:PROXY"]
[session]
ttl = "env:TTL"
options = { url = "env:URL", path = "x" }
[session.cookie]
domain = "env:DOMAIN"
"""
    settings = load(tmp_path, text)
    assert settings.server == Settings().server
    assert settings.session.options == {"path": "x"}
    assert (settings.session.ttl, settings.session.cookie) == (Settings().session.ttl, Settings().session.cookie)
    found = faults(tmp_path, text, serving=True)
    assert [message.split(": ")[0] for message in found] == [
        f"site.toml:{at}" for at in ("2:1", "3:24", "5:1", "6:13", "8:1")
    ]
    assert "server.port reads the variable PORT, which is not set; set it before the command" in found[0]
    assert "session.options.url reads the variable URL" in found[3]


@pytest.mark.parametrize("name", ["", "A-B", "1A", " A", "A B", "É"])
def test_what_names_no_variable(tmp_path: Path, name: str) -> None:
    [message] = faults(tmp_path, f'[site]\ntitle = "env:{name}"', {name: "x"})
    assert message == 'site.toml:2:1: site.title names no variable after env:; write "env:NAME"'


def test_a_table_is_no_variable(tmp_path: Path) -> None:
    [message] = faults(tmp_path, 'session = "env:X"', {"X": SECRET})
    assert message == "site.toml:1:1: session must be a table; it is text"


# case D5
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[server]\nport = "env:V"', SECRET),
        ('[server]\nport = "env:V"', "70000"),
        ('[server]\nproxies = "env:V"', SECRET),
        ('[server]\nproxies = ["env:V"]', ""),
        ('[site]\nurl = "env:V"', SECRET),
        ('[site]\nurl = "env:V"', f"https://me:{SECRET}@example.com"),
        ('[site]\nbase = "env:V"', f"/{SECRET}?"),
        ('[build]\noutput = "env:V"', SECRET),
        ('[build]\nadapter = "env:V"', f"redis://:{SECRET}@host"),
        ('[session]\ndriver = "env:V"', f"redis://:{SECRET}@host"),
        ('[session]\nttl = "env:V"', SECRET),
        ('[session]\nmax_size = "env:V"', SECRET),
        ('[session.cookie]\nname = "env:V"', f"{SECRET} "),
        ('[session.cookie]\nsecure = "env:V"', SECRET),
        ('[session.options]\nlist = ["env:V"]', SECRET),
        ('[security]\ncheck_origin = "env:V"', SECRET),
        ('[security]\norigins = ["env:V"]', SECRET),
        ('[templates]\nvariable = ["env:V", ">>"]', f"{SECRET} <"),
        ('[nothing]\nkey = "env:V"', SECRET),
        ('[site]\nnothing = "env:V"', SECRET),
    ],
)
def test_a_value_of_the_environment_is_never_shown(tmp_path: Path, text: str, value: str) -> None:
    [message] = faults(tmp_path, text, {"V": value}, serving=True)
    assert message.startswith("site.toml:")
    assert not value or value not in message.replace("65535", "")
    assert SECRET not in message


# case D5
@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f'[session.options]\npassword = "{SECRET}"', "session.options.password"),
        (f'[session.options]\nurl = "redis://:{SECRET}@host"', "session.options.url"),
        (f'[session]\noptions = {{ db_pass = "{SECRET}" }}', "session.options.db_pass"),
        (f'[session]\noptions.dsn = "host=x password={SECRET}"', "session.options.dsn"),
        (f'[session]\ndriver = "redis://:{SECRET}@host"', "session.driver"),
        (f'[session]\npassword = "{SECRET}"', "password"),
        (f'[session.options.tls]\npassword = "{SECRET}"', "session.options.tls"),
        (f'[site]\nurl = "https://me:{SECRET}@example.com"', "site.url"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path: Path, text: str, name: str) -> None:
    for serving in (False, True):
        [message] = faults(tmp_path, text, serving=serving)
        assert name in message
        assert SECRET not in message


def test_a_secret_from_the_environment_stays_out_of_what_is_built_and_printed(tmp_path: Path) -> None:  # case D5
    text = '[session.options]\nurl = "env:URL"'
    environ = {"URL": f"redis://:{SECRET}@host"}
    built, served = load(tmp_path, text, environ), load(tmp_path, text, environ, serving=True)
    assert SECRET not in repr(built.model_dump())
    assert served.session.options["url"] == environ["URL"]
    assert SECRET not in f"{served!r} {served} {served.session!r}"


# ---- the rest


def test_the_place_of_a_setting(tmp_path: Path) -> None:
    load(tmp_path, "[session]\n  driver = 'memory'")
    places = setting_locations(tmp_path)
    assert places["session", "driver"] == Location("site.toml", 2, 3)
    assert ("session", "ttl") not in places


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for inner in node.values() for found in references(inner)]
    return [found for inner in node for found in references(inner)] if isinstance(node, list) else []


def test_json_schema() -> None:
    schema: dict[str, Any] = json.loads(json.dumps(json_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "site.toml"
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Settings.model_fields)
    for reference in references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]
    assert schema["$defs"]["Environment"] == {"type": "string", "pattern": "^env:[A-Za-z_][A-Za-z0-9_]*$"}
    for name, section in schema["$defs"].items():
        for key, field in section.get("properties", {}).items():
            if "$ref" not in field:
                assert field["description"].endswith("."), (name, key)
                assert {"$ref": "#/$defs/Environment"} in field.get("anyOf", ()) or key == "options", (name, key)
    port = schema["$defs"]["ServerSettings"]["properties"]["port"]
    assert port["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 65535}
    assert port["default"] == 8000
