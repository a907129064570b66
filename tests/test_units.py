"""How values of settings are written: each kind's forms, its bounds, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite import units

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
BYTES = {"B": 1, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2, "GB": 1000**3, "GiB": 1024**3}


@given(st.integers(0, 10**11), st.sampled_from(sorted(SECONDS)), st.sampled_from(["", " ", "\t"]))
def test_durations(number: int, unit: str, blank: str) -> None:
    assert units.duration(f"{number}{blank}{unit}") == number * SECONDS[unit]


@given(st.integers(0, 10**17), st.sampled_from(sorted(BYTES)), st.sampled_from(["", " "]))
def test_sizes(number: int, unit: str, blank: str) -> None:
    assert units.size(f" {number}{blank}{unit} ") == number * BYTES[unit]


def test_parts_of_a_unit() -> None:
    assert units.duration("1.5h") == 5400.0
    assert units.duration("0.25s") == 0.25


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((14 * 86400.0, "14 days"), (86400.0, "1 day"), (90 * 60.0, "90 minutes"), (3600, "1 hour")),
        *((1.0, "1 second"), (0.5, "0.5 seconds"), (61.0, "61 seconds")),
    ],
)
def test_a_length_of_time_is_told_in_the_largest_unit_that_needs_no_fraction(seconds: float, text: str) -> None:
    assert units.told(seconds) == text


@pytest.mark.parametrize(
    "value", ["", "14", "d", "-1d", "1 day", "1D", "1d 2h", "1e3s", "٣d", "1.d", ".5d", "infs", "1ms"]
)
def test_what_is_no_duration(value: str) -> None:
    with pytest.raises(ValueError, match=r'^must be seconds, or a length of time such as "30s"'):
        units.duration(value)


@pytest.mark.parametrize("value", ["", "14", "MB", "-1MB", "1mb", "1.5MB", "1 M", "1TB", "1MBs", "٣MB", "1_000B"])
def test_what_is_no_size(value: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a number of bytes, or a size such as"):
        units.size(value)


@pytest.mark.parametrize("value", [3, 1.5, True, None, ["1d"]])
def test_what_is_no_text_is_left_to_the_type(value: object) -> None:
    assert units.duration(value) is value
    assert units.size(value) is value


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), 1e11])
def test_a_length_of_time_is_positive_and_finite(value: float) -> None:
    with pytest.raises(ValueError, match=r"^must be over 0 seconds"):
        units.lasting(value)
    assert units.lasting(0.001) == 0.001


def test_items() -> None:
    assert units.items(["a"]) == ("a",)
    assert units.items("a") == "a"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM/", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://example.com:80", "https://example.com:80"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://a_b.example", "https://a_b.example"),
    ],
)
def test_origins(value: str, wanted: str) -> None:
    assert units.origin(value) == wanted
    assert units.origin(wanted) == wanted
    assert units.site_url(value) == wanted


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "must begin with"),
        ("example.com", "must begin with"),
        ("ftp://example.com", "must begin with"),
        ("javascript:alert(1)", "must begin with"),
        ("//example.com", "must begin with"),
        ("https://", "must be an address"),
        ("https://:443", "must be an address"),
        ("https://example.com:", "must be an address"),
        ("https://example.com:99999", "must be an address"),
        ("https://example.com:x", "must be an address"),
        ("https://exa mple.com", "must be an address"),
        ("https://example.com\n", "must be an address"),
        ("https://example.com\\@evil", "must be an address"),
        ("https://-example.com", "must be an address"),
        ("https://[::1", "must be an address"),
        ("https://a..b", "must be an address"),
        ("https://exa%6dple.com", "must be an address"),
        ("https://" + "ü" * 70, "must be an address"),
        ("https://example.com/docs", r"\[site\] base"),
        ("https://example.com?", r"\[site\] base"),
        ("https://example.com#a", r"\[site\] base"),
    ],
)
def test_what_is_no_origin(value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        units.origin(value)


def test_an_origin_with_a_password_is_not_shown() -> None:  # case D5
    with pytest.raises(ValueError, match="no user name") as caught:
        units.origin("https://me:hunter2@example.com")
    assert "hunter2" not in str(caught.value)
    assert units.site_url("") == ""


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("", ""), ("/", ""), ("docs", "/docs"), ("/docs/", "/docs"), ("/a/b~c._-", "/a/b~c._-"), ("//docs", "/docs")],
)
def test_bases(value: str, wanted: str) -> None:
    assert units.base(value) == wanted


@pytest.mark.parametrize(
    "value", ["/a b", "/a?b", "/a//b", "/../a", "/a/.", "/%61", "/é", "/a\\b", "https://x", "/a\n"]
)
def test_what_is_no_base(value: str) -> None:
    with pytest.raises(ValueError, match="must be a plain path"):
        units.base(value)


@pytest.mark.parametrize("value", [["{{", "}}"], ("<<", ">>"), ["[=", "=]"]])
def test_delimiters(value: Iterable[str]) -> None:
    assert units.delimiters(value) == tuple(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("<<>>", "two pieces"),
        (["<<"], "two pieces"),
        (["<<", ">>", "x"], "two pieces"),
        (["", ">>"], "two pieces"),
        (["< <", ">>"], "two pieces"),
        ([1, 2], "two pieces"),
        (["%%", "%%"], "two different"),
        (["{%", "}}"], "must differ"),
        (["{{", "#}"], "must differ"),
    ],
)
def test_what_are_no_delimiters(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        units.delimiters(value)


@pytest.mark.parametrize("value", ["sqlite", "key-value", "package.module:Store", False])
def test_drivers(value: object) -> None:
    assert units.driver(value) == value


@pytest.mark.parametrize("value", ["", " ", True, 0, None, "redis://me:hunter2@host", "a b"])
def test_what_is_no_driver(value: object) -> None:
    with pytest.raises(ValueError, match="must be the name of a driver in quotes, or false") as caught:
        units.driver(value)
    assert "hunter2" not in str(caught.value)  # case D5


def test_secure() -> None:
    assert [units.secure(value) for value in (True, False, "auto")] == [True, False, "auto"]
    for value in ("true", 1, None, "Auto"):
        with pytest.raises(ValueError, match='true, false or "auto"'):
            units.secure(value)


def test_options() -> None:
    assert [units.option(value) for value in ("a", 1, 1.5, True)] == ["a", 1, 1.5, True]
    wrong: list[object] = [[1], {}, None]
    for value in wrong:
        with pytest.raises(ValueError, match="must be text, a number"):
            units.option(value)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (units.cookie_name, ["a", "__Host-a", "a.b~c"], ["", "a b", "a=b", "a;b", "é", "a\n", "a,b"]),
        (units.cookie_path, ["/", "/a/b", "/a=b"], ["", "a", "/a;b", "/a b", "/é", "/a\n"]),
        (units.language, ["en", "pt-BR", "zh-Hant-TW"], ["", "e", "en_US", "en-", "e1", "en\n", "日本"]),
        (units.cookie_domain, ["example.com", "localhost"], ["", ".", "..a", "a b", "a;b", "a/b", "a:80", "é", "a\n"]),
    ],
)
def test_words_of_cookies_and_languages(check: Callable[[str], str], good: list[str], bad: list[str]) -> None:
    assert [check(value) for value in good] == good
    for value in bad:
        with pytest.raises(ValueError, match=r"^must "):
            check(value)


def test_a_domain_has_no_dot_before_it() -> None:
    assert units.cookie_domain(".Example.COM") == "example.com"


# case D5
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "x"),
        ("password", 1234),
        ("DB_PASSWORD", "x"),
        ("passphrase", "x"),
        ("pwd", "x"),
        ("db_pwd", "x"),
        ("pass", "x"),
        ("redis-pass", "x"),
        ("auth", "x"),
        ("token", "x"),
        ("authToken", "x"),
        ("aws_secret_access_key", "x"),
        ("api_key", "x"),
        ("api-key", "x"),
        ("apiKey", "x"),
        ("private_key", "x"),
        ("credentials", "x"),
        ("url", "redis://:hunter2@host"),
        ("url", "redis://me:hunter2@host:6379/0"),
        ("url", "postgresql://me:12345@host/db"),
        ("url", "postgresql://me:a/b?c@host/db"),
        ("dsn", "host=x password=hunter2"),
        ("dsn", "host=x;Pwd = hunter2"),
        ("url", "https://host/?token=abc"),
    ],
)
def test_options_that_are_secrets(name: str, value: object) -> None:
    assert units.holds_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "redis://host:6379/0"),
        ("url", "redis://host:6379/a@b"),
        ("url", "https://host:8080?x=@"),
        ("url", "redis://me@host"),
        ("password", ""),
        ("use_token", True),
        ("path", "sessions.sqlite"),
        ("compass", "north"),
        ("author", "ann"),
        ("prefix", "site:"),
        ("timeout", 3),
        ("bypass_cache", 1),
    ],
)
def test_options_that_are_none(name: str, value: object) -> None:
    assert not units.holds_secret(name, value)
