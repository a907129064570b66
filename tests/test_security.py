"""Keys, the origin of forms, and whose forwarded headers count."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hybridsite.errors import SecretError
from hybridsite.security import OriginRefusals, Proxies, forwarded, origin_allowed, signing_keys
from tests.e2e.support import SECRET

OWN = {"https://shop.example", "https://admin.example:8443"}
COOKIE = "hybridsite-session"
FORM = "application/x-www-form-urlencoded"


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def allowed(method: str = "POST", **headers: str) -> bool:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return origin_allowed(method, encoded(names), OWN, COOKIE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "kind",
    [
        FORM,
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        "Text/PLAIN",
        " text/plain ;charset=utf-8",
        "application/x-www-form-urlencoded;x",
        "application/json, text/plain",
        "text/plain, application/json",
        None,
    ],
)
def test_a_form_of_another_site_is_refused(method: str, kind: str | None) -> None:
    # case H3
    headers = {} if kind is None else {"content_type": kind}
    assert not allowed(method, origin="https://evil.example", **headers)
    assert not allowed(method, sec_fetch_site="cross-site", **headers)
    assert not allowed(method, sec_fetch_site="same-site", **headers)
    assert not allowed(method, cookie=f"a=b; {COOKIE}=x", **headers)
    assert allowed(method, origin="https://shop.example", **headers)
    assert allowed(method, sec_fetch_site="same-origin", **headers)
    assert allowed(method, **headers)


def test_two_content_types_count_as_the_worse_one() -> None:
    # case H3
    headers = [(b"content-type", b"application/json"), (b"content-type", b"text/plain"), (b"origin", b"null")]
    assert not origin_allowed("POST", headers, OWN, COOKIE)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_is_not_asked(method: str) -> None:
    assert allowed(method, origin="https://evil.example", content_type=FORM)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "image/png"])
def test_what_no_form_can_send_is_not_asked(kind: str) -> None:
    assert allowed(origin="https://evil.example", content_type=kind)


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("https://shop.example", True),
        ("https://admin.example:8443", True),
        ("null", False),
        ("", False),
        ("http://shop.example", False),
        ("https://shop.example:444", False),
        ("https://shop.example:443", False),
        ("https://shop.example.evil", False),
        ("https://evilshop.example", False),
        ("https://sub.shop.example", False),
        ("https://user@shop.example", False),
        ("https://shop.example@evil.example", False),
        ("https://shop.example/", False),
        ("https://shop.example https://evil.example", False),
        ("shop.example", False),
        ("https://admin.example", False),
        ("https://shop.example\u00ad", False),
    ],
)
def test_an_origin_is_compared_as_a_whole(origin: str, own: bool) -> None:
    # case H4
    assert allowed(origin=origin, content_type=FORM) is own


def test_an_origin_goes_before_the_fetch_metadata() -> None:
    # case H4
    assert not allowed(origin="null", sec_fetch_site="same-origin")
    assert allowed(origin="https://shop.example", sec_fetch_site="cross-site")


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("127.0.0.1", {"x-forwarded-proto": "https", "x-forwarded-for": "9.9.9.9"}, ("https", "9.9.9.9")),
        ("6.6.6.6", {"x-forwarded-proto": "https", "x-forwarded-for": "9.9.9.9"}, (None, None)),
        (None, {"x-forwarded-proto": "https"}, (None, None)),
        ("127.0.0.1", {}, (None, None)),
        ("127.0.0.1", {"x-forwarded-proto": "http, HTTPS"}, ("https", None)),
        ("127.0.0.1", {"x-forwarded-proto": "javascript"}, (None, None)),
        ("127.0.0.1", {"x-forwarded-for": "1.1.1.1, 2.2.2.2, 10.0.0.1"}, (None, "2.2.2.2")),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.1"}, (None, None)),
        ("127.0.0.1", {"x-forwarded-for": " , "}, (None, None)),
        ("127.0.0.1", {"x-forwarded-host": "evil.example", "forwarded": "for=1.1.1.1"}, (None, None)),
    ],
)
def test_only_a_named_proxy_is_believed(
    peer: str | None, headers: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    # case H1
    assert forwarded(encoded(headers), peer, ("127.0.0.1", "10.0.0.1")) == expected


@pytest.mark.parametrize(
    ("peer", "is_named"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("10.1.2.3, 1.1.1.1", False),
        ("testclient", False),
        ("", False),
        (None, False),
    ],
)
def test_a_network_names_all_its_addresses_and_nothing_else(peer: str | None, is_named: bool) -> None:
    # case H1
    assert (peer in Proxies(("10.0.0.9/8", "192.0.2.7", "2001:db8::/32"))) is is_named
    assert peer not in Proxies(())


def test_behind_several_proxies_of_a_network_the_visitor_is_the_first_address_outside_of_it() -> None:
    # case H1
    lines = [(b"x-forwarded-for", b"9.9.9.9, 2.2.2.2, 10.0.0.7")]
    assert forwarded(lines, "10.0.0.8", Proxies(("10.0.0.0/8",))) == (None, "2.2.2.2")


def test_several_lines_of_one_header_are_one_list() -> None:
    # case H1
    lines = [(b"x-forwarded-for", b"1.1.1.1, 2.2.2.2"), (b"x-forwarded-for", b"10.0.0.1")]
    assert forwarded(lines, "127.0.0.1", ("127.0.0.1", "10.0.0.1")) == (None, "2.2.2.2")


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: signing_keys({}, state), range(16)))
    assert len(keys) == 1
    assert signing_keys({}, state) in keys
    assert stat.S_IMODE((state / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [path.name for path in state.iterdir()] == ["secret"]


def test_two_sites_have_two_secrets(tmp_path: Path) -> None:
    assert signing_keys({}, tmp_path / "one") != signing_keys({}, tmp_path / "two")


def test_the_environment_goes_first_the_newest_key_before_the_older(tmp_path: Path) -> None:
    # case S11
    keys = signing_keys({"HYBRIDSITE_SECRET": f" {SECRET} ,{SECRET[::-1]},"}, tmp_path)
    assert keys == (SECRET, SECRET[::-1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("", "HYBRIDSITE_SECRET is empty"),
        (" , ", "HYBRIDSITE_SECRET is empty"),
        (SECRET[:31], "31 characters"),
        (f"{SECRET},short", "key 2 of HYBRIDSITE_SECRET has 5 characters"),
        ("a" * 40, "can be guessed"),
        ("abab" * 10, "can be guessed"),
        ("changeme" + SECRET, "can be guessed"),
        ("0123456789" * 4, "can be guessed"),
    ],
)
def test_a_weak_secret_is_refused_and_not_shown(tmp_path: Path, secret: str, told: str) -> None:
    # case S12
    with pytest.raises(SecretError, match="make one: python3 -c") as caught:
        signing_keys({"HYBRIDSITE_SECRET": secret}, tmp_path)
    assert told in str(caught.value)
    assert secret.strip(" ,") == "" or secret not in str(caught.value)


@pytest.mark.parametrize("content", ["", "short\n", "\n" * 40])
def test_a_damaged_file_is_no_secret(tmp_path: Path, content: str) -> None:
    # case S12
    (tmp_path / "secret").write_text(content)
    with pytest.raises(SecretError, match="holds no secret"):
        signing_keys({}, tmp_path)
    assert (tmp_path / "secret").read_text() == content


@pytest.mark.parametrize("place", ["a file", "a folder"])
def test_a_secret_that_can_not_be_kept_is_a_clear_error(tmp_path: Path, place: str) -> None:
    # case D1
    state = tmp_path / "state"
    if place == "a file":
        state.touch()
    else:
        (state / "secret").mkdir(parents=True)
    with pytest.raises(SecretError, match=r"the secret can't be kept in .+; (not a directory|is a directory); "):
        signing_keys({}, state)


def test_a_refusal_is_told_once_for_each_pair_and_is_bounded() -> None:
    refusals = OriginRefusals()
    first = refusals.sentence("https://shop.example", "http://shop.example", "")
    assert first is not None
    assert "its Origin is https://shop.example, and the site's own is http://shop.example; " in first
    assert 'set [site] url = "https://shop.example", or name the proxy in [server] proxies' in first
    assert refusals.sentence("https://shop.example", "http://shop.example", "") is None
    other = refusals.sentence("https://evil.example", "http://shop.example", "https://tea.example")
    assert other is not None
    assert "the site's own is http://shop.example or https://tea.example; " in other
    assert "[security] origins" in other
    none = refusals.sentence(None, "http://shop.example", "")
    assert none is not None
    assert "its Origin is none" in none
    told = [refusals.sentence(f"https://{number}.example", "http://shop.example", "") for number in range(500)]
    assert sum(one is not None for one in told) == refusals.MOST - 3


def test_a_refused_origin_is_shown_as_what_it_is_in_one_line() -> None:
    told = OriginRefusals().sentence("\x1b[2J\r\nERROR \xe9" + "x" * 9999, "http://shop.example", "")
    assert told is not None
    assert told.isprintable()
    assert len(told) < 700
