"""The one policy of URLs: a table over all its settings, and rules for any path that a request may send."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.urls import Kind, PathRefused, RequestPath, TrailingSlash, Url, UrlPolicy

BASES = ("", "/app", "/a/b")
SLASHES: tuple[TrailingSlash, ...] = ("always", "never", "ignore")
KINDS: tuple[Kind, ...] = ("page", "file", "endpoint")

# What stands between the slashes of a decoded path: never empty, no slash, no control character, no dot segment.
TEXT = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\\x7f")
SEGMENT = (
    st.text(TEXT, min_size=1, max_size=12)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: text not in (".", "..") and not set(text) & set("/\\"))
)
SEGMENTS = st.lists(SEGMENT, max_size=4).map(tuple)
POLICY = st.builds(UrlPolicy, st.sampled_from(BASES), st.sampled_from(SLASHES))

# kind, base, trailing_slash → the URL of no segment at all, and of ("blog", "a b")
TABLE = [
    ("page", "", "always", "/", "/blog/a%20b/"),
    ("page", "", "never", "/", "/blog/a%20b"),
    ("page", "", "ignore", "/", "/blog/a%20b/"),
    ("page", "/app", "always", "/app/", "/app/blog/a%20b/"),
    ("page", "/app", "never", "/app", "/app/blog/a%20b"),
    ("page", "/app", "ignore", "/app/", "/app/blog/a%20b/"),
    ("file", "", "always", "/", "/blog/a%20b"),
    ("file", "/app", "never", "/app", "/app/blog/a%20b"),
    ("file", "/app", "ignore", "/app", "/app/blog/a%20b"),
    ("endpoint", "", "always", "/", "/blog/a%20b"),
    ("endpoint", "/a/b", "always", "/a/b", "/a/b/blog/a%20b"),
    ("endpoint", "/a/b", "ignore", "/a/b", "/a/b/blog/a%20b"),
]


def refusal(policy: UrlPolicy, raw: bytes) -> int | None:
    """Gives the status that a path is refused with."""
    try:
        policy.read(raw)
    except PathRefused as refused:
        return refused.status
    return None


@pytest.mark.parametrize(("kind", "base", "slash", "root", "deep"), TABLE)
def test_the_url_of_a_route(kind: Kind, base: str, slash: TrailingSlash, root: str, deep: str) -> None:
    policy = UrlPolicy(base, slash)
    assert policy.url(kind, ()) == root
    assert policy.url(kind, ("blog", "a b")) == deep


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("slash", SLASHES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("segments", [(), ("blog",), ("blog", "a b")])
@pytest.mark.parametrize("ended", [True, False])
def test_the_other_form_redirects_to_the_url(
    base: str, slash: TrailingSlash, kind: Kind, segments: tuple[str, ...], ended: bool
) -> None:
    policy = UrlPolicy(base, slash)
    url = policy.url(kind, segments)
    to = policy.redirect(kind, RequestPath(segments, ended), "q=1&r=%20")
    is_canonical = url.endswith("/") == ended
    both = kind == "page" and slash == "ignore" and bool(segments or base)
    assert to == (None if is_canonical or both else f"{url}?q=1&r=%20")
    assert policy.redirect(kind, policy.read(url.encode()), "") is None


@pytest.mark.parametrize(
    ("kind", "segments", "output"),
    [
        ("page", (), "index.html"),
        ("page", ("about",), "about/index.html"),
        ("page", ("grün", "a b"), "grün/a b/index.html"),
        ("file", ("robots.txt",), "robots.txt"),
        ("file", ("deep", "feed.xml"), "deep/feed.xml"),
        ("endpoint", ("stats.json",), "stats.json"),
        ("error", (), "404.html"),
    ],
)
def test_the_file_of_a_route(kind: Kind, segments: tuple[str, ...], output: str) -> None:
    assert UrlPolicy.output(kind, segments, 404) == output


@given(POLICY, st.sampled_from(KINDS), SEGMENTS)
def test_a_url_is_read_as_it_was_made(policy: UrlPolicy, kind: Kind, segments: tuple[str, ...]) -> None:
    # case P5
    url = policy.url(kind, segments)
    assert url.isascii()
    assert not set(url) & set(' "<>\\^`{|}#?')
    read = policy.read(url.encode("ascii"))
    assert read.segments == segments
    assert policy.url(kind, read.segments) == url
    assert policy.redirect(kind, read, "") is None


@pytest.mark.parametrize(
    ("segment", "escaped"),
    [
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("%41", "%2541"),
        ("C#", "C%23"),
        ("what?", "what%3F"),
        ('say "hi"', "say%20%22hi%22"),
        ("it's", "it's"),
        ("🛒", "%F0%9F%9B%92"),
        ("grün", "gr%C3%BCn"),
        ("a+b&c=d;e,f@g:h", "a+b&c=d;e,f@g:h"),
        ("[x]", "%5Bx%5D"),
        ("x" * 255, "x" * 255),
        ("con", "con"),
    ],
)
def test_a_name_with_odd_characters(segment: str, escaped: str) -> None:
    # case P5
    policy = UrlPolicy()
    assert policy.url("file", (segment,)) == f"/{escaped}"
    assert policy.read(f"/{escaped}".encode()).segments == (segment,)


@given(SEGMENTS)
def test_decomposed_letters_are_read_as_composed(segments: tuple[str, ...]) -> None:
    # case P5
    apart = "/" + quote(unicodedata.normalize("NFD", "/".join(segments)))
    assert UrlPolicy().read(apart.encode()).segments == segments


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"/..%2f", 404),
        (b"/%2e%2e/", 404),
        (b"/%2e%2e%2fetc", 404),
        (b"/a/../b", 404),
        (b"/a/.", 404),
        (b"/./a", 404),
        (b"//host/", 404),
        (b"/a//b", 404),
        (b"/a//", 404),
        (b"/\\host/", 404),
        (b"/%5chost", 404),
        (b"/a%2fb", 404),
        (b"/account%2f", 404),
        (b"/.%00/", 400),
        (b"/a%0d%0ab", 400),
        (b"/a%7f", 400),
        (b"/%c0%ae%c0%ae/", 400),
        (b"/%ff", 400),
        (b"/%ed%a0%80", 400),
        (b"/\xff", 400),
        (b"/%", 400),
        (b"/%4", 400),
        (b"/%zz", 400),
        (b"/%u002e", 400),
        (b"*", 400),
        (b"http://evil.example/", 400),
    ],
)
def test_a_hostile_path_is_refused(raw: bytes, status: int) -> None:
    # case P1
    assert refusal(UrlPolicy(), raw) == status


@given(POLICY, st.binary(max_size=30).map(lambda tail: b"/" + tail))
def test_whatever_is_read_is_safe_and_read_once(policy: UrlPolicy, raw: bytes) -> None:
    # case P1
    try:
        read = policy.read(raw)
    except PathRefused:
        return
    for segment in read.segments:
        assert segment not in ("", ".", "..")
        assert not set(segment) & {"/", "\\", "\0", "\r", "\n"}
    again = policy.read(policy.url("file", read.segments).encode())
    assert again.segments == read.segments


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        (b"/%61ccount/", ("account",)),
        (b"/Account/", ("Account",)),
        (b"/%2561ccount/", ("%61ccount",)),
        (b"/..;/", ("..;",)),
    ],
)
def test_a_path_is_decoded_once(raw: bytes, segments: tuple[str, ...]) -> None:
    assert UrlPolicy().read(raw).segments == segments


@given(
    POLICY,
    st.sampled_from(KINDS),
    st.text(st.sampled_from("/\\\t\n\r.@:%2fe evil"), max_size=12).map(lambda tail: f"/{tail}".encode()),
)
def test_a_redirect_stays_on_the_host(policy: UrlPolicy, kind: Kind, raw: bytes) -> None:
    # case R1
    if refusal(policy, raw) is not None:
        return
    to = policy.redirect(kind, policy.read(raw), "next=//evil.example")
    if to is not None:
        # As browsers read it: they drop tabs and line breaks, and take a backslash for a slash.
        seen = to.translate({9: None, 10: None, 13: None}).replace("\\", "/")
        assert seen == to
        assert urlsplit(urljoin("https://shop.example/x/", seen)).netloc == "shop.example"


@pytest.mark.parametrize(
    "raw", [b"/", b"/appX/admin", b"/APP/admin", b"/admin", b"/app%2fadmin", b"/ap/admin", b"/app/../admin", b"//app/"]
)
def test_outside_of_the_base_is_nothing(raw: bytes) -> None:
    # case P2b
    assert refusal(UrlPolicy("/app"), raw) == 404


@pytest.mark.parametrize(
    ("raw", "segments", "slash"),
    [(b"/app", (), False), (b"/app/", (), True), (b"/app/admin", ("admin",), False), (b"/%61pp/x/", ("x",), True)],
)
def test_below_the_base(raw: bytes, segments: tuple[str, ...], slash: bool) -> None:
    # case P2b
    policy = UrlPolicy("/app")
    assert policy.read(raw) == RequestPath(segments, slash)
    assert policy.path(policy.read(raw)).startswith("/app")


@given(POLICY, SEGMENTS, st.booleans())
def test_the_decoded_path_has_base_and_slash(policy: UrlPolicy, segments: tuple[str, ...], slash: bool) -> None:
    path = policy.path(RequestPath(segments, slash))
    assert path.startswith(policy.base or "/")
    assert path == "/" or path.endswith("/") == slash or bool(segments and segments[-1].endswith("/"))
    assert path.strip("/") == "/".join((*policy.base.strip("/").split("/"), *segments)).strip("/")


def test_a_url_shows_its_parts() -> None:
    url = Url("https", "shop.example", "/tee & tasse/", "q=%20")
    assert url.origin == "https://shop.example"
    assert str(url) == "https://shop.example/tee%20&%20tasse/?q=%20"
    assert str(Url("http", "localhost", "/")) == "http://localhost/"


@pytest.mark.parametrize("raw", [b"/" + b"a" * 5000, b"/a" * 101, b"/%41" * 1100])
def test_a_path_that_no_page_has_is_not_worked_on(raw: bytes) -> None:
    with pytest.raises(PathRefused) as caught:
        UrlPolicy().read(raw)
    assert caught.value.status == 404
