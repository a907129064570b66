"""Signing a user out everywhere, from a page of the site."""

from __future__ import annotations

import httpx

from tests.e2e.support import CONSOLE, COOKIE, SECRET, MakeSite, Serve, Server, ask, bytes_below, session_cookie

SITE = {"pages/console.py": CONSOLE, "site.toml": '[session]\nindex = ["user_id"]'}


def signed_in(server: Server, user: object) -> httpx.Client:
    client = server.client()
    ask(client, f"session['user_id'] = {user!r}")
    return client


def test_signing_out_everywhere(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(SITE)
    server = serve(site)
    laptop, phone = signed_in(server, "ada@example.com"), signed_in(server, "ada@example.com")
    bob = signed_in(server, "bob@example.com")
    listed = ask(
        bob,
        """
        found = await context.sessions.list(name="user_id", value="ada@example.com")
        result = [(each.size < 200, each.created < each.expires, len(each.id)) for each in found]
        """,
    )
    assert listed == "[(True, True, 64), (True, True, 64)]"
    assert ask(phone, "result = await context.sessions.revoke(name='user_id', value='ada@example.com')") == "2"
    for client in (laptop, phone):
        assert ask(client, "result = dict(session)") == "{}"
    assert ask(bob, "result = dict(session)") == "{'user_id': 'bob@example.com'}"


def test_who_signs_out_everywhere_and_goes_on(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(SITE))
    revoke = "await context.sessions.revoke(name='user_id', value=42)"
    for code in (f"{revoke}; session['user_id'] = 42", f"session.destroy(); session['user_id'] = 42; {revoke}"):
        here, there = signed_in(server, 42), signed_in(server, 42)
        before = here.cookies[COOKIE]
        ask(here, f"session['old'] = 1; {code}")
        assert here.cookies[COOKIE] != before
        assert ask(here, "result = dict(session)") == "{'user_id': 42}"
        assert ask(there, "result = dict(session)") == "{}"
        assert ask(server.client(before), "result = dict(session)") == "{}"
    answer = here.post("/console", content=revoke.encode())
    cookie = session_cookie(answer)
    assert cookie is not None
    assert (cookie["value"], cookie["max-age"]) == ("", "0")


def test_a_request_that_fails_after_it_has_ended_stays_ended(make_site: MakeSite, serve: Serve) -> None:
    # case C7
    server = serve(make_site(SITE))
    here, there = signed_in(server, 42), signed_in(server, 42)
    code = b"await context.sessions.revoke(name='user_id', value=42); session['user_id'] = 42; 1 / 0"
    assert here.post("/console", content=code).status_code == 500
    assert [ask(each, "result = dict(session)") for each in (here, there)] == ["{}", "{}"]


def test_a_rotated_secret(make_site: MakeSite, serve: Serve) -> None:
    # case S11
    site = make_site(SITE)
    old = serve(site, env={"HYBRIDSITE_SECRET": SECRET})
    first = signed_in(old, 42)
    old.stop()
    new = serve(site, env={"HYBRIDSITE_SECRET": f"Zk2m-another-one-that-is-newer-8Vt4rQ,{SECRET}"})
    second = signed_in(new, 42)
    cookies = [each.cookies[COOKIE] for each in (first, second)]
    assert ask(second, "result = await context.sessions.revoke(name='user_id', value=42)") == "2"
    assert [ask(new.client(cookie), "result = dict(session)") for cookie in cookies] == ["{}", "{}"]


def test_a_key_that_is_not_in_the_index(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(SITE))
    answer = server.client().post("/console", content=b"await context.sessions.revoke(name='usr_id', value=42)")
    assert answer.status_code == 500
    assert (
        """sessions can't be found by 'usr_id'; it is not in [session] index; did you mean "user_id"?""" in server.log()
    )


def test_the_store_does_not_tell_the_value(make_site: MakeSite, serve: Serve) -> None:
    # case S8: what is found by a token can't be guessed from it
    import hashlib

    site = make_site(SITE)
    signed_in(serve(site), 42)
    stored = bytes_below(site / ".hybridsite")
    for text in (b"42", b"user_id42", b"user_id\x2a", b"\x2a"):
        assert hashlib.sha256(text).hexdigest().encode() not in stored
