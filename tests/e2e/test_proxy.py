"""Behind a proxy that ends TLS: forms come in where the site knows its own address, and the log says what to set."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.e2e import nginx
from tests.e2e.support import MakeSite, Serve, Server, built, free_port, session_cookie, wait_until
from tests.e2e.test_asgi_servers import COMMANDS, started

FILES = {
    "pages/form.html": "---\nprerender: false\n---\n<< session.get('typed', '') >>",
    "pages/form.py": "async def POST(context):\n    form = await context.request.form()\n"
    "    context.session['typed'] = form['a']\n    return context.redirect('/form/', 303)",
    "pages/where.py": "def GET(context):\n    return f'{context.url.origin} {context.client_address}'",
}
NAMED = "proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"


def post(port: int, origin: str | None = None, **headers: str) -> httpx.Response:
    own = f"https://127.0.0.1:{port}"
    with httpx.Client(base_url=own, verify=False, trust_env=False) as client:
        return client.post("/form/", data={"a": "typed"}, headers={"Origin": origin or own, **headers})


@pytest.mark.parametrize(
    ("name", "settings", "headers"),
    [
        ("serve", "", NAMED),
        ("serve", '[site]\nurl = "https://127.0.0.1:PORT"\n[server]\nproxies = ["127.0.0.0/31"]\n', NAMED),
        ("serve", '[site]\nurl = "https://127.0.0.1:PORT"\n[server]\nproxies = []\n', ""),
        ("serve", '[server]\nproxies = []\n[security]\norigins = ["https://127.0.0.1:PORT"]\n', ""),
        *((name, "", NAMED) for name in COMMANDS),
    ],
)
def test_a_form_comes_in(make_site: MakeSite, tmp_path: Path, name: str, settings: str, headers: str) -> None:
    port = free_port()
    site = make_site({"site.toml": settings.replace("PORT", str(port)), **FILES})
    built(site)
    command = None if name == "serve" else started(name)
    folder = tmp_path / "nginx"
    with (
        Server(site, env={"HYBRIDSITE_SITE": str(site)}, command=command) as server,
        nginx.running(folder, port, nginx.tls(folder, port, server.port, headers)),
    ):
        answer = post(port)
        assert (answer.status_code, answer.headers["location"]) == (303, "/form/")
        cookie = session_cookie(answer)
        assert cookie is not None
        assert ("secure" in cookie) == bool(headers)  # on a loopback host [site] url alone doesn't say https
        # 127.0.0.1 is a proxy that is named; a client comes from elsewhere.
        elsewhere = httpx.HTTPTransport(verify=False, local_address="127.0.0.2")
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", transport=elsewhere, trust_env=False) as client:
            client.cookies.set("hybridsite-session", cookie["value"])
            assert client.get("/form/").text == "typed"
            if headers:
                # case H1: what the client forwards itself is not the last word
                forged = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Host": "evil.example"}
                assert client.get("/where", headers=forged).text == f"https://127.0.0.1:{port} 127.0.0.2"
        evils = ["https://127.0.0.1", "https://evil.example", "null"]
        # Without the proxy's word and [site] url, nothing says that the site is not at http.
        evils += [f"http://127.0.0.1:{port}"] if "origins" not in settings else []
        for evil in evils:
            assert post(port, evil).status_code == 403  # case H4


def test_where_the_site_doesn_t_know_its_address_the_log_says_what_to_set(
    make_site: MakeSite, serve: Serve, tmp_path: Path
) -> None:
    # case H1
    port = free_port()
    server = serve(make_site({"site.toml": "[server]\nproxies = []\n", **FILES}))
    folder = tmp_path / "nginx"
    with nginx.running(folder, port, nginx.tls(folder, port, server.port, NAMED)):
        answers = [post(port), post(port), post(port, "https://evil.example")]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    for answer in answers:
        assert "origin" not in answer.text.lower()
        assert str(port) not in answer.text
    wait_until(lambda: "evil.example" in server.log(), "the log")
    own = f"the site's own is http://127.0.0.1:{port}; "
    first, second = [line for line in server.log().splitlines() if "refused with 403" in line]
    assert f"its Origin is https://127.0.0.1:{port}, and {own}" in first
    mend = f'set [site] url = "https://127.0.0.1:{port}", or name the proxy in [server] proxies'
    assert first.endswith(f"behind a proxy that ends TLS {mend}")
    assert f"its Origin is https://evil.example, and {own}" in second
    assert "[security] origins" in second


def test_a_plain_host_gives_out_a_static_build(make_site: MakeSite, tmp_path: Path) -> None:
    # case R9
    toml = '[build]\nadapter = "static"\n[redirects]\n"/old" = "/new"\n"/older.html" = "/new"\n'
    site = make_site({"site.toml": toml, "pages/new.html": "new", "pages/404.html": "none"})
    built(site)
    port = free_port()
    root = f"server {{ listen 127.0.0.1:{port}; root {site}/dist/client; error_page 404 /404.html; }}"
    with (
        nginx.running(tmp_path / "nginx", port, root),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        for path in ("/old/", "/older.html"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
            assert '<meta http-equiv="refresh" content="0; url=/new/">' in answer.text
        assert client.get("/new/").text == "new"
        assert (client.get("/nowhere/").status_code, client.get("/nowhere/").text) == (404, "none")
