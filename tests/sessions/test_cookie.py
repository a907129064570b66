"""The session's cookie: what is read from a request, what is handed out, and which settings are refused."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import itsdangerous.signer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer

from hybridsite.errors import ConfigError, SecretError
from hybridsite.security import signing_keys
from hybridsite.sessions.cookie import CookieSettings, SessionCookie, handle_of, new_identifier
from tests.sessions.support import COOKIE, KEYS, TTL

OLD, NEW = "the old key that signed last year's cookies", "the new key that signs this year's cookies"


def cookie_of(keys: list[str] = KEYS, ttl: float = TTL, **settings: Any) -> SessionCookie:
    return SessionCookie(CookieSettings(**({"name": COOKIE} | settings)), keys, ttl)


def issued(cookie: SessionCookie, identifier: str) -> bytes:
    """Gives what a browser sends back: name and value."""
    return cookie.issue(identifier, https=False).partition(";")[0].encode()


def test_what_was_issued_is_read() -> None:
    cookie, identifier = cookie_of(), new_identifier()
    sent = issued(cookie, identifier)
    assert cookie.read([sent]) == identifier
    assert cookie.read([b"a=1; " + sent + b"; b=2"]) == identifier
    assert cookie.read([b"a=1;" + sent]) == identifier
    assert cookie.read([b"a=1", sent]) == identifier
    assert cookie.read([]) is None
    assert cookie.read([b""]) is None
    assert cookie.read([b"a=1; b=2"]) is None


def forged() -> list[bytes]:
    """Gives cookies that we never signed, or that were changed on their way."""
    sent = issued(cookie_of(), new_identifier())
    name, _, token = sent.partition(b"=")
    identifier, _, signature = token.partition(b".")
    other = issued(cookie_of(), new_identifier()).partition(b"=")[2]
    values = [
        b"",
        b".",
        identifier,
        identifier + b".",
        b"." + signature,
        token[:-1],
        token[1:],
        token + b"A",
        token + token,
        token + b"." + signature,
        token + b" " + token,
        b'"' + token + b'"',
        identifier + b"." + other.partition(b".")[2],
        identifier + b"." + identifier,
        b"A" * 43 + b"." + signature,
        token.swapcase(),
        b"x" * 5000,
        token + b"x" * 5000,
        b"\0" + token,
        token + b"\0",
        "ключ".encode(),
        b"\xff\xfe" + token,
        token.replace(b".", b"%2E"),
        token.replace(b".", b"\0"),
        handle_of(identifier.decode()).encode(),
    ]
    return [name + b"=" + value for value in values] + [
        b"x" + sent,
        b"x;x" + sent,
        name.upper() + b"=" + token,
        name + b" =" + token,
        name + b"\0=" + token,
        b"other=" + token,
        b'other="; ' + sent[:-1] + b'"',
    ]


@pytest.mark.parametrize("number", range(len(forged())))
def test_a_forged_cookie_is_none(number: int) -> None:
    # case S2
    assert cookie_of().read([forged()[number]]) is None


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_bytes_are_an_identifier_or_an_error(before: bytes, value: bytes) -> None:
    # case S2
    cookie = cookie_of()
    assert cookie.read([before, COOKIE.encode() + b"=" + value, before + b";" + COOKIE.encode() + b"=" + value]) is None


def test_another_s_signature_is_none() -> None:
    # case S2: another secret, another salt, itsdangerous' own defaults, the other digest
    identifier = new_identifier()
    for signer in (
        Signer("another key that is used for nothing but this", b"hybridsite.session"),
        Signer(KEYS[0]),
        Signer(KEYS[0], b"hybridsite.session"),
        Signer(KEYS[0], b"hybridsite.session", key_derivation="hmac"),
    ):
        sent = COOKIE.encode() + b"=" + signer.sign(identifier.encode())
        assert cookie_of().read([sent]) is None


@pytest.mark.parametrize("separator", [b"; ", b";", None])
def test_of_two_cookies_of_one_name_the_first_valid_one_counts(separator: bytes | None) -> None:
    # case S4
    cookie, first, second = cookie_of(), new_identifier(), new_identifier()
    one, two = issued(cookie, first), issued(cookie, second)

    def read(*cookies: bytes) -> str | None:
        return cookie.read(list(cookies) if separator is None else [separator.join(cookies)])

    assert read(one, two) == first
    assert read(two, one) == second
    for bad in forged():
        if separator is not None and b";" in bad:
            continue
        assert read(bad, two) == second, bad
        assert read(two, bad) == second, bad
    mixed = one[: one.index(b".")] + two[two.index(b".") :]
    assert read(mixed) is None
    assert read(mixed, mixed) is None


def test_a_hostile_header_takes_no_long_time() -> None:
    # case S2: a pattern that went back and forth over these would take minutes
    cookie, name = cookie_of(), COOKIE.encode() + b"="
    for part in (b";", b"; ", b" ", b"\t", name, b";" + name, name + b"A" * 43, name + b"A" * 43 + b"." + b"A" * 42):
        assert cookie.read([name + part * (64_000 // len(part))]) is None


def test_signatures_are_compared_in_constant_time() -> None:
    # case S9: by itsdangerous, whose comparison is hmac.compare_digest
    assert "verify_signature" in inspect.getsource(SessionCookie._verified)
    assert "compare_digest(" in inspect.getsource(itsdangerous.signer.SigningAlgorithm.verify_signature)


def test_identifiers_have_256_bits_of_the_system_s(monkeypatch: pytest.MonkeyPatch) -> None:
    # case S9
    asked: list[int] = []

    def urandom(count: int | None) -> bytes:
        asked.append(count or 0)
        return b"\x01" * (count or 0)

    assert len({new_identifier() for _ in range(1000)}) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", new_identifier()) for _ in range(100))
    monkeypatch.setattr("secrets.token_bytes", urandom)
    new_identifier()
    assert asked == [32]


def test_the_handle_is_a_hash() -> None:
    # case S8, case S17
    identifier = new_identifier()
    assert re.fullmatch(r"[0-9a-f]{64}", handle_of(identifier))
    assert handle_of(identifier) == handle_of(identifier) != handle_of(new_identifier())
    assert identifier not in handle_of(identifier)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"same_site": "none", "secure": False}, "secure", "secure = true"),
    ({"name": "__Secure-id", "secure": False}, "secure", "secure = true"),
    ({"name": "__Host-id", "secure": False}, "secure", "secure = true"),
    ({"name": "__Host-id", "domain": "example.com"}, "domain or a path", "drop the domain"),
    ({"name": "__Host-id", "path": "/shop"}, "domain or a path", "set the path to /"),
    ({"name": "__hOST-id", "path": "/shop"}, "domain or a path", "set the path to /"),
    ({"same_site": "sometimes"}, "same_site", "lax"),
    ({"name": ""}, "name", ""),
    ({"name": "a b"}, "name", ""),
    ({"name": "a;b"}, "name", ""),
    ({"name": "a=b"}, "name", ""),
    ({"name": "a\r\nSet-Cookie: b"}, "name", ""),
    ({"name": "naïve"}, "name", ""),
    ({"domain": ""}, "domain", ""),
    ({"domain": "example.com; Path=/x"}, "domain", ""),
    ({"path": ""}, "path", ""),
    ({"path": "shop"}, "path", ""),
    ({"path": "/a;b"}, "path", ""),
    ({"path": "/a\n"}, "path", ""),
]


@pytest.mark.parametrize(("settings", "what", "mend"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_what_browsers_would_refuse_is_refused(settings: dict[str, Any], what: str, mend: str) -> None:
    # case S10
    with pytest.raises(ConfigError, match=what) as caught:
        cookie_of(**settings)
    assert mend in caught.value.mend


def test_key_rotation() -> None:
    # case S11
    identifier = new_identifier()
    of_old, of_new = issued(cookie_of([OLD]), identifier), issued(cookie_of([NEW]), identifier)
    both = cookie_of([NEW, OLD])
    assert both.read([of_old]) == both.read([of_new]) == identifier
    assert issued(both, identifier) == of_new
    assert cookie_of([NEW]).read([of_old]) is None


@pytest.mark.parametrize(
    "secret",
    ["", " , ", "x" * 31, "x" * 64, "changeme" * 5, "Change-Me-Please-Change-Me-Please-1", f"{OLD},short"],
)
def test_a_short_or_well_known_secret_is_refused(secret: str, tmp_path: Path) -> None:
    # case S12
    with pytest.raises(SecretError, match="HYBRIDSITE_SECRET") as caught:
        signing_keys({"HYBRIDSITE_SECRET": secret}, tmp_path)
    assert not secret.strip(" ,") or secret not in str(caught.value)


HEADERS: list[tuple[dict[str, Any], bool, list[str]]] = [
    ({}, False, ["Max-Age=1000", "Path=/", "HttpOnly", "SameSite=Lax"]),
    ({}, True, ["Max-Age=1000", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"]),
    ({"secure": True}, False, ["Max-Age=1000", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"]),
    ({"secure": False}, True, ["Max-Age=1000", "Path=/", "HttpOnly", "SameSite=Lax"]),
    ({"same_site": "none"}, False, ["Max-Age=1000", "Path=/", "Secure", "HttpOnly", "SameSite=None"]),
    ({"same_site": "strict"}, False, ["Max-Age=1000", "Path=/", "HttpOnly", "SameSite=Strict"]),
    (
        {"domain": "example.com", "path": "/shop", "max_age": 60},
        False,
        ["Max-Age=60", "Path=/shop", "Domain=example.com", "HttpOnly", "SameSite=Lax"],
    ),
    ({"name": "__Host-id"}, False, ["Max-Age=1000", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"]),
    ({"name": "__Secure-id"}, False, ["Max-Age=1000", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"]),
    ({"ttl": 0.2}, False, ["Max-Age=1", "Path=/", "HttpOnly", "SameSite=Lax"]),
    ({"ttl": 1.5}, False, ["Max-Age=2", "Path=/", "HttpOnly", "SameSite=Lax"]),
]


@pytest.mark.parametrize(("settings", "https", "expected"), HEADERS, ids=map(str, range(len(HEADERS))))
def test_the_attributes(settings: dict[str, Any], https: bool, expected: list[str]) -> None:
    cookie, identifier = cookie_of(**settings), new_identifier()
    value, *attributes = cookie.issue(identifier, https=https).split("; ")
    assert value.startswith(f"{settings.get('name', COOKIE)}={identifier}.")
    assert attributes == expected


@pytest.mark.parametrize(("settings", "https", "expected"), HEADERS, ids=map(str, range(len(HEADERS))))
def test_a_cookie_ends_by_the_same_attributes(settings: dict[str, Any], https: bool, expected: list[str]) -> None:
    # case S6
    value, *attributes = cookie_of(**settings).expire(https=https).split("; ")
    assert value == f"{settings.get('name', COOKIE)}="
    assert attributes == ["Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT", *expected[1:]]


def test_a_signature_is_checked_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie, identifier = cookie_of(), new_identifier()
    sent, checks = issued(cookie, identifier), []
    verify = cookie._signer.verify_signature

    def counted(value: bytes, signature: bytes) -> bool:
        checks.append(value)
        return verify(value, signature)

    monkeypatch.setattr(cookie._signer, "verify_signature", counted)
    for header in (sent, sent, b"a=1; " + sent, sent + b"; b=2"):
        assert cookie.read([header]) == identifier
    assert len(checks) == 1


def test_what_was_forged_is_never_remembered() -> None:
    cookie = cookie_of()
    for header in forged():
        for _ in range(3):
            assert cookie.read([header]) is None
    assert not cookie._known
    other = cookie_of([NEW])
    assert other.read([issued(cookie, new_identifier())]) is None
    assert not other._known


def test_a_cookie_of_another_name_is_not_taken_for_a_known_one() -> None:
    cookie, identifier = cookie_of(), new_identifier()
    sent = issued(cookie, identifier)
    assert cookie.read([sent]) == identifier
    token = sent.partition(b"=")[2]
    for name in (b"x" * len(COOKIE), f"x{COOKIE}"[: len(COOKIE)].encode(), b"x" + COOKIE.encode()):
        assert cookie.read([name + b"=" + token]) is None
    # As long as ours alone, and with ours in it: the name is another's.
    assert cookie.read([f"{COOKIE}=".encode()[1:] + b"=" + token]) is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridsite.sessions.cookie._MOST_KNOWN", 3)
    cookie, identifiers = cookie_of(), [new_identifier() for _ in range(10)]
    for _ in range(2):
        for identifier in identifiers:
            assert cookie.read([issued(cookie, identifier)]) == identifier
    assert list(cookie._known.values()) == identifiers[-3:]
