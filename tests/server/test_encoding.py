"""Content codings: which one a request wants, and that a body comes back out of it."""

from __future__ import annotations

import gzip

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsite.server.encoding import LARGEST, SMALLEST, Coding, encode, wanted, worth_coding


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("br", "br"),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0", None),
        ("br;q=0, gzip;q=0.001", "gzip"),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, *;q=0", None),
        ("x-gzip", "gzip"),
        ("GZIP ; Q=1", "gzip"),
        ("zstd, deflate", None),
        ("", None),
        (",,", None),
        ("br;q=2", None),
        ("br;q=nan", None),
        ("br;level=9", None),
        ("\xff\x00", None),
    ],
)
def test_the_wanted_coding(accepted: str, coding: Coding | None) -> None:
    # case P9
    assert wanted(accepted.encode("latin-1")) == coding


@given(st.binary(max_size=60))
def test_any_header_is_answered(accepted: bytes) -> None:
    # case P9
    assert wanted(accepted) in ("br", "gzip", None)


@given(st.binary(max_size=3000))
def test_a_body_comes_back_and_is_coded_the_same_each_time(body: bytes) -> None:
    assert brotli.decompress(encode(body, "br")) == body
    assert gzip.decompress(encode(body, "gzip")) == body
    assert encode(body, "gzip") == encode(body, "gzip")


@pytest.mark.parametrize(
    ("kind", "size", "worth"),
    [
        ("text/html; charset=utf-8", SMALLEST, True),
        ("text/html", SMALLEST - 1, False),
        ("text/html", LARGEST, True),
        ("text/html", LARGEST + 1, False),
        ("application/json", 1000, True),
        ("application/ld+json", 1000, True),
        ("image/svg+xml; charset=utf-8", 1000, True),
        ("application/wasm", 1000, True),
        ("image/png", 1000, False),
        ("application/octet-stream", 1000, False),
        ("application/zip", 1000, False),
    ],
)
def test_what_is_worth_coding(kind: str, size: int, worth: bool) -> None:
    assert worth_coding(kind, size) is worth
