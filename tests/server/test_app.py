"""create_app(): where its parts lie, what it refuses, and its life with a server."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message

from hybridsite.errors import SecretError, ServeError
from hybridsite.places import is_dist, state_folder
from hybridsite.server.deployment import create_app
from tests.e2e.support import SECRET, write_files, write_site
from tests.inprocess import ENVIRON, MEMORY, ON_DEMAND, app_of, ask, asked, built_here, scope_of

FILES: Mapping[str, str | bytes] = {
    "site.toml": MEMORY + '[security]\nmax_body = 10\n[server]\nproxies = ["127.0.0.1"]\n',
    "pages/index.html": "home",
    "pages/who.py": "def GET(context):\n    return f'{context.client_address} {context.url.scheme}'",
    "pages/echo.py": "async def POST(context):\n    return await context.request.body()",
    "pages/form.py": "async def POST(context):\n    return dict(await context.request.form())",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ASGIApp:
    return app_of(write_site(tmp_path_factory.mktemp("app") / "site", FILES))


async def life(app: ASGIApp) -> list[str]:
    """Starts and stops an application as a server does."""
    messages = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": next(messages)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    return sent


def test_a_server_starts_and_stops_it(app: ASGIApp) -> None:
    assert asyncio.run(life(app)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_undefined_sessions_are_logged_once_at_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"site.toml": "[session]\ndriver = false\n", "pages/a.html": ON_DEMAND + "<< session.get('x') >>"}
    app = app_of(write_site(tmp_path / "site", files))
    with caplog.at_level(logging.ERROR, "hybridsite"):
        asyncio.run(life(app))
        assert [ask(app, "/a/").status for _ in range(3)] == [200, 200, 200]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("pages/a.html:4: `session` is undefined; ")


def test_health_is_answered_and_never_kept(app: ASGIApp) -> None:
    answer = ask(app, "/healthz")
    assert (answer.status, answer.text, answer.header["cache-control"]) == (200, "ok\n", "no-store")


@pytest.mark.parametrize(
    ("peer", "seen"), [("127.0.0.1", "9.9.9.9 https"), ("6.6.6.6", "6.6.6.6 http"), (None, "None http")]
)
def test_forwarded_headers_count_from_named_peers_alone(app: ASGIApp, peer: str | None, seen: str) -> None:
    # case H1
    forged = {"X-Forwarded-For": "1.1.1.1, 9.9.9.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    scope = {**scope_of("/who", headers=forged), "client": (peer, 1) if peer else None}
    assert asyncio.run(asked(app, scope)).text == seen


@pytest.mark.parametrize("path", ["/echo", "/form"])
@pytest.mark.parametrize(
    ("body", "length", "status"),
    [
        (b"a=12345678", "10", 200),
        (b"a=123456789", "11", 413),
        (b"a=123456789", None, 413),
        (b"a=123456789", "3", 413),
        (b"", "99999999999999999999", 413),
        (b"", "-1", 413),
        (b"", "x", 413),
    ],
)
def test_a_body_over_the_limit_is_413(app: ASGIApp, path: str, body: bytes, length: str | None, status: int) -> None:
    # case B1
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1"}
    if length is not None:
        headers["Content-Length"] = length
    assert ask(app, path, "POST", headers=headers, body=body).status == status


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "shop.example"])
def test_hosts_that_are_listed(tmp_path: Path, host: str) -> None:
    settings = MEMORY + '[server]\nallowed_hosts = ["127.0.0.1", "shop.example"]\n'
    app = app_of(write_site(tmp_path / "site", {"site.toml": settings, "pages/a.html": ON_DEMAND + "a"}))
    assert ask(app, "/a/", headers={"Host": host}).status == 200
    assert ask(app, "/a/", headers={"Host": f"evil.{host}"}).status == 400


@pytest.mark.parametrize("kind", ["websocket"])
def test_other_protocols_are_closed(app: ASGIApp, kind: str) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    asyncio.run(app({"type": kind}, receive, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_what_is_not_built_is_not_served(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", FILES)
    with pytest.raises(ServeError, match="holds no built site"):
        create_app(root, environ=ENVIRON)
    built_here(root)
    with pytest.raises(SecretError, match="needs 32"):
        create_app(root, environ={"HYBRIDSITE_SECRET": "short"})
    create_app(str(root), environ=ENVIRON)


def test_dist_alone_keeps_its_state_beside_it(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", FILES)
    built_here(root)
    elsewhere = tmp_path / "else" / "shop"
    shutil.copytree(root / "dist", elsewhere)
    assert (is_dist(elsewhere), is_dist(root / "dist"), is_dist(root)) == (True, True, False)
    assert state_folder(elsewhere, {}) == tmp_path / "else" / ".hybridsite"
    assert state_folder(root, {}) == root / ".hybridsite"
    assert state_folder(root, {"HYBRIDSITE_STATE": str(tmp_path / "kept")}) == tmp_path / "kept"
    assert ask(create_app(elsewhere, environ=ENVIRON), "/").text == "home"


@pytest.mark.parametrize(
    ("slash", "page", "other"), [("always", "/a/", "/a"), ("never", "/a", "/a/"), ("ignore", "/a", None)]
)
def test_both_kinds_of_page_have_one_form(tmp_path: Path, slash: str, page: str, other: str | None) -> None:
    settings = f'{MEMORY}[routing]\ntrailing_slash = "{slash}"\n[site]\nbase = "/app"\n'
    files = {"site.toml": settings, "pages/a.html": "a", "pages/now/a.html": ON_DEMAND + "a"}
    app = app_of(write_site(tmp_path / "site", files))
    for folder in ("/app", "/app/now"):
        assert ask(app, folder + page).status == 200
        if other is None:
            assert ask(app, f"{folder}{page}/").status == 200
        else:
            answer = ask(app, f"{folder}{other}?q=1")
            assert (answer.status, answer.header["location"]) == (308, f"{folder}{page}?q=1")
    for outside in ("/a/", "/appX/a/", "/APP/a/", "/"):
        assert ask(app, outside).status == 404  # case P2b


def test_an_endpoint_at_the_root_does_not_lead_to_itself(tmp_path: Path) -> None:
    app = app_of(
        write_site(tmp_path / "site", {"site.toml": MEMORY, "pages/index.py": "def GET(context):\n    return 'x'"})
    )
    answer = ask(app, "/")
    assert (answer.status, answer.text) == (200, "x")


def test_a_middleware_guards_every_spelling(tmp_path: Path) -> None:
    # case P2
    guard = """
        from starlette.responses import PlainTextResponse
        async def on_request(context, call_next):
            if context.url.path.startswith("/account/"):
                return PlainTextResponse("who are you?", 401)
            return await call_next(context)
        """
    files = {"site.toml": MEMORY, "middleware.py": guard, "pages/account/index.html": ON_DEMAND + "private"}
    app = app_of(write_site(tmp_path / "site", files))
    spellings = [
        "/account/", "/account", "/Account/", "//account/", "/%61ccount/", "/account/.", "/account//", "/./account/",
        "/x/../account/", "/account%2f", "/%2561ccount/", "/account;/", "/account/%2e/", "\\account/", "/account%00/",
    ]  # fmt: skip
    for spelling in spellings:
        answer = ask(app, spelling)
        assert answer.status in (308, 400, 401, 404), spelling
        assert "private" not in answer.text


def test_two_apps_share_one_secret_of_the_state(tmp_path: Path) -> None:
    root = write_site(tmp_path / "site", FILES)
    built_here(root)
    for _ in range(2):
        create_app(root, environ={})
    assert len((root / ".hybridsite/secret").read_text().strip()) >= len(SECRET)
    write_files(root, {".hybridsite/secret": "short"})
    with pytest.raises(SecretError):
        create_app(root, environ={})


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("tea.example", 200),
        ("TEA.example:8000", 200),
        ("[::1]:80", 200),
        ("evil.example", 400),
        ("tea.example.evil", 400),
    ],
)
@pytest.mark.parametrize("path", ["/", "/now/", "/healthz"])
def test_only_allowed_hosts_are_answered(tmp_path: Path, host: str, status: int, path: str) -> None:
    # case H2
    settings = MEMORY + '[server]\nallowed_hosts = ["Tea.example", "[::1]"]\n'
    files = {"site.toml": settings, "pages/index.html": "built", "pages/now.html": ON_DEMAND + "now"}
    assert ask(app_of(write_site(tmp_path / "site", files)), path, headers={"host": host}).status == status


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_is_limited_whatever_the_method(tmp_path: Path, method: str) -> None:
    # case B1
    source = "async def ALL(context):\n    return {'n': len(await context.request.body())}"
    files = {"site.toml": MEMORY + "[security]\nmax_body = 1000\n", "pages/api.py": source}
    app = app_of(write_site(tmp_path / "site", files))
    own = {"origin": "http://127.0.0.1"}
    assert ask(app, "/api", method, headers=own, body=b"a" * 1000).text == '{"n":1000}'
    assert ask(app, "/api", method, headers=own, body=b"a" * 1001).status == 413


def test_a_site_may_answer_healthz_itself(tmp_path: Path) -> None:
    files = {"site.toml": MEMORY, "pages/healthz.py": "def GET(context):\n    return 'mine'"}
    assert ask(app_of(write_site(tmp_path / "site", files)), "/healthz").text == "mine"


def test_an_upload_is_open_until_the_answer_has_left(tmp_path: Path) -> None:
    source = """
        from starlette.responses import StreamingResponse

        async def POST(context):
            form = await context.request.form()

            async def body():
                yield await form["file"].read()

            return StreamingResponse(body())
        """
    app = app_of(write_site(tmp_path / "site", {"site.toml": MEMORY, "pages/echo.py": source}))
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello\r\n--x--\r\n'
    headers = {"origin": "http://127.0.0.1", "content-type": "multipart/form-data; boundary=x"}
    assert ask(app, "/echo", "POST", headers=headers, body=body).text == "hello"


def test_an_asgi_server_is_told_that_the_site_is_at_fault(tmp_path: Path) -> None:
    from hybridsite import asgi

    site = asgi.Application(lambda: create_app(write_site(tmp_path / "site", {"pages/index.html": "x"})))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(site({"type": "lifespan"}, receive, send))
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "hybridsite build" in sent[0]["message"]


def test_a_million_fields_are_refused_at_the_thousandth(tmp_path: Path) -> None:
    # case L5
    source = "from hybridsite import action\nfrom pydantic import BaseModel\n\n\nclass F(BaseModel):\n    a: str\n\n\n"
    source += "@action\nasync def send(context, form: F):\n    return 'taken'\n"
    files = {"site.toml": MEMORY + '[limits]\nbody = "8MiB"\n', "actions.py": source, "pages/index.html": "home"}
    app = app_of(write_site(tmp_path / "site", files))
    headers = {"Origin": "http://127.0.0.1", "Content-Type": "application/x-www-form-urlencoded"}
    assert ask(app, "/_actions/send", "POST", headers=headers, body=b"a=1&" * 1_000_000).status == 400
    assert ask(app, "/_actions/send", "POST", headers=headers, body=b"a=1").status == 303


@pytest.mark.parametrize(
    ("package", "floor"),
    [("starlette", (1, 10)), ("python-multipart", (0, 0, 31)), ("jinja2", (3, 1, 6)), ("h11", (0, 16))],
)
def test_what_reads_requests_has_its_known_faults_mended(package: str, floor: tuple[int, ...]) -> None:
    # case L5
    assert tuple(map(int, version(package).split(".")[:3])) >= floor
