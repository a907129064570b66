"""`hybridsite.asgi` under other servers, and mounted in other applications, each over real HTTP."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.e2e.support import MakeSite, Server, built, wait_until, write_files

SITE: dict[str, str | bytes] = {
    "pages/index.html": "home <a href=\"<< url_for('pages/form.html') >>\">form</a>",
    "pages/form.html": "---\nprerender: false\n---\n<< session.get('typed', '') >>",
    "pages/form.py": "async def POST(context):\n    form = await context.request.form()\n"
    "    context.session['typed'] = form['a']\n    return context.redirect(context.url_for('pages/form.html'), 303)",
    "pages/say/[word].py": "def GET(context):\n    return context.params['word']",
    "public/large.bin": bytes(range(256)) * 2000,
}
SERVING = (Path(__file__).parents[2] / "docs/serving.md").read_text("utf-8")
COMMANDS = {
    line.split()[0]: line.split() for line in re.findall(r"^HYBRIDSITE_SITE=my-site (.+)$", SERVING, re.MULTILINE)
}
"""What the documentation says to start the site under each server."""
_AT = {"gunicorn": ("-b", "127.0.0.1:PORT"), "hypercorn": ("--bind", "127.0.0.1:PORT")}


def started(name: str) -> Callable[[int], Sequence[str]]:
    """Gives what starts the site under a server, as the documentation has it, at a port of the test's."""
    at = _AT.get(name, ("--port", "PORT"))
    return lambda port: [sys.executable, "-m", *COMMANDS[name], *(word.replace("PORT", str(port)) for word in at)]


def test_the_documentation_has_each_server_and_each_mount() -> None:
    assert set(COMMANDS) == {"uvicorn", "gunicorn", "hypercorn", "granian"}
    assert set(MOUNTED) == {"Starlette", "FastAPI", "no lifespan"}
    assert "lifespan" not in MOUNTED["no lifespan"]


@pytest.mark.parametrize("name", COMMANDS)
def test_another_server_runs_the_site_and_takes_new_builds(make_site: MakeSite, name: str) -> None:
    site = make_site(SITE)
    built(site)
    with Server(site, env={"HYBRIDSITE_SITE": str(site)}, command=started(name)) as server:
        client = server.client()
        home = client.get("/")
        assert (home.status_code, home.text[:4]) == (200, "home")
        assert client.get("/", headers={"If-None-Match": home.headers["etag"]}).status_code == 304
        assert client.head("/").headers["content-length"] == home.headers["content-length"]
        part = client.get("/large.bin", headers={"Range": "bytes=256000-256003"})
        assert (part.status_code, part.content) == (206, bytes([0, 1, 2, 3]))
        assert client.get("/say/50%25%20w%C3%BCst").text == "50% wüst"
        assert client.post("/form/", data={"a": "woad"}).headers["location"] == "/form/"
        assert client.get("/form/").text == "woad"
        assert client.post("/form/", data={"a": "x"}, headers={"Origin": "https://evil.example"}).status_code == 403
        assert client.post("/form/", data={"a": "a" * 2**21}).status_code == 413
        write_files(site, {"pages/index.html": "another home"})
        built(site)
        wait_until(lambda: client.get("/").text == "another home", "the new build")
        assert client.get("/form/").text == "woad"
        assert server.stop() in (0, -signal.SIGTERM)
        assert "Traceback" not in server.log()


MOUNTED = {
    "Starlette" if "starlette" in code else "FastAPI": code
    for code in re.findall(r"^```python\n(.+?)^```$", SERVING, re.MULTILINE | re.DOTALL)
    if "create_app" in code
}
"""What the documentation says of a site under a path of another application, and the same without its lifespan."""
MOUNTED["no lifespan"] = MOUNTED["Starlette"].replace(", lifespan=site.lifespan", "")
OUTSIDE = """
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def outside(request):
    return PlainTextResponse("the outer application")

app.router.routes.append(Route("/", outside))
"""


@pytest.mark.parametrize("name", MOUNTED)
def test_a_site_mounted_under_a_path_of_another_application(make_site: MakeSite, tmp_path: Path, name: str) -> None:
    site = make_site(SITE | {"site.toml": '[site]\nbase = "/shop"\n'})
    built(site)
    write_files(tmp_path, {"outer_app.py": MOUNTED[name].replace("my-site", str(site)) + OUTSIDE})

    def command(port: int) -> list[str]:
        return [*(sys.executable, "-m", "uvicorn", "--app-dir", str(tmp_path)), "outer_app:app", "--port", str(port)]

    with Server(site, command=command) as server:
        client = server.client()
        assert "the outer application" in client.get("/").text
        home = client.get("/shop/")
        assert 'href="/shop/form/"' in home.text
        assert client.get("/shop").headers["location"].endswith("/shop/")
        assert client.get("/shop/say/50%25%20w%C3%BCst").text == "50% wüst"
        answer = client.post("/shop/form/", data={"a": "woad"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/shop/form/")
        assert client.get("/shop/form/").text == "woad"
        write_files(site, {"pages/index.html": "another home"})
        built(site)
        wait_until(lambda: client.get("/shop/").text == "another home", "the new build")
        server.restart()
        assert client.get("/shop/form/").text == "woad"  # nothing was lost at the end
        assert "Traceback" not in server.log()
        assert "never" not in server.log()  # a task or a coroutine that nobody waited for
