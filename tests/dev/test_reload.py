"""The script on its way into a page, the policies that let it run, and what is watched."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from hybridsite.dev.faults import shown_value
from hybridsite.dev.reload import Channel, Injector, allowing_dev
from hybridsite.dev.watch import is_source


def through(chunks: list[bytes], headers: list[tuple[bytes, bytes]] | None = None) -> tuple[bytes, dict[bytes, bytes]]:
    """Sends an answer through an injector, and gives what comes out."""
    out: list[Message] = []

    async def send(message: Message) -> None:
        out.append(message)

    async def run() -> None:
        injector = Injector(send, "s-1")
        kept = headers or [(b"content-type", b"text/html; charset=utf-8")]
        await injector({"type": "http.response.start", "status": 200, "headers": kept})
        for number, chunk in enumerate(chunks, 1):
            await injector({"type": "http.response.body", "body": chunk, "more_body": number < len(chunks)})

    asyncio.run(run())
    return b"".join(message["body"] for message in out[1:]), dict(out[0]["headers"])


def test_the_script_stands_before_the_end_of_the_body() -> None:
    body, _ = through([b"<!doctype html><body>a</body></html>"])
    assert body.startswith(b"<!doctype html><body>a<script ")
    assert body.endswith(b"</script></body></html>")


def test_a_page_in_pieces_gets_it_once() -> None:
    body, headers = through([b"<!doctype html><body>", b"a</BODY>", b"</html>"])
    assert body.count(b"<script") == 1
    assert b"content-length" not in headers


def test_a_page_without_the_tag_gets_it_at_its_end() -> None:
    assert through([b"<!DOCTYPE html><p>a"])[0].endswith(b"</script>")


@pytest.mark.parametrize("kind", [b"application/json", b"text/plain", b"image/svg+xml"])
def test_nothing_else_is_touched(kind: bytes) -> None:
    assert through([b"<!doctype html><body></body>"], [(b"content-type", kind)])[0] == b"<!doctype html><body></body>"


def test_what_is_encoded_is_not_touched() -> None:
    headers = [(b"content-type", b"text/html"), (b"content-encoding", b"br")]
    assert through([b"</body>"], headers)[0] == b"</body>"


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("default-src 'self'; script-src 'self'", "default-src 'self'; script-src 'self'"),
        ("default-src 'none'", "default-src 'none'; script-src 'self'; connect-src 'self'"),
        ("script-src 'nonce-a'", "script-src 'nonce-a' 'self'"),
        ("img-src *", "img-src *"),
    ],
)
def test_a_policy_lets_devs_script_run_and_nothing_more(policy: str, wanted: str) -> None:
    assert allowing_dev(policy) == wanted


def test_each_change_is_another_state() -> None:
    async def run() -> list[str]:
        channel = Channel("x")
        states = [channel.state]
        await channel.tell()
        return [*states, channel.state]

    assert asyncio.run(run()) == ["x-0", "x-1"]


@pytest.mark.parametrize("name", ["pages/a.html", "site.toml", "public/.well-known/x", "public/dist/a.js", "helper.py"])
def test_sources_are_watched(name: str) -> None:
    assert is_source(name)


@pytest.mark.parametrize(
    "name",
    ["dist/client/a.html", ".hybridsite/s.db", ".git/index", "pages/.a.html.swp", "pages/a.html~", "__pycache__/b"],
)
def test_what_is_written_by_tools_is_not(name: str) -> None:
    assert not is_source(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("API_KEY", "hunter2"),
        ("user", {"name": "a", "password": "hunter2"}),
        ("user", {"access_token": b"hunter2"}),
        ("text", "Secret(token='hunter2')"),
    ],
)
def test_secrets_are_masked(name: str, value: object) -> None:
    assert "hunter2" not in shown_value(name, value)


def test_a_value_that_cant_be_shown_is_no_fault() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    assert "Broken" in shown_value("x", Broken())
