"""Built files over HTTP: conditions, ranges and codings, each form with its own tag."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate, parsedate_to_datetime

import brotli
import httpx
import pytest

from hybridsite.server.static import SMALL
from tests.e2e.support import MakeSite, Server, built

TEXT = "".join(f"<p>{n}: tea and cups</p>\n" for n in range(400))
LARGE = bytes(range(256)) * (SMALL // 256 + 9)
FILES: dict[str, str | bytes] = {
    "pages/index.html": "---\nheaders: {X-Own: 'yes', cache-control: max-age=5}\n---\n" + TEXT,
    "pages/short.html": "<p>short</p>",
    "pages/now.html": "---\nprerender: false\n---\n" + TEXT,
    "pages/404.html": TEXT,
    "public/large.bin": LARGE,
    "public/large.txt": TEXT * 40,
    "public/empty.txt": b"",
    "public/photo.png": b"\x89PNG" + bytes(2000),
    "public/digits.txt": b"0123456789" * 100,
}
AS_IT_IS = {"accept-encoding": "identity"}


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    site = make_site(FILES)
    built(site)
    with Server(site) as running:
        yield running


@pytest.fixture
def client(server: Server) -> httpx.Client:
    client = server.client()
    client.headers["accept-encoding"] = "identity"
    return client


def encoded(client: httpx.Client, path: str, accept: str | None) -> tuple[str | None, bytes]:
    """Asks for a coding, and gives the one that came with the bytes as they were sent."""
    request = client.build_request("GET", path)
    others = [pair for pair in request.headers.raw if pair[0].lower() != b"accept-encoding"]
    own = [] if accept is None else [(b"accept-encoding", accept.encode("latin-1"))]
    request.headers = httpx.Headers([*others, *own])
    answer = client.send(request, stream=True)
    raw = b"".join(answer.iter_raw())
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(raw)
    return answer.headers.get("content-encoding"), raw


# case P9
@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.4, gzip;q=0.5", "gzip"),
        ("br;q=0.000, gzip;q=0", None),
        ("*", "br"),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("deflate", None),
        ("lzma, ;;;, br;q=2, gzip;q=nothing", None),
        ("gzip;q=0, *", "br"),
        ("\xff, gzip", "gzip"),
    ],
)
def test_the_coding_is_the_one_that_is_liked_best(client: httpx.Client, accept: str | None, coding: str | None) -> None:
    given, raw = encoded(client, "/", accept)
    assert given == coding
    decode: dict[str | None, Callable[[bytes], bytes]]
    decode = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}
    assert decode[given](raw).decode() == TEXT


@pytest.mark.parametrize(
    "path", ["/", "/short/", "/large.txt", "/large.bin", "/photo.png", "/empty.txt", "/digits.txt"]
)
def test_what_gets_no_smaller_is_sent_as_it_is(client: httpx.Client, path: str) -> None:
    plain = client.get(path)
    coding, raw = encoded(client, path, "br, gzip")
    smaller = path in ("/", "/large.txt", "/digits.txt")
    assert coding == ("br" if smaller else None)
    assert ("Accept-Encoding" in plain.headers.get("vary", "")) == smaller
    assert (brotli.decompress(raw) if smaller else raw) == plain.content


def test_each_form_has_a_tag_of_its_own(client: httpx.Client) -> None:
    answers = [client.head("/", headers={"accept-encoding": coding}) for coding in ("identity", "gzip", "br")]
    tags = [answer.headers["etag"] for answer in answers]
    assert len(set(tags)) == 3
    for answer, tag, coding in zip(answers, tags, ("identity", "gzip", "br"), strict=True):
        assert answer.headers["vary"] == "Accept-Encoding"
        for other in tags:
            again = client.get("/", headers={"accept-encoding": coding, "if-none-match": other})
            assert again.status_code == (304 if other == tag else 200)
            assert again.headers["etag"] == tag
            assert again.headers["x-own"] == "yes"
            assert again.headers["cache-control"] == "max-age=5"


def test_many_who_ask_at_once_get_the_same_bytes(make_site: MakeSite) -> None:
    site = make_site({"pages/index.html": TEXT * 9})
    with Server(site) as server, ThreadPoolExecutor(16) as pool:
        client = server.client()
        answers = list(pool.map(lambda _: encoded(client, "/", "br"), range(64)))
    assert {coding for coding, _ in answers} == {"br"}
    assert len({raw for _, raw in answers}) == 1


@pytest.mark.parametrize("path", ["/now/", "/nowhere/"])
def test_what_is_no_file_is_not_coded(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"accept-encoding": "gzip, br"})
    assert "content-encoding" not in answer.headers
    assert answer.text.strip() == TEXT.strip()


# case P8
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match(client: httpx.Client, method: str) -> None:
    tag = client.get("/digits.txt").headers["etag"]
    assert tag[0] == tag[-1] == '"'
    for known in (tag, f"W/{tag}", f'"other", {tag}', f'W/"other" ,W/{tag}', "*", f'"a,b",{tag}'):
        answer = client.request(method, "/digits.txt", headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b""), known
        assert answer.headers["etag"] == tag
        assert "content-length" not in answer.headers
    for unknown in ('"other"', tag.strip('"'), "", 'W/"', f"{tag[:-1]}x"):
        answer = client.request(method, "/digits.txt", headers={"if-none-match": unknown})
        assert answer.status_code == 200, unknown
        assert int(answer.headers["content-length"]) == 1000
        assert len(answer.content) == (1000 if method == "GET" else 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_modified_since(client: httpx.Client, method: str) -> None:
    stamp = client.get("/digits.txt").headers["last-modified"]
    moment = parsedate_to_datetime(stamp).timestamp()

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.request(method, "/digits.txt", headers=named).status_code

    assert status(if_modified_since=stamp) == 304
    assert status(if_modified_since=formatdate(moment - 1, usegmt=True)) == 200
    assert status(if_modified_since=formatdate(time.time() + 1e6, usegmt=True)) == 304
    for bad in ("yesterday", "", "Mon, 99 Foo 2026 00:00:00 GMT", "9" * 400):
        assert status(if_modified_since=bad) == 200, bad
    # RFC 9110, 13.1.3: it is not looked at where there is an If-None-Match.
    assert status(if_modified_since=stamp, if_none_match='"other"') == 200


# case P6
@pytest.mark.parametrize("path", ["/digits.txt", "/large.bin"])
def test_one_range(client: httpx.Client, path: str) -> None:
    whole = FILES[f"public{path}"]
    assert isinstance(whole, bytes)
    size = len(whole)
    for text, first, last in (
        ("0-0", 0, 0),
        ("1-3", 1, 3),
        ("990-", 990, size - 1),
        ("-7", size - 7, size - 1),
        (f"0-{10**17}", 0, size - 1),
        (f"-{10**17}", 0, size - 1),
    ):
        answer = client.get(path, headers={"range": f"bytes={text}"})
        assert answer.status_code == 206, text
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert answer.content == whole[first : last + 1]
        assert answer.headers["etag"] == client.head(path).headers["etag"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("text", ["bytes=1000-", "bytes=5000-6000", "bytes=-0", f"bytes={10**17}-"])
def test_a_range_beyond_the_end(client: httpx.Client, text: str) -> None:
    answer = client.get("/digits.txt", headers={"range": text})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1000")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/empty.txt", headers={"range": "bytes=0-"}).status_code == 416


@pytest.mark.parametrize(
    "text",
    ["items=0-5", "bytes", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=--1", "bytes=1-2-3", "bytes=" + "9" * 5000 + "-"],
)
def test_what_is_no_range_is_passed_over(client: httpx.Client, text: str) -> None:
    for path, size in (("/digits.txt", 1000), ("/large.bin", len(LARGE))):
        answer = client.get(path, headers={"range": text})
        assert (answer.status_code, len(answer.content)) == (200, size)


def test_many_ranges_are_bounded_work(client: httpx.Client) -> None:
    whole = b"0123456789" * 100
    answer = client.get("/digits.txt", headers={"range": "bytes=0-1,10-12"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert b"\r\n\r\n01\r\n" in answer.content
    overlapping = client.get("/large.bin", headers={"range": "bytes=" + ",".join(["0-"] * 90)})
    assert overlapping.status_code in (200, 206)
    assert len(overlapping.content) <= len(LARGE) + 100
    began = time.monotonic()
    flood = client.get("/digits.txt", headers={"range": "bytes=" + ",".join(f"{n}-{n}" for n in range(900))})
    assert flood.content == whole
    assert time.monotonic() - began < 5


def test_a_range_is_of_the_plain_form_and_of_the_file_that_is_meant(client: httpx.Client) -> None:
    wanted = {"range": "bytes=0-3", "accept-encoding": "br"}
    answer = client.get("/digits.txt", headers=wanted)
    assert (answer.status_code, answer.content) == (206, b"0123")
    assert "content-encoding" not in answer.headers
    tag, stamp = answer.headers["etag"], answer.headers["last-modified"]
    for condition, status in ((tag, 206), (stamp, 206), ('"other"', 200), (f"W/{tag}", 200)):
        assert client.get("/digits.txt", headers={"range": "bytes=0-3", "if-range": condition}).status_code == status
    # RFC 9110, 14.2: only GET has ranges.
    head = client.head("/digits.txt", headers=wanted | AS_IT_IS)
    assert (head.status_code, head.headers["content-length"]) == (200, "1000")


def test_head_has_the_headers_of_get(client: httpx.Client) -> None:
    for path in ("/", "/short/", "/large.bin", "/empty.txt", "/nowhere/"):
        for coding in ("identity", "gzip"):
            get = client.get(path, headers={"accept-encoding": coding}).headers
            head = client.head(path, headers={"accept-encoding": coding})
            assert head.content == b""
            get.pop("date", None), head.headers.pop("date", None)
            assert dict(head.headers) == dict(get)


def test_a_newer_build_below_a_running_server(make_site: MakeSite) -> None:
    site = make_site({"public/old.bin": LARGE, "public/same.bin": LARGE, "public/new.bin": b"1" * len(LARGE)})
    with Server(site) as server:
        client = server.client()
        tag = client.head("/new.bin").headers["etag"]
        (site / "public/old.bin").unlink()
        (site / "public/new.bin").write_bytes(b"2" * (len(LARGE) + 1))
        built(site)
        assert client.get("/same.bin").content == LARGE
        newer = client.get("/new.bin")
        assert newer.content == b"2" * (len(LARGE) + 1)
        assert newer.headers["etag"] != tag
        assert client.get("/old.bin").status_code == 404
