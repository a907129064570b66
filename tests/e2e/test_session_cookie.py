"""The cookie and the identifier: forged, fixed, tossed, replayed, leaked."""

from __future__ import annotations

import base64
import re
import sqlite3
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.support import (
    CONSOLE,
    COOKIE,
    SECRET,
    Hybridsite,
    MakeSite,
    Serve,
    Server,
    ask,
    bytes_below,
    session_cookie,
)

SITE = {
    "site.toml": '[session]\nttl = "1h"',
    "pages/console.py": CONSOLE,
    "pages/look.html": "---\nprerender: false\n---\n[<< session.get('a', 'none') >><< session.get('b', '') >>]",
}


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client()


def sign_in(client: httpx.Client, code: str = "session['a'] = 'mine'") -> str:
    """Starts a session and gives the cookie's value."""
    ask(client, code)
    return client.cookies[COOKIE]


def look(server: Server, *cookies: str | bytes) -> str:
    values = [value.encode() if isinstance(value, str) else value for value in cookies]
    header = b"; ".join(COOKIE.encode() + b"=" + value for value in values)
    answer = server.raw("/look/", b"Cookie: " + header)
    assert answer.status == 200
    assert answer.headers["set-cookie"] is None
    return answer.body.decode().strip()


def test_the_flags_of_the_cookie(client: httpx.Client) -> None:
    cookie = session_cookie(client.post("/console", content=b"session['a'] = 1"))
    assert cookie is not None
    del cookie["value"]
    cookie.pop("expires", None)
    assert {name: value.lower() for name, value in cookie.items()} == {
        "httponly": "",
        "samesite": "lax",
        "path": "/",
        "max-age": "3600",
    }


