"""Sessions on demand: the calls, what is kept and when, and what comes back."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import (
    CONSOLE,
    COOKIE,
    MakeSite,
    Serve,
    Server,
    ask,
    session_cookie,
    wait_until,
    write_site,
)

SITE = {
    "pages/index.html": "home",
    "pages/console.py": CONSOLE,
    "pages/look.html": "---\nprerender: false\n---\n<< session.get('cart', []) | length >> items",
    "pages/stream.py": """
        from starlette.responses import StreamingResponse

        def GET(context):
            session = context.session
            session["before"] = 1

            async def body():
                try:
                    session["late"] = 2
                    yield "taken"
                except Exception as error:
                    yield f"{type(error).__name__}: {error}"

            return StreamingResponse(body())
        """,
    "pages/answer.py": """
        from starlette.exceptions import HTTPException
        from hybridsite import NotFound

        def POST(context):
            kind = context.request.query_params["kind"]
            context.session["answered"] = kind
            if kind == "http":
                raise HTTPException(418, "a teapot")
            if kind == "missing":
                raise NotFound
            raise RuntimeError("the card 4242 was refused")
        """,
}

VALUES = [
    "None",
    "True",
    "-7",
    "2**70",
    "-2**200",
    "0.1",
    "1e300",
    "'tea \\x00 ü 🍵'",
    "b'\\x00\\xff'",
    "[1, [2, {'a': None}]]",
    "(1, ('a',), [])",
    "()",
    "{'a'}",
    "{(1, 'a')}",
    "frozenset({3})",
    "set()",
    "decimal.Decimal('12.30')",
    "decimal.Decimal('-0.00')",
    "uuid.UUID('12345678-1234-5678-1234-567812345678')",
    "datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)",
    "datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)",
    "datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=-5, minutes=-30)))",
    "datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin'))",
    "datetime.date(2026, 1, 2)",
    "datetime.time(3, 4, 5)",
    "datetime.timedelta(days=-1, seconds=3, microseconds=7)",
    "{1: 'a', '1': 'b', None: 'c', 1.5: 'd'}",
    "{(1, 2): 'pair', datetime.date(2026, 1, 2): 'day'}",
    "{'deep': [{'set': {b'x'}, 'when': (datetime.date(2026, 1, 2),)}]}",
]

REFUSED = [  # the value, the type that the error names, and the place inside the value
    ("object()", "object", ""),
    ("[1, {'a': object()}]", "object", "['a']"),
    ("lambda: 1", "function", ""),
    ("{'f': open}", "builtin_function_or_method", "['f']"),
    ("(1, iter([]))", "list_iterator", "[1]"),
    ("1j", "complex", ""),
]


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client()


def test_every_call_of_a_mapping(client: httpx.Client) -> None:
    ask(client, "session.set('a', 1); session['b'] = 2; session.set('c', 3); session['d'] = 4")
    code = """
        try:
            session["nothing"]
        except KeyError as error:
            missing = error.args
        session.delete("c")
        del session["d"]
        session.delete("nothing")
        result = (
            session.get("a"), session.get("x"), session.get("x", 5), session["b"], missing,
            session.has("a"), session.has("c"), "b" in session, "d" in session,
            sorted(session.keys()), sorted(session.values()), sorted(session.items()), sorted(session), len(session),
        )
        """
    expected = (1, None, 5, 2, ("nothing",), True, False, True, False)
    expected_views = (["a", "b"], [1, 2], [("a", 1), ("b", 2)], ["a", "b"], 2)
    assert ask(client, code) == repr(expected + expected_views)
    assert ask(client, "result = sorted(session.items())") == "[('a', 1), ('b', 2)]"


def test_deleting_what_is_not_there_by_del_raises(client: httpx.Client) -> None:
    code = "try:\n    del session['x']\nexcept KeyError as error:\n    result = error.args"
    assert ask(client, code) == "('x',)"


def test_a_session_is_truthy_even_when_empty(client: httpx.Client) -> None:
    assert ask(client, "result = (bool(session), len(session))") == "(True, 0)"


def test_update_gives_the_new_value(client: httpx.Client) -> None:
    ask(client, "session.update('cart', lambda cart: cart + ['tea'], [])")
    ask(client, "session.update('cart', lambda cart: cart + ['cup'], [])")
    assert ask(client, "result = session['cart']") == "['tea', 'cup']"
    assert client.get("/look/").text.strip() == "2 items"


def test_a_change_in_place_counts(client: httpx.Client) -> None:
    ask(client, "session['cart'] = {'items': [1]}; session['other'] = 1")
    ask(client, "session.get('cart')['items'].append(2)")
    assert ask(client, "result = session['cart']") == "{'items': [1, 2]}"
    ask(client, "session.set('fresh', []); session['fresh'].append(3)")
    assert ask(client, "result = session['fresh']") == "[3]"


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_as_it_was(client: httpx.Client, value: str) -> None:
    # case S14
    assert ask(client, f"session['v'] = {value}; result = {value}") == ask(client, "result = session['v']")


def test_sets_of_several_come_back(client: httpx.Client) -> None:
    ask(client, "session['v'] = {3, 1, 2}, frozenset('abc')")
    assert ask(client, "result = session['v'] == ({1, 2, 3}, frozenset('cba'))") == "True"


def test_values_are_there_after_sigkill(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site(SITE))
    client = server.client()
    ask(client, "\n".join(f"session['v{n}'] = {value}" for n, value in enumerate(VALUES)))
    ask(client, "session.update('cart', lambda cart: cart + ['tea'], [])")
    before = ask(client, "result = [session[key] for key in sorted(session)]")
    server.kill()
    server.start()
    assert ask(client, "result = session['cart']") == "['tea']"
    assert ask(client, "result = [session[key] for key in sorted(session)]") == before


@pytest.mark.parametrize(("value", "kind", "place"), REFUSED)
def test_a_value_that_can_not_be_stored_is_named(client: httpx.Client, value: str, kind: str, place: str) -> None:
    # case S14
    ask(client, "session['basket'] = 'before'")
    code = f"""
        try:
            session.set("basket", {value})
        except SessionValueError as error:
            result = str(error)
        """
    message = ast.literal_eval(ask(client, code))
    for word in ("basket", kind, place):
        assert word in message, message
    assert ask(client, "result = session['basket']") == "'before'"


@pytest.mark.parametrize(
    "value", ["float('nan')", "math.inf", "'\\ud800'", "eval('[' * 90 + ']' * 90)", "1 << 4096", "b'x' * 100_000"]
)
def test_an_odd_value_is_refused_clearly_or_comes_back(client: httpx.Client, value: str) -> None:
    # case S14
    code = f"""
        value = {value}
        try:
            session["odd"] = value
            result = ascii(value)
        except SessionValueError as error:
            result = None
        """
    expected = ask(client, code)
    kept = ask(client, "result = ascii(session['odd']) if 'odd' in session else None")
    assert kept == expected


@pytest.mark.parametrize("build", ["value = [value]", "value = {'a': value}", "value = (value,)"])
def test_a_thousand_deep_is_refused_clearly_or_comes_back(client: httpx.Client, build: str) -> None:
    # case S14
    code = f"""
        value = 1
        for _ in range(1000):
            {build}
        try:
            session["deep"] = value
            result = "kept"
        except SessionValueError:
            result = "refused"
        """
    count = """
        value, result = session.get("deep"), 0
        while value not in (None, 1):
            value, result = next(iter(value.values() if isinstance(value, dict) else value)), result + 1
        """
    kept = ask(client, code)
    assert ask(client, count) == {"'kept'": "1000", "'refused'": "0"}[kept]


def test_a_cycle_is_refused(client: httpx.Client) -> None:
    # case S14
    code = """
        cart = []
        cart.append(cart)
        try:
            session["cart"] = cart
        except SessionValueError as error:
            result = str(error)
        """
    assert "cart" in ask(client, code)
    assert ask(client, "result = len(session)") == "0"


@pytest.mark.parametrize("key", ["''", "1", "None", "b'a'", "('a',)"])
def test_a_key_that_is_no_text_is_an_error_or_works(client: httpx.Client, key: str) -> None:
    # case S16
    code = f"""
        try:
            session[{key}] = "v"
            result = "kept"
        except (SessionValueError, TypeError, KeyError):
            result = "refused"
        """
    kept = ask(client, code)
    expected = {"'kept'": f"[({key}, 'v')]", "'refused'": "[]"}[kept]
    assert ask(client, "result = list(session.items())") == expected


def test_ten_thousand_keys(client: httpx.Client) -> None:
    # case S16
    ask(client, "for n in range(10_000): session[f'k{n}'] = n")
    assert ask(client, "result = (len(session), sum(session.values()))") == "(10000, 49995000)"


def test_what_was_put_there_in_place_is_refused_at_save(client: httpx.Client) -> None:
    ask(client, "session['cart'] = ['tea']; session['n'] = 1")
    answer = client.post("/console", content=b"session['n'] = 2; session['cart'].append(object())")
    assert answer.status_code == 500
    assert ask(client, "result = dict(session)") == "{'cart': ['tea'], 'n': 1}"


def test_more_than_max_size_is_refused_at_save(client: httpx.Client) -> None:
    ask(client, "session['text'] = 'short'")
    answer = client.post("/console", content=b"session['text'] = 'x' * 2**20")
    assert answer.status_code == 500
    assert ask(client, "result = session['text']") == "'short'"
    ask(client, "session['text'] = 'x' * (2**20 - 1000)")
    assert ask(client, "result = len(session['text'])") == str(2**20 - 1000)


def test_a_key_with_its_own_ttl_ends_alone(client: httpx.Client) -> None:
    ask(client, "session.set('code', 1, ttl=datetime.timedelta(seconds=2)); session['cart'] = 1")
    ask(client, "session.set('later', 2, ttl='30m'); session.set('soon', 3, ttl=600)")
    assert ask(client, "result = sorted(session)") == "['cart', 'code', 'later', 'soon']"
    wait_until(lambda: ask(client, "result = 'code' in session") == "False", "the key to end", 10)
    assert ask(client, "result = sorted(session)") == "['cart', 'later', 'soon']"


def test_a_session_ends_when_idle(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site({**SITE, "site.toml": '[session]\nttl = "2s"'}))
    client = server.client()
    cookie = session_cookie(client.post("/console", content=b"session['a'] = 1"))
    assert cookie
    assert cookie["max-age"] == "2"

    assert ask(server.client(cookie["value"]), "result = len(session)") == "1"
    time.sleep(3.1)  # nothing to wait for: to look is to keep it alive
    assert ask(server.client(cookie["value"]), "result = len(session)") == "0"


def test_a_session_in_use_is_refreshed_now_and_then(make_site: MakeSite, serve: Serve) -> None:
    client = serve(make_site({**SITE, "site.toml": '[session]\nttl = "20s"'})).client()
    ask(client, "session['a'] = 1")
    assert session_cookie(client.get("/look/")) is None
    wait_until(lambda: session_cookie(client.get("/look/")) is not None, "a twentieth of its time to pass", 10)
    assert ask(client, "result = dict(session)") == "{'a': 1}"
    assert session_cookie(client.get("/look/")) is None


def test_set_destroy_set_leaves_the_last(client: httpx.Client) -> None:
    ask(client, "session['old'] = 1")
    before = client.cookies[COOKIE]
    ask(client, "session['a'] = 1; session.destroy(); session['a'] = 2")
    assert client.cookies[COOKIE] != before
    assert ask(client, "result = dict(session)") == "{'a': 2}"


def test_deleting_without_a_session_writes_nothing(client: httpx.Client) -> None:
    answer = client.post("/console", content=b"session.delete('a'); session.get('b'); session.has('c')")
    assert answer.status_code == 200
    assert session_cookie(answer) is None


def test_a_looker_gets_no_cookie(server: Server, client: httpx.Client) -> None:
    # case S1
    answer = client.get("/look/")
    assert answer.text.strip() == "0 items"
    assert "set-cookie" not in answer.headers
    assert "set-cookie" not in client.post("/console", content=b"session.get('a'); len(session)").headers
    assert session_cookie(client.post("/console", content=b"session['a'] = 1")) is not None
    assert session_cookie(client.get("/look/")) is None  # it was refreshed just now


def test_the_handle_opens_no_session_in_a_browser(server: Server, client: httpx.Client) -> None:
    assert ask(client, "result = session.id") == "None"
    ask(client, "session['a'] = 1")
    handle = ask(client, "result = session.id").strip("'")
    assert len(handle) >= 32
    assert handle not in client.cookies[COOKIE]
    assert ask(server.client(handle), "result = len(session)") == "0"


def test_back_office_code_opens_a_session_by_its_handle(server: Server, client: httpx.Client) -> None:
    ask(client, "session['cart'] = ['tea']")
    handle = ask(client, "result = session.id")
    code = f"""
        async with context.sessions.open({handle}) as other:
            result = other["cart"]
            other["note"] = "call back"
        """
    assert ask(server.client(), code) == "['tea']"
    assert ask(client, "result = dict(session)") == "{'cart': ['tea'], 'note': 'call back'}"


def test_a_handler_that_raises_saves_nothing(client: httpx.Client) -> None:
    # case C7
    answer = client.post("/answer?kind=bug")
    assert answer.status_code == 500
    assert "set-cookie" not in answer.headers
    assert "4242" not in answer.text
    ask(client, "session['cart'] = ['tea']")
    assert client.post("/answer?kind=bug").status_code == 500
    assert ask(client, "result = dict(session)") == "{'cart': ['tea']}"


@pytest.mark.parametrize(("kind", "status"), [("http", 418), ("missing", 404)])
def test_an_exception_that_is_an_answer_saves(client: httpx.Client, kind: str, status: int) -> None:
    assert client.post(f"/answer?kind={kind}").status_code == status
    assert ask(client, "result = dict(session)") == repr({"answered": kind})


def test_a_change_after_the_answer_began_is_an_error(client: httpx.Client) -> None:
    answer = client.get("/stream")
    assert answer.text.startswith("SessionClosedError: ")
    assert ask(client, "result = dict(session)") == "{'before': 1}"


def test_the_memory_driver_forgets_with_its_process(make_site: MakeSite, serve: Serve) -> None:
    server = serve(make_site({**SITE, "site.toml": '[session]\ndriver = "memory"'}))
    client = server.client()
    ask(client, "session['v'] = {'a': (1, {2})}")
    ask(client, "session.update('n', lambda n: n + 1, 0)")
    assert ask(client, "result = dict(session)") == "{'v': {'a': (1, {2})}, 'n': 1}"
    server.restart()
    assert ask(client, "result = dict(session)") == "{}"


def test_state_lies_where_the_environment_says(make_site: MakeSite, tmp_path: Path, serve: Serve) -> None:
    state = tmp_path / "state"
    site = write_site(tmp_path / "site", SITE)
    env = {"HYBRIDSITE_STATE": str(state)}
    server = serve(site, env=env)
    client = server.client()
    ask(client, "session['a'] = 1")
    server.restart()
    assert ask(client, "result = dict(session)") == "{'a': 1}"
    assert any(path.is_file() for path in state.rglob("*"))
    assert not list(site.rglob("*secret*"))
    assert not list(site.rglob("*.db*"))


def test_the_secret_file_is_for_its_owner_alone(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(SITE)
    ask(serve(site).client(), "session['a'] = 1")
    secrets = [path for path in (site / ".hybridsite").rglob("*secret*") if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600]
