"""Behind a CDN: each kind of answer says what docs/scaling.md has, and a shared cache that obeys mixes up nobody."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.e2e import nginx
from tests.e2e.support import MakeSite, Serve, Server, built, free_port, write_files

DOCUMENT = (Path(__file__).parents[2] / "docs/scaling.md").read_text("utf-8")
KEPT = "---\nprerender: false\ncache: {max_age: 60, tags: [products]}\n"
FILES: dict[str, str | bytes] = {
    "assets/site.css": "b { color: red }",
    "pages/index.html": "<link rel=stylesheet href=\"<< asset('site.css') >>\">"
    '{% island "components/name.html" %}…{% endisland %}',
    "components/name.html": "<< session.get('name', 'nobody') >>",
    "pages/now.py": "turn = 0\ndef GET(context):\n    global turn\n    turn += 1\n    return str(turn)\n",
    "pages/kept.html": KEPT + "---\nkept",
    "pages/turn.py": "turn = 0\ndef load(context):\n    global turn\n    turn += 1\n    return {'turn': turn}\n",
    "pages/mine.html": "---\nprerender: false\n---\n<< session.get('name', 'nobody') >>",
    "pages/mine.py": "async def POST(context):\n    form = await context.request.form()\n"
    "    context.session['name'] = form['name']\n    return context.redirect('/mine/', 303)\n",
    "pages/members.html": "---\nguard: true\n---\nmembers",
    "middleware.py": "async def on_request(context, call_next):\n    return await call_next(context)\n",
    "actions.py": "from hybridsite import action\n\n@action\nasync def order(context):\n    return 1\n",
}


@pytest.fixture
def server(make_site: MakeSite, serve: Serve) -> Server:
    """A server of a site with each kind of answer; /turn/ has the front matter that the documentation shows."""
    shown = re.search(r"^```html\n(---\n.+?---\n)```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert shown
    site = make_site(FILES)
    write_files(site, {"pages/turn.html": shown[1] + "<< turn >>"})
    built(site)
    return serve(site)


def documented() -> dict[str, str]:
    """What the documentation says of each kind of answer."""
    rows = dict(re.findall(r"^\| ([^|]+?) \| `([^`|]+)` \| [^|]+ \|$", DOCUMENT, re.MULTILINE))
    del rows["answer"]  # the head of the table
    return rows


def places(client: httpx.Client) -> dict[str, str]:
    """Where each kind of answer is, by its beginning."""
    page = client.get("/").text
    sheet, script, slot = (re.search(rf'{name}="([^"]+)"', page) for name in ("href", "src", "name"))
    assert sheet
    assert script
    assert slot
    return {
        "fingerprinted file": sheet[1],
        "script of the islands": script[1],
        "any other built file": "/",
        "page on demand, endpoint": "/now",
        "page on demand with `cache:`": "/kept/",
        "page with a `Cache-Control` of its own": "/turn/",
        "page or endpoint that used the session": "/mine/",
        "island": f"/_islands/{slot[1]}.json",
        "guarded page": "/members/",
        "redirect": "/mine",
        "page for 404": "/nowhere/",
        "`/healthz`": "/healthz",
    }


def test_each_kind_of_answer_says_what_the_documentation_has(server: Server) -> None:
    client = server.client()
    told = documented()
    for kind, path in places(client).items():
        (row,) = (row for row in told if row.startswith(kind))
        answer = client.get(path)
        assert answer.headers["cache-control"] == told.pop(row), row
        assert ("cookie" in answer.headers.get("vary", "").lower()) == (path in ("/mine/",) or row == "island"), row
    action = client.post("/_actions/order")
    assert (action.status_code, action.headers["cache-control"]) == (303, told.pop("answer of an action"))
    assert told == {}  # no row that nobody looks at


def test_a_shared_cache_that_obeys_keeps_what_it_may_and_mixes_up_nobody(server: Server, tmp_path: Path) -> None:
    # case R3
    port, folder = free_port(), tmp_path / "nginx"
    cdn = f"""
      proxy_cache_path {folder}/cdn keys_zone=cdn:1m;
      server {{
        listen 127.0.0.1:{port};
        location / {{
          proxy_pass {server.url};
          proxy_set_header Host $http_host;
          proxy_cache cdn;
          add_header X-CDN $upstream_cache_status always;
        }}
      }}
    """
    own = f"http://127.0.0.1:{port}"
    with (
        nginx.running(folder, port, cdn),
        httpx.Client(base_url=own, trust_env=False, headers={"Origin": own}) as ann,
        httpx.Client(base_url=own, trust_env=False, headers={"Origin": own}) as ben,
    ):
        for client, name in ((ann, "Ann"), (ben, "Ben")):
            assert client.post("/mine/", data={"name": name}).status_code == 303
        where = places(ann)
        kept = ("fingerprinted file", "script of the islands", "page with a `Cache-Control` of its own")
        for kind in kept:
            assert [client.get(where[kind]).headers["x-cdn"] for client in (ann, ben)] == ["MISS", "HIT"], kind
        assert {client.get("/turn/").text for client in (ann, ben)} == {"1"}
        for kind in where.keys() - set(kept):
            assert {client.get(where[kind]).headers["x-cdn"] for client in (ann, ben, ann)} == {"MISS"}, kind
        for client, name in ((ann, "Ann"), (ben, "Ben"), (ann, "Ann")):
            assert client.get("/mine/").text == name
            assert name in client.get(where["island"]).text
        assert [client.get("/now").text for client in (ann, ben)] == ["4", "5"]
