"""Endpoints and page modules: what they may return, methods, threads, and the origin of forms."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.support import CONSOLE, COOKIE, MakeSite, Serve, Server, ask, built, page

ON_DEMAND = "---\nprerender: false\n---\n"
SITE = {
    "pages/index.html": "home",
    "pages/404.html": "<h1>Nothing here</h1>",
    "pages/console.py": CONSOLE,
    "pages/text.py": "def GET(context):\n    return 'tea ü'",
    "pages/bytes.py": "def GET(context):\n    return b'\\x00\\xff'",
    "pages/dict.py": "async def GET(context):\n    return {'a': [1, None, 'ü']}",
    "pages/list.py": "def GET(context):\n    return [1, 2]",
    "pages/model.py": """
        import datetime, decimal
        from pydantic import BaseModel

        class Product(BaseModel):
            name: str
            since: datetime.date
            price: decimal.Decimal

        def GET(context):
            return Product(name="Tea", since="1998-02-03", price="4.20")
        """,
    "pages/response.py": """
        from starlette.responses import PlainTextResponse

        def GET(context):
            return PlainTextResponse("a teapot", 418, {"X-Kind": "pot"})
        """,
    "pages/status.py": """
        def POST(context):
            context.response.status = 201
            context.response.headers["X-Made"] = "tea"
            context.cookies.set("theme", "dark", max_age=60)
            return {"made": True}
        """,
    "pages/methods.py": """
        def GET(context):
            return "got"

        def PUT(context):
            return "put " + context.request.method

        async def DELETE(context):
            return "deleted"
        """,
    "pages/all.py": "def ALL(context):\n    return context.request.method",
    "pages/all-but.py": "def ALL(context):\n    return 'all'\n\ndef POST(context):\n    return 'post'",
    "pages/missing.py": "from hybridsite import NotFound\n\ndef GET(context):\n    raise NotFound",
    "pages/item/[id].py": "def GET(context):\n    return [context.params['id'], context.url.path, context.route]",
    "pages/about-me.py": """
        def GET(context):
            shop = context.data["shop"]["name"]
            return [context.client_address, context.prerendering, shop, context.cookies.get("x")]
        """,
    "pages/away.py": "def GET(context):\n    return context.redirect(context.request.query_params['to'])",
    "pages/later.py": "def POST(context):\n    return context.redirect('/methods', status=303)",
    "pages/header.py": """
        def GET(context):
            context.response.headers["X-Note"] = context.request.query_params["note"]
            return "noted"
        """,
    "pages/rendered.py": "def GET(context):\n    return context.render('components/note.html', text='<tea>')",
    "components/note.html": "<i><< text >></i>",
    "data/shop.json": '{"name": "Tea & Co"}',
    # threads
    "pages/wait.py": """
        import sys, threading
        gate = sys.__dict__.setdefault("tests_gate", threading.Event())

        def GET(context):
            return {"opened": gate.wait(20)}
        """,
    "pages/wait-page.html": ON_DEMAND + "<< opened >>",
    "pages/wait-page.py": "import sys\ndef load(context):\n    return {'opened': sys.tests_gate.wait(20)}",
    "pages/open.py": "import sys\n\nasync def POST(context):\n    sys.tests_gate.set()\n    return 'open'",
    "pages/run.py": """
        import asyncio, threading

        async def answer():
            await asyncio.sleep(0)
            return [42, threading.current_thread() is threading.main_thread()]

        def GET(context):
            return context.run(answer()) + [threading.current_thread() is threading.main_thread()]
        """,
    # page modules
    "pages/greet/[name].html": ON_DEMAND + "<< greeting >>, << params.name >> << extra >>",
    "pages/greet/[name].py": """
        from hybridsite import NotFound
        from starlette.responses import PlainTextResponse

        async def load(context):
            if context.params["name"] == "nobody":
                raise NotFound
            if context.params["name"] == "response":
                return PlainTextResponse("no page", 202)
            return {"greeting": "Hello", "extra": context.request.query_params.get("extra")}

        def POST(context):
            context.session["greeted"] = context.params["name"]
            return context.redirect("/greet/you/", 303)

        async def DELETE(context):
            return PlainTextResponse("gone: " + context.params["name"])
        """,
}


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client()


def allowed(answer: httpx.Response) -> set[str]:
    return set(answer.headers["allow"].replace(" ", "").split(","))


def test_what_an_endpoint_returns(client: httpx.Client) -> None:
    assert client.get("/text").text == "tea ü"
    assert client.get("/bytes").content == b"\x00\xff"
    assert client.get("/rendered").text == "<i>&lt;tea&gt;</i>"
    for path, value in (
        ("/dict", {"a": [1, None, "ü"]}),
        ("/list", [1, 2]),
        ("/model", {"name": "Tea", "since": "1998-02-03", "price": "4.20"}),
    ):
        answer = client.get(path)
        assert answer.json() == value
        assert answer.headers["content-type"].startswith("application/json")


def test_every_answer_says_its_type(client: httpx.Client) -> None:
    # case X8
    for path in ("/", "/text", "/bytes", "/dict", "/methods"):
        answer = client.get(path)
        assert "/" in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_response_is_sent_as_it_is(client: httpx.Client) -> None:
    answer = client.get("/response")
    assert (answer.status_code, answer.text, answer.headers["x-kind"]) == (418, "a teapot", "pot")


def test_status_headers_and_cookies_of_the_answer(client: httpx.Client) -> None:
    answer = client.post("/status")
    assert (answer.status_code, answer.json(), answer.headers["x-made"]) == (201, {"made": True}, "tea")
    assert client.cookies["theme"] == "dark"
    assert "max-age=60" in answer.headers["set-cookie"].lower()


def test_methods(client: httpx.Client) -> None:
    assert client.get("/methods").text == "got"
    assert client.put("/methods").text == "put PUT"
    assert client.delete("/methods").text == "deleted"
    head = client.head("/methods")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "3")


def test_an_unsupported_method_is_405_with_allow(client: httpx.Client) -> None:
    for method in ("POST", "PATCH", "TRACE"):
        answer = client.request(method, "/methods")
        assert answer.status_code == 405, method
        assert {"GET", "HEAD", "PUT", "DELETE"} <= allowed(answer)
        assert "POST" not in allowed(answer)


def test_options_comes_by_itself(client: httpx.Client) -> None:
    answer = client.options("/methods")
    assert answer.status_code in (200, 204)
    assert answer.content == b""
    assert allowed(answer) == {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}


def test_all_answers_what_has_no_function_of_its_own(client: httpx.Client) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, "/all").text == method
    assert client.post("/all-but").text == "post"
    assert client.get("/all-but").text == "all"


def test_a_method_override_has_no_effect(client: httpx.Client) -> None:
    # case H6
    assert client.get("/methods", headers={"X-HTTP-Method-Override": "DELETE"}).text == "got"
    assert client.get("/methods?_method=DELETE").text == "got"


def test_not_found_gives_the_site_s_page(client: httpx.Client) -> None:
    for path in ("/missing", "/greet/nobody/"):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (404, "<h1>Nothing here</h1>")


def test_parameters_url_and_route(client: httpx.Client) -> None:
    assert client.get("/item/a%20b%3F").json()[0] == "a b?"
    assert client.get("/item/7").json()[:2] == ["7", "/item/7"]
    assert "[id]" in client.get("/item/7").json()[2]


def test_the_rest_of_the_context(client: httpx.Client) -> None:
    client.cookies.set("x", "1", domain="127.0.0.1")
    assert client.get("/about-me").json() == ["127.0.0.1", False, "Tea & Co", "1"]


def test_redirect(client: httpx.Client) -> None:
    answer = client.get("/away?to=/methods")
    assert (answer.status_code, answer.headers["location"]) == (302, "/methods")
    answer = client.post("/later")
    assert (answer.status_code, answer.headers["location"]) == (303, "/methods")


@pytest.mark.parametrize("text", ["a%0D%0AX-Evil: 1", "a%0AX-Evil: 1", "a%00b"])
def test_a_line_break_never_comes_into_a_header(client: httpx.Client, text: str) -> None:
    # case X4, case R2
    for path in (f"/header?note={text}", f"/away?to=/{text}"):
        answer = client.get(path)
        assert "x-evil" not in answer.headers
        location = answer.headers.get("location", "")
        assert answer.status_code == 500 or (answer.status_code == 302 and location.isprintable())
    assert client.get("/text").status_code == 200


def test_a_prerendered_endpoint_is_a_file(make_site: MakeSite, serve: Serve) -> None:
    code = "prerender = True\n\ndef GET(context):\n    return {'built': context.prerendering}"
    site = make_site(
        {"pages/stats.json.py": code, "pages/note.txt.py": "prerender = True\ndef GET(c):\n    return 'ü'"}
    )
    built(site)
    client = serve(site).client()
    assert client.get("/stats.json").json() == {"built": True}
    assert client.get("/stats.json").text == page(site, "stats.json")
    assert client.get("/note.txt").text == page(site, "note.txt") == "ü"
    assert client.post("/stats.json").status_code == 405


@pytest.mark.parametrize("path", ["/wait", "/wait-page/"])
def test_a_slow_function_never_blocks_the_server(make_site: MakeSite, serve: Serve, path: str) -> None:
    # More wait at once than any pool of workers has by chance one thread for.
    server = serve(make_site(SITE))
    answers: list[httpx.Response] = []
    clients = [server.client() for _ in range(5)]
    assert server.client().get("/text").status_code == 200
    ask(server.client(), "import sys, threading; sys.__dict__.setdefault('tests_gate', threading.Event())")
    threads = [threading.Thread(target=lambda c=c: answers.append(c.get(path))) for c in clients]
    for thread in threads:
        thread.start()
    assert server.client().get("/text").text == "tea ü"
    assert answers == []
    assert server.client().post("/open").text == "open"
    for thread in threads:
        thread.join(30)
    assert len(answers) == 5
    assert {answer.status_code for answer in answers} == {200}
    assert all("rue" in answer.text for answer in answers)


def test_a_plain_function_may_run_what_is_awaitable(client: httpx.Client) -> None:
    assert client.get("/run").json() == [42, True, False]


def test_a_page_module_loads_answers_and_posts(client: httpx.Client) -> None:
    assert client.get("/greet/Ann/").text.strip() == "Hello, Ann"
    assert client.get("/greet/Ann/?extra=%3Cb%3E").text.strip() == "Hello, Ann &lt;b&gt;"
    answer = client.get("/greet/response/")
    assert (answer.status_code, answer.text) == (202, "no page")
    answer = client.post("/greet/Bob/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/greet/you/")
    assert ask(client, "result = session['greeted']") == "'Bob'"
    assert client.delete("/greet/Bob/").text == "gone: Bob"
    answer = client.put("/greet/Bob/")
    assert answer.status_code == 405
    assert {"GET", "HEAD", "POST", "DELETE"} <= allowed(answer)


FORMS: list[dict[str, str]] = [
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "Multipart/Form-Data; boundary=x"},
    {"Content-Type": "text/plain;charset=utf-8"},
    {},
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.get("Content-Type", "none"))
def test_a_form_needs_the_site_s_own_origin(server: Server, client: httpx.Client, form: dict[str, str]) -> None:
    # case H3, case H4
    ask(client, "session['a'] = 1")
    cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}

    def status(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = httpx.post(f"{server.url}/all", headers=form | sent, trust_env=False, verify=False, content=b"")
        return answer.status_code

    assert status(Origin=server.url) == 200
    assert status(Origin=server.url, **cookie) == 200
    assert status(Sec_Fetch_Site="same-origin", **cookie) == 200
    assert status() == 200  # no browser: neither header, no cookie of ours
    assert status(**cookie) == 403
    for origin in (
        "null",
        "https://evil.example",
        f"http://127.0.0.1:{server.port + 1}",
        server.url.replace("http:", "https:"),
        f"{server.url}.evil.example",
        f"http://127.0.0.1:{server.port}@evil.example",
        f"{server.url}/",
    ):
        assert status(Origin=origin) == 403 or origin.endswith("/"), origin
        assert status(Origin=origin, **cookie) == 403 or origin.endswith("/"), origin
    assert status(Sec_Fetch_Site="cross-site") == 403
    assert status(Sec_Fetch_Site="same-site", **cookie) == 403


def test_what_no_form_can_send_needs_no_origin(server: Server) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/all", headers=headers, content=b"{}", trust_env=False, verify=False)
    assert (answer.status_code, answer.text) == (200, "POST")


@pytest.mark.parametrize(
    ("setting", "origin"), [("check_origin = false", "null"), ('origins = ["https://a.example"]', "https://a.example")]
)
def test_the_origin_check_is_set(make_site: MakeSite, serve: Serve, setting: str, origin: str) -> None:
    server = serve(make_site({"site.toml": f"[security]\n{setting}", "pages/all.py": "def ALL(c): return 'all'"}))
    assert server.client().post("/all", headers={"Origin": origin}).status_code == 200
