"""Which page a request came from: the site's own pages alone, read as the router reads paths."""

from __future__ import annotations

import pytest

from hybridsite.senders import own_path, sender
from hybridsite.urls import RequestPath, UrlPolicy
from tests.inprocess import request

POLICY = UrlPolicy()


@pytest.mark.parametrize(
    ("referer", "segments", "query"),
    [
        ("http://127.0.0.1/", (), ""),
        ("http://127.0.0.1", (), ""),
        ("http://127.0.0.1/shop/woad/?a=1&b=%20", ("shop", "woad"), "a=1&b=%20"),
        ("https://shop.example/a%20b", ("a b",), ""),
    ],
)
def test_a_page_of_the_site_is_known(referer: str, segments: tuple[str, ...], query: str) -> None:
    found = sender(request("/x/", headers={"referer": referer}), POLICY, "https://shop.example")
    assert found is not None
    assert (found[0].segments, found[1]) == (segments, query)


@pytest.mark.parametrize(
    "referer",
    [
        *("", "/shop/", "about:blank", "http://", "http://[", "http://127.0.0.1:81/", "https://127.0.0.1/"),
        *("http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example/", "http://evil.example/http://127.0.0.1/"),
        *("http://127.0.0.1//a", "http://127.0.0.1/a/../b", "http://127.0.0.1/%2e%2e/", "http://127.0.0.1/%zz"),
        *("http://127.0.0.1/\u00e9", "http://127.0.0.1/a b"),
    ],
)
def test_anything_else_is_none(referer: str) -> None:
    assert sender(request("/x/", headers={"referer": referer}), POLICY, "") is None


def test_a_relative_target_is_resolved_where_it_was_asked() -> None:
    assert own_path(request("/a/b/"), POLICY, "", "../c/") == RequestPath(("a", "c"), True)
    assert own_path(request("/a/b/"), POLICY, "", "//evil.example/") is None