def test_a_forged_cookie_is_an_empty_session(server: Server, client: httpx.Client) -> None:
    # case S2
    valid = sign_in(client)
    assert look(server, valid) == "[mine]"
    other = sign_in(server.client(), "session['a'] = 'other'")
    head, _, signature = other.rpartition(".")
    flipped = ("A" if valid[0] != "A" else "B") + valid[1:]
    forged: list[str | bytes] = [
        flipped,
        valid[:-5],
        valid[: len(valid) // 2],
        valid + valid,
        valid + "x",
        "",
        '""',
        "a" * 5000,
        "ä-forged-ö",
        b"\xff\xfe-forged-\x80",
        "%00-forged",
        "forged.with.dots",
        valid.rpartition(".")[0] + "." + signature,
        head + ".",
        "." + signature,
    ]
    for value in forged:
        assert look(server, value) == "[none]", value
    stored, log = bytes_below(server.cwd / "site" / ".hybridsite"), server.log()
    for text in ("forged", "a" * 100, flipped, valid + valid):
        assert text.encode() not in stored
        assert text not in log


def test_a_nul_in_the_cookie_opens_nothing(server: Server, client: httpx.Client) -> None:
    # case S2: a server may refuse such a header as a whole
    valid = sign_in(client)
    answer = server.raw("/look/", f"Cookie: {COOKIE}={valid}\0".encode())
    assert answer.status == 400 or (answer.status == 200 and answer.body.strip() == b"[none]")


def test_an_identifier_that_is_not_known_is_never_adopted(make_site: MakeSite, serve: Serve) -> None:
    # case S3
    env = {"HYBRIDSITE_SECRET": SECRET}
    here, there = serve(make_site(SITE), env=env), serve(make_site(SITE), env=env)
    presented = sign_in(there.client())
    assert look(here, presented) == "[none]"
    victim = here.client(presented)
    ask(victim, "session['a'] = 'after sign-in'")
    assert victim.cookies[COOKIE] != presented
    assert identifier(victim.cookies[COOKIE]) != identifier(presented)
    assert look(here, presented) == "[none]"
    assert look(here, victim.cookies[COOKIE]) == "[after sign-in]"


def test_two_cookies_are_never_mixed(server: Server) -> None:
    # case S4
    one = sign_in(server.client(), "session['a'] = 'one'")
    two = sign_in(server.client(), "session['b'] = 'two'")
    assert look(server, one, two) in ("[one]", "[none]")
    assert look(server, two, one) in ("[nonetwo]", "[none]")
    assert look(server, "forged", one) in ("[one]", "[none]")
    assert look(server, one, "forged") in ("[one]", "[none]")


def test_regenerate_keeps_the_data_and_kills_the_old_identifier(server: Server, client: httpx.Client) -> None:
    # case S5
    old = sign_in(client, "session['a'] = 'cart'")
    ask(client, "session.regenerate(); session['b'] = '+user'")
    new = client.cookies[COOKIE]
    assert identifier(new) != identifier(old)
    assert look(server, new) == "[cart+user]"
    assert look(server, old) == "[none]"


@pytest.mark.parametrize("act", ["regenerate", "destroy"])
def test_a_slow_request_does_not_bring_the_old_session_back(server: Server, client: httpx.Client, act: str) -> None:
    # case S5, case S7
    old = sign_in(client)
    slow, answers = server.client(old), list[httpx.Response]()
    code = f"session.get('a'); events['{act} read'].set(); await events['{act} done'].wait(); session['b'] = 'late'"
    thread = threading.Thread(target=lambda: answers.append(slow.post("/console", content=code.encode())))
    thread.start()
    ask(server.client(), f"await events['{act} read'].wait()")
    ask(client, f"session.{act}()")
    new = client.cookies.get(COOKIE)
    ask(server.client(), f"events['{act} done'].set()")
    thread.join(30)
    assert answers[0].status_code == 200
    assert session_cookie(answers[0]) is None  # it would undo the sign-in of the request beside it
    assert look(server, old) == "[none]"
    if new is not None:
        assert look(server, new) == "[mine]"


def test_destroy_ends_cookie_and_session(server: Server, client: httpx.Client) -> None:
    # case S6
    old = sign_in(client)
    gone = session_cookie(client.post("/console", content=b"session.destroy()"))
    assert gone is not None
    assert gone["path"] == "/"
    assert "domain" not in gone
    assert gone.get("max-age") == "0" or "1970" in gone["expires"]
    assert COOKIE not in client.cookies
    assert look(server, old) == "[none]"
    again = server.client(old)
    ask(again, "session['b'] = 'new'")
    assert identifier(again.cookies[COOKIE]) != identifier(old)


def test_the_settings_of_the_cookie_hold_for_its_end_too(make_site: MakeSite, serve: Serve) -> None:
    # case S6
    settings = """
        [site]
        base = "/app"

        [session.cookie]
        name = "sid"
        domain = "shop.example"
        same_site = "strict"
        secure = true
        """
    server = serve(make_site({**SITE, "site.toml": settings}))
    client = server.client()
    headers = {"Host": "shop.example", "Origin": "http://shop.example"}
    start = client.post("/app/console", content=b"session['a'] = 1", headers=headers).headers["set-cookie"]
    value = start.split(";")[0]
    end = client.post("/app/console", content=b"session.destroy()", headers={**headers, "Cookie": value})
    for header in (start, end.headers["set-cookie"]):
        assert header.startswith("sid=")
        parts = {part.strip().lower() for part in header.split(";")[1:]}
        assert parts & {"path=/app", "path=/app/"}
        assert {"domain=shop.example", "samesite=strict", "secure", "httponly"} <= parts
    assert end.headers["set-cookie"].split(";")[0] in ("sid=", 'sid=""')


def test_a_cookie_is_secure_when_the_site_is(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site({**SITE, "site.toml": '[site]\nurl = "https://shop.example"'}))
    client = server.client()
    shop = {"Host": "shop.example", "Origin": "https://shop.example"}
    answer = client.post("/console", content=b"session['a'] = 1", headers=shop)
    assert "secure" in (session_cookie(answer) or {})
    here = session_cookie(client.post("/console", content=b"session['a'] = 1", headers={"Content-Type": "text/x-code"}))
    assert here is not None
    assert "secure" not in here  # a loopback host is tried without https


def identifier(cookie: str) -> str:
    """Gives the part of the cookie that is no signature and no time."""
    return max(cookie.split(".")[:-1], key=len)


def test_identifiers_have_256_bits(server: Server) -> None:
    # case S9
    identifiers = [identifier(sign_in(server.client())) for _ in range(8)]
    assert len(set(identifiers)) == 8
    for text in identifiers:
        bits = len(text) * 4 if re.fullmatch("[0-9a-f]+", text) else len(text) * 6
        assert bits >= 256
    prefixes = {text[:6] for text in identifiers}
    assert len(prefixes) == 8  # no counter, no clock


def test_the_store_and_the_log_hold_no_usable_identifier(server: Server, client: httpx.Client) -> None:
    # case S8, case S17
    cookie = sign_in(client, "session['a'] = 'a value to be found'")
    stored = bytes_below(server.cwd / "site" / ".hybridsite")
    assert b"a value to be found" in stored  # so this is the place to look at
    for part in (part for part in cookie.split(".") if len(part) >= 16):
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        for secret in (part.encode(), raw, raw.hex().encode(), base64.b64encode(raw)):
            assert secret not in stored
        assert part not in server.log()


def test_an_error_names_no_identifier(server: Server, client: httpx.Client) -> None:
    # case S17
    cookie = sign_in(client)
    answer = client.post("/console", content=b"session['a'] = 'x' * 2_000_000")
    assert answer.status_code == 500
    assert client.post("/console", content=b"raise RuntimeError(repr(session))").status_code == 500
    for part in cookie.split("."):
        if len(part) >= 16:
            assert part not in answer.text
            assert part not in server.log()


@pytest.mark.parametrize("secret", ["short", "x" * 31, f"{SECRET},short"])
def test_a_short_secret_is_refused_at_start(make_site: MakeSite, hybridsite: Hybridsite, secret: str) -> None:
    # case S12
    site = make_site(SITE)
    done = hybridsite("serve", site, "--port", "0", env={"HYBRIDSITE_SECRET": secret}, timeout=30)
    assert done.returncode == 1
    assert "HYBRIDSITE_SECRET" in done.stderr
    assert "32" in done.stderr
    assert "Traceback" not in done.stderr
    assert "x" * 31 not in done.stderr


def test_secrets_rotate(make_site: MakeSite, serve: Serve) -> None:
    # case S11
    newer = SECRET[::-1]
    server = serve(make_site(SITE), env={"HYBRIDSITE_SECRET": SECRET})
    old = sign_in(server.client())
    server.env["HYBRIDSITE_SECRET"] = f"{newer},{SECRET}"
    server.restart()
    assert look(server, old) == "[mine]"
    new = sign_in(server.client())
    server.env["HYBRIDSITE_SECRET"] = newer
    server.restart()
    assert look(server, old) == "[none]"
    assert look(server, new) == "[mine]"


def test_a_session_ends_at_its_greatest_age_however_much_it_is_used(make_site: MakeSite, serve: Serve) -> None:
    site = make_site({**SITE, "site.toml": '[session]\nttl = "1h"\nmax_age = "2s"'})
    server = serve(site)
    client = server.client()
    begun = time.monotonic()
    cookie = session_cookie(client.post("/console", content=b"session['a'] = 'mine'"))
    assert cookie is not None
    assert int(cookie["max-age"]) <= 2
    uses = 0
    while look(server, cookie["value"]) == "[mine]":
        uses += 1
        assert time.monotonic() - begun < 10
    assert time.monotonic() - begun >= 2
    assert uses > 1
    with sqlite3.connect(site / ".hybridsite/sessions.db") as database:
        assert database.execute("SELECT max(expires) FROM sessions").fetchone()[0] <= time.time()
