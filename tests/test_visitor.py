"""A visitor of a site under test: cookies, redirects, forms, actions, islands, and the session in the test's hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hybridsite.errors import SessionValueError, SiteError
from hybridsite.testing import BuiltSite, Client, build_site, client

ON_DEMAND = "---\nprerender: false\n---\n"
FILES: dict[str, str | bytes] = {
    "actions.py": """
        from pydantic import BaseModel, Field
        from hybridsite import UploadFile, action

        class Wish(BaseModel):
            what: str = Field(min_length=2)
            colours: list[str] = []
            picture: UploadFile | None = None

        @action
        async def wish(context, form: Wish):
            context.session["wish"] = form.what
            size = len(await form.picture.read()) if form.picture else 0
            return {"what": form.what, "colours": form.colours, "size": size}
    """,
    "components/name.html": "<b><< session.get('name', 'stranger') >></b>",
    "components/shout.html": "<i><< text >></i>",
    "pages/index.html": '{% island "components/name.html" %}<u>fallback</u>{% endisland %} and '
    '{% island "components/shout.html", text="hey" %}{% endisland %}',
    "pages/plain.html": "plain",
    "public/dot.png": b"\x89PNG\xff",
    "pages/wish.html": ON_DEMAND + "<< action_result.data >>|<< action_result.fields.what | join >>",
    "pages/flash.html": ON_DEMAND + "{% for message in flashes() %}<< message >>{% endfor %}",
    "pages/café.html": ON_DEMAND + "<< url.path >>?<< url.query >>",
    "pages/go/[to].py": """
        def GET(context):
            return context.redirect({"wish": "/wish/#x", "away": "https://other.example/", "round": "/go/round"}
                                    [context.params["to"]])

        async def POST(context):
            return context.redirect("/echo", int(context.params["to"]))
    """,
    "pages/echo.py": """
        async def ALL(context):
            body = (await context.request.body()).decode()
            return {"method": context.request.method, "body": body,
                    "type": context.request.headers.get("content-type"), "cookies": dict(context.request.cookies)}
    """,
    "pages/cookies.py": """
        def GET(context):
            context.cookies.set("theme", "dark")
            return "set"

        def POST(context):
            context.cookies.delete("theme")
            return "deleted"

        def PUT(context):
            context.cookies.set("odd", 'a; "b"')
            return "set"
    """,
    "pages/form.py": """
        async def POST(context):
            form = await context.request.form()
            file = form.get("file")
            text = (await file.read()).decode() if file else ""
            return {"names": form.getlist("name"), "file": file and [file.filename, file.content_type, text]}
    """,
    "pages/sign.py": """
        def POST(context):
            context.session.regenerate()
            context.session["user"] = "Ann"
            return "in"
    """,
}


@pytest.fixture(scope="module")
def site() -> Iterator[BuiltSite]:
    with build_site(FILES) as site:
        yield site


@pytest.fixture
def visitor(site: BuiltSite) -> Client:
    return client(site)


def test_redirects_are_followed_as_long_as_they_lead_to_the_site(visitor: Client) -> None:
    answer = visitor.get("/go/wish")
    assert (answer.status, answer.url) == (200, "/wish/")
    assert [(step.status, step.url) for step in answer.history] == [(302, "/go/wish")]
    assert visitor.get("/plain?a=1").url == "/plain/?a=1"  # the canonical form
    away = visitor.get("/go/away")
    assert (away.status, away.header["location"], away.history) == (302, "https://other.example/", ())
    stays = visitor.get("/go/wish", follow=False)
    assert (stays.status, stays.url, stays.header["location"]) == (302, "/go/wish", "/wish/#x")


def test_a_circle_of_redirects_is_an_error(visitor: Client) -> None:
    with pytest.raises(SiteError, match="from /go/round don't end"):
        visitor.get("/go/round")


@pytest.mark.parametrize(("status", "method", "body"), [(303, "GET", ""), (302, "GET", ""), (307, "POST", "a=b")])
def test_a_form_is_sent_again_only_where_the_redirect_says_so(
    visitor: Client, status: int, method: str, body: str
) -> None:
    told = visitor.post(f"/go/{status}", {"a": "b"}).json()
    assert (told["method"], told["body"]) == (method, body)
    assert (told["type"] is None) == (body == "")


def test_cookies_are_kept_sent_and_forgotten(visitor: Client) -> None:
    visitor.get("/cookies")
    assert visitor.cookies == {"theme": "dark"}
    visitor.cookies["other"] = "1"
    assert visitor.get("/echo").json()["cookies"] == {"theme": "dark", "other": "1"}
    visitor.post("/cookies")
    assert visitor.cookies == {"other": "1"}
    visitor.request("PUT", "/cookies")
    assert visitor.get("/echo").json()["cookies"]["odd"] == 'a; "b"'


def test_forms_with_and_without_files(visitor: Client) -> None:
    assert visitor.post("/form", {"name": ["a", "ü"]}).json() == {"names": ["a", "ü"], "file": None}
    sent = visitor.post("/form", {"name": ["a", "b"]}, files={"file": ("n.txt", b"hello", "text/plain")})
    assert sent.json() == {"names": ["a", "b"], "file": ["n.txt", "text/plain", "hello"]}


def test_json_and_other_bodies(visitor: Client) -> None:
    told = visitor.post("/echo", json={"a": [1]}).json()
    assert (told["type"], told["body"]) == ("application/json", '{"a": [1]}')
    told = visitor.request("PUT", "/echo", body=b"raw", headers={"Content-Type": "text/x"}).json()
    assert (told["method"], told["type"], told["body"]) == ("PUT", "text/x", "raw")


def test_a_form_of_another_site_is_refused(visitor: Client) -> None:
    assert visitor.post("/echo", headers={"Origin": "https://evil.example"}).status == 403
    assert visitor.post("/echo").status == 200


def test_paths_are_written_as_people_write_them(visitor: Client) -> None:
    assert visitor.get("/café/?q=é a").text == "/café/?q=%C3%A9%20a"
    assert visitor.get("/caf%C3%A9/").text == "/café/?"


def test_what_a_test_puts_into_the_session_the_site_finds_there_and_the_other_way_round(visitor: Client) -> None:
    visitor.session["user"] = {"name": "Ann", "since": datetime(2026, 11, 25, tzinfo=UTC), "owes": Decimal("1.50")}
    assert visitor.get("/", islands=True).text.count("stranger") == 1
    visitor.session["name"] = "Ann"
    assert "<b>Ann</b>" in visitor.get("/", islands=True).text
    visitor.action("wish", {"what": "a pen"}, page="/wish/")
    assert dict(visitor.session) == {
        "user": {"name": "Ann", "since": datetime(2026, 11, 25, tzinfo=UTC), "owes": Decimal("1.50")},
        "name": "Ann",
        "wish": "a pen",
    }
    del visitor.session["name"]
    assert ("name" in visitor.session, len(visitor.session)) == (False, 2)
    assert visitor.session.get("name", "none") == "none"
    with pytest.raises(KeyError):
        visitor.session["name"]
    with pytest.raises(SessionValueError, match="user"):
        visitor.session["user"] = object()


def test_a_session_that_was_only_looked_at_makes_no_cookie(visitor: Client) -> None:
    assert (visitor.session.get("cart"), len(visitor.session), visitor.cookies) == (None, 0, {})


def test_a_session_that_was_opened_has_what_the_sites_code_has(visitor: Client) -> None:
    with visitor.session.open() as session:
        session.flash("Saved.")
        session.set("code", 1, ttl="1h")
    assert visitor.get("/flash/").text == "Saved."
    assert visitor.get("/flash/").text == ""
    with pytest.raises(ZeroDivisionError), visitor.session.open() as session:
        session["code"] = 1 / 0
    assert visitor.session["code"] == 1
    with visitor.session.open() as session:
        session.destroy()
    assert (visitor.cookies, dict(visitor.session)) == ({}, {})


def test_a_sign_in_gives_another_identifier(visitor: Client) -> None:
    visitor.session["cart"] = ["pen"]
    before = dict(visitor.cookies)
    visitor.post("/sign")
    assert visitor.cookies.keys() == before.keys()
    assert visitor.cookies != before
    assert dict(visitor.session) == {"cart": ["pen"], "user": "Ann"}


def test_an_action_by_a_form_leads_back_with_its_outcome(visitor: Client) -> None:
    good = visitor.action("wish", {"what": "a pen", "colours": ["red", "blue"]}, page="/wish/")
    assert (good.url, [step.status for step in good.history]) == ("/wish/", [303])
    assert good.text == "{'what': 'a pen', 'colours': ['red', 'blue'], 'size': 0}|".replace("'", "&#39;")
    bad = visitor.action("wish", {"what": "x"}, page="/wish/")
    assert bad.text.endswith("|String should have at least 2 characters")
    file = {"picture": ("p.png", b"12345", "image/png")}
    assert "5" in visitor.action("wish", {"what": "a pen"}, files=file, page="/wish/").text


def test_an_action_as_a_script_asks_for_it(visitor: Client) -> None:
    assert visitor.action("wish", json={"what": "a pen"}).json()["data"]["what"] == "a pen"
    answer = visitor.action("wish", json={"what": ""})
    assert (answer.status, list(answer.json()["error"]["fields"])) == (400, ["what"])
    assert visitor.action("wsh", {}).status == 404


def test_islands_are_filled_where_they_are_asked_for(visitor: Client) -> None:
    assert "<u>fallback</u>" in visitor.get("/").text
    filled = visitor.get("/", islands=True).text
    assert ("<u>" in filled, "<b>stranger</b>" in filled, "<i>hey</i>" in filled) == (False, True, True)
    assert visitor.get("/plain/", islands=True).text == "plain"
    assert visitor.get("/dot.png", islands=True).body == b"\x89PNG\xff"


def test_a_site_with_a_base_and_names_of_its_own_is_asked_by_them() -> None:
    settings = '[site]\nbase = "/docs"\n[server]\nallowed_hosts = ["docs.example"]\n'
    files = {name: FILES[name] for name in ("pages/index.html", "components/name.html", "components/shout.html")}
    actions = "from hybridsite import action\n\n@action\ndef go(context):\n    context.session['name'] = 'Ann'\n"
    with build_site({**files, "site.toml": settings, "actions.py": actions}) as site:
        visitor = client(site)
        assert visitor.action("go", page="/docs/").url == "/docs/"
        assert "<b>Ann</b>" in visitor.get("/docs/", islands=True).text
