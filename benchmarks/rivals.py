"""What answers the same beside hybridsite, each as it is usually served: uvicorn, Starlette, nginx, Astro on Node.

Astro and Node come from npm by `--install`, with the tools of build.py; nginx is the system's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peers
from load import Server, fetch, free_port, running
from served import COUNT, LAYOUT, PAGE, TEXT

PEER = """
import json, os, pathlib
import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

here = pathlib.Path(__file__).parent
body = (here / "dist/client/index.html").read_bytes()
headers, piece_headers = (
    [(name.encode(), value.encode()) for name, value in json.loads((here / f"{file}.json").read_text())]
    for file in ("headers", "piece")
)
templates = jinja2.Environment(
    loader=jinja2.DictLoader(json.loads((here / "templates.json").read_text())),
    variable_start_string="<<", variable_end_string=">>", autoescape=True,
)

async def bare(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

async def piece(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": piece_headers})
    await send({"type": "http.response.body", "body": b'{"' + b"x" * 24 + b'":"<b>1</b>"}'})

async def form(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    seen = [(b"location", b"/"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": seen})
    await send({"type": "http.response.body", "body": b""})

async def now(request):
    return HTMLResponse(templates.get_template("page").render(request=request, title="Inks"))

async def read(request):
    return HTMLResponse(templates.get_template("count").render(request=request, session=request.session, title="Inks"))

async def write(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HTMLResponse(templates.get_template("count").render(request=request, session=request.session, title="Inks"))

files = Starlette(routes=[Mount("/", StaticFiles(directory=here / "dist/client", html=True))])
plain = Starlette(routes=[Route("/now/", now)])
sessions = Starlette(
    routes=[Route("/read/", read), Route("/write/", write)],
    middleware=[Middleware(SessionMiddleware, secret_key="x" * 40)],
)
"""
NGINX = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  types {{ text/html html; }}
  client_body_temp_path {folder}/temporary;
  proxy_temp_path {folder}/temporary;
  fastcgi_temp_path {folder}/temporary;
  uwsgi_temp_path {folder}/temporary;
  scgi_temp_path {folder}/temporary;
  server {{
    listen 127.0.0.1:{port};
    root {root};
  }}
}}
"""
# The session's driver is the one that the adapter for Node takes by itself: files.
ASTRO = """import node from "@astrojs/node";
export default {
  output: "server", adapter: node({ mode: "standalone" }), cacheDir: "./.astro-cache", compressHTML: false,
  devToolbar: { enabled: false },
};
"""
ASTRO_LAYOUT = """---
const { title } = Astro.props;
---
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<nav>{["Inks", "Journal", "Cart"].map((name) => <a href={`/${name.toLowerCase()}/`}>{name}</a>)}</nav>
<main><slot /></main>
</body>
</html>
"""
ASTRO_PAGE = """---
import Base from "../layouts/Base.astro";
CODE
---
<Base title="Inks">COUNT<h1>Inks</h1>
<ul>{Array.from({ length: 10 }, (_, number) => (
  <li class="pot"><a href={`/shop/${number}/`}>Ink number {number}</a> <span>at {number * 2} a pot</span></li>
))}</ul>
TEXT</Base>
"""
_READ = 'const count = (await Astro.session.get("count")) ?? 0;'
_WRITE = 'const count = ((await Astro.session.get("count")) ?? 0) + 1;\nAstro.session.set("count", count);'
_SHOWN = "<p>{count} so far</p>"
ASTRO_PAGES = {
    "index": ("export const prerender = true;", ""),
    "now": ("", ""),
    "read": (_READ, _SHOWN),
    "write": (_WRITE, _SHOWN),
}
APPLICATIONS = {
    "uvicorn": "bare",
    "uvicorn, a form": "form",
    "uvicorn, a piece": "piece",
    "Starlette": "plain",
    "Starlette, StaticFiles": "files",
    "Starlette, SessionMiddleware": "sessions",
}
"""What uvicorn serves, by the names under which it is told."""


def write_headers(folder: Path, name: str, port: int, path: str) -> None:
    """Writes the headers of an answer for the peer that sends the same."""
    headers = fetch(port, path).getheaders()
    told = [(name.lower(), value) for name, value in headers if name.lower() != "date"]
    (folder / f"{name}.json").write_text(json.dumps(told))


def write_applications(folder: Path, site: Server, piece: str) -> None:
    """Writes what uvicorn serves into the folder of the built site, and the headers which that sends."""
    (folder / "peer.py").write_text(PEER)
    templates = {"layouts/base.html": LAYOUT, "page": PAGE, "count": COUNT}
    (folder / "templates.json").write_text(json.dumps(templates))
    write_headers(folder, "headers", site.port, "/")
    write_headers(folder, "piece", site.port, piece)


def write_astro(folder: Path) -> None:
    """Writes the same pages for Astro."""
    pages = {
        f"src/pages/{name}.astro": ASTRO_PAGE.replace("CODE", code).replace("COUNT", shown).replace("TEXT", TEXT)
        for name, (code, shown) in ASTRO_PAGES.items()
    }
    files = {
        "package.json": '{"type": "module", "private": true}',
        "astro.config.mjs": ASTRO,
        "src/layouts/Base.astro": ASTRO_LAYOUT,
        **pages,
    }
    peers.write(folder, files)
    (folder / "node_modules").symlink_to(peers.AT_HAND / "npm/node_modules")


@contextmanager
def serving(name: str, folder: Path) -> Iterator[Server | None]:
    """Runs what is beside the site that was built in a folder; gives None where it isn't at hand."""
    port = free_port()
    if name in APPLICATIONS:
        command = [sys.executable, "-m", "uvicorn", f"peer:{APPLICATIONS[name]}", "--port", str(port)]
        command += ["--no-access-log", "--no-server-header", "--log-level", "error"]
        with running(command, port, folder) as server:
            yield server
    elif name == "nginx":
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            yield None
            return
        own = folder / "nginx"
        own.mkdir()
        (own / "nginx.conf").write_text(NGINX.format(folder=own, port=port, root=folder / "dist/client"))
        with running([program, "-p", str(own), "-c", str(own / "nginx.conf")], port, own) as server:
            yield server
    else:
        with _astro(folder / "astro", port) as server:
            yield server


@contextmanager
def _astro(folder: Path, port: int) -> Iterator[Server | None]:
    modules = peers.AT_HAND / "npm/node_modules"
    node = modules / "node/bin/node"
    if not node.exists() or not (modules / "@astrojs/node").exists():
        yield None
        return
    write_astro(folder)
    environ = {"ASTRO_TELEMETRY_DISABLED": "1", "HOST": "127.0.0.1", "PORT": str(port), "NODE_ENV": "production"}
    build = [str(node), str(modules / "astro/bin/astro.mjs"), "build", "--silent"]
    subprocess.run(build, cwd=folder, env={**os.environ, **environ}, check=True, stdout=subprocess.DEVNULL)
    with running([str(node), "dist/server/entry.mjs"], port, folder, environ) as server:
        yield server
