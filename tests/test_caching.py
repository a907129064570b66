"""The cache around pages: what is kept, what never is, and that many who wait are one render."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from hybridsite.cache.memory import MemoryStore
from hybridsite.cache.shelf import Shelf
from hybridsite.errors import ContextError, FrontMatterError
from hybridsite.server.deployment import Deployment
from tests.caching import COUNTING, app_with, counted, get, kept, running
from tests.inprocess import MEMORY, Answer, asked, scope_of

WAITING = """
import asyncio
gate = asyncio.Event()
turns = 0
async def load(context):
    global turns
    turns += 1
    await gate.wait()
    %s
    return {"turns": turns}
"""


def shelf(app: Deployment) -> Shelf:
    assert app.current.site.cache is not None
    return app.current.site.cache


def module(app: Deployment, file: str = "pages/index.html") -> Any:
    found = app.current.site.resources[file].module
    assert found is not None
    return found._module


async def flights(app: Deployment, waiting: int) -> None:
    """Waits until that many wait for the page."""
    async with asyncio.timeout(30):
        while not shelf(app).flights or len(asyncio.all_tasks()) < waiting + 2:
            await asyncio.sleep(0)


def states(*answers: Answer) -> list[str | None]:
    return [answer.header.get("x-cache") for answer in answers]


# What comes from the cache.


def test_a_kept_page_is_rendered_once(tmp_path: Path) -> None:
    app = counted(tmp_path)

    async def test() -> None:
        answers = [await get(app) for _ in range(4)]
        assert [answer.text for answer in answers] == ["1"] * 4
        assert states(*answers) == ["MISS", "HIT", "HIT", "HIT"]
        assert {answer.header["age"] for answer in answers} == {"0"}
        assert {answer.header["cache-control"] for answer in answers} == {"no-cache"}
        head = await get(app, method="HEAD")
        assert (head.text, head.header["x-cache"], head.header["content-length"]) == ("", "HIT", "1")

    running(test)


def test_an_answer_from_the_cache_is_the_one_that_was_made(tmp_path: Path) -> None:
    app = counted(tmp_path, "<< response.headers.update({'X-Own': 'a'}) >>ü")

    async def test() -> None:
        made, once, ready = [await get(app) for _ in range(3)]
        changing = {"x-cache", "age"}
        for answer in (once, ready):
            assert answer.body == made.body
            assert {n: v for n, v in answer.headers if n not in changing} == {
                n: v for n, v in made.headers if n not in changing
            }
        assert made.header["x-own"] == "a"
        assert len(ready.headers) == len(dict(ready.headers))

    running(test)


def test_a_visitor_who_has_it_is_told_so(tmp_path: Path) -> None:
    app = counted(tmp_path)

    async def test() -> None:
        tag = (await get(app)).header["etag"]
        for _ in range(2):  # once from the store, once as it is ready
            again = await get(app, if_none_match=f'"other", W/{tag}')
            assert (again.status, again.body, again.header["etag"]) == (304, b"", tag)
            assert "content-type" not in again.header
            assert (await get(app, if_none_match='"other"')).status == 200

    running(test)


def test_a_head_alone_fills_no_cache(tmp_path: Path) -> None:
    app = counted(tmp_path)

    async def test() -> None:
        first = await get(app, method="HEAD")
        assert (first.header["x-cache"], (await get(app)).text) == ("MISS", "2")

    running(test)


def test_code_may_say_how_long_an_answer_is_kept(tmp_path: Path) -> None:
    code = (
        "from datetime import timedelta\nturns = 0\ndef GET(context):\n    global turns\n    turns += 1\n"
        "    context.cache.set(max_age=timedelta(minutes=1), swr='5m', tags='x', query=['page'])\n"
        "    return {'turns': turns, 'page': context.request.query_params.get('page')}"
    )
    app = app_with(tmp_path, {"pages/now.py": code})

    async def test() -> None:
        answers = [await get(app, target) for target in ("/now", "/now", "/now?page=2", "/now?a=1&page=2", "/now?a=1")]
        assert [answer.text[9] for answer in answers] == ["1", "1", "2", "2", "1"]
        assert states(*answers) == ["MISS", "HIT", "MISS", "HIT", "HIT"]

    running(test)


def test_a_cache_that_is_set_by_a_helper_is_learnt(tmp_path: Path) -> None:
    files = {
        "keeping.py": "def keep(context):\n    context.cache.set(max_age=60)",
        "pages/now.py": "import keeping\nturns = 0\ndef GET(context):\n    global turns\n    turns += 1\n"
        "    keeping.keep(context)\n    return str(turns)",
    }
    app = app_with(tmp_path, files)

    async def test() -> None:
        answers = [await get(app, "/now") for _ in range(4)]
        assert [answer.text for answer in answers] == ["1", "2", "2", "2"]
        assert states(*answers) == ["BYPASS", "MISS", "HIT", "HIT"]

    running(test)


def test_without_a_cache_nothing_is_kept(tmp_path: Path) -> None:
    files = {"pages/drop.py": "async def GET(context):\n    await context.cache.invalidate(path='/')\n    return 'ok'"}
    app = app_with(
        tmp_path,
        {"site.toml": MEMORY + "[cache]\ndriver = false", "pages/index.html": kept() + "<< turns >>", **files}
        | {"pages/index.py": COUNTING},
    )

    async def test() -> None:
        answers = [await get(app) for _ in range(2)]
        assert [answer.text for answer in answers] == ["1", "2"]
        assert states(*answers) == [None, None]
        assert (await get(app, "/drop")).text == "ok"

    running(test)


# The key.


def test_what_is_not_declared_changes_nothing(tmp_path: Path) -> None:
    # case R4, case H2
    app = counted(tmp_path, "<< turns >> << url.path >> << request.url.path >>")

    async def test() -> None:
        first = await get(app)
        others = [
            await get(app, "/?x=1"),
            await get(app, host="evil.example"),
            await get(app, x_forwarded_host="evil.example", x_original_url="/other", user_agent="a"),
            await get(app, cookie="a=b; hybridsite-session=forged"),
            await get(app, accept_language="de"),
        ]
        assert {answer.body for answer in others} == {first.body}
        assert first.text == "1 / /"

    running(test)


def test_what_is_declared_makes_another_answer(tmp_path: Path) -> None:
    template = "<< turns >> << request.query_params.get('page') >> << request.headers.get('accept-language') >>"
    app = counted(tmp_path, template, "max_age: 60, vary: [Accept-Language], query: [page]")

    async def test() -> None:
        answers = [
            await get(app),
            await get(app, "/?page=2"),
            await get(app, "/?page=2&other=1"),
            await get(app, "/?page=1&page=2"),
            await get(app, accept_language="de"),
            await get(app, accept_language="de"),
        ]
        assert [answer.text for answer in answers] == ["1  ", "2 2 ", "2 2 ", "3 2 ", "4  de", "4  de"]
        assert {answer.header["vary"] for answer in answers} == {"accept-language"}

    running(test)


def test_a_path_that_is_no_page_is_never_kept_as_one(tmp_path: Path) -> None:
    # case R4: web cache deception
    app = counted(tmp_path)

    async def test() -> None:
        assert (await get(app, "/x.css")).status == 404
        assert (await get(app, "/index.html")).status == 404
        assert (await get(app, "/%2f")).status == 404
        assert "x-cache" not in (await get(app, "/x.css")).header

    running(test)


def test_values_of_enormous_length_are_no_key(tmp_path: Path) -> None:
    # case R7
    app = counted(tmp_path, "<< turns >>", "max_age: 60, query: [q]")

    async def test() -> None:
        answers = [await get(app, "/?q=" + "x" * 2000) for _ in range(2)]
        assert [answer.text for answer in answers] == ["1", "2"]
        assert states(*answers) == ["BYPASS", "BYPASS"]

    running(test)


@pytest.mark.parametrize("declared", ["", ", query: [q]"])
def test_a_flood_of_queries_takes_no_more_than_it_may(tmp_path: Path, declared: str) -> None:
    # case R7
    app = counted(tmp_path, "<< turns >>", "max_age: 60" + declared)
    store = shelf(app).store
    store._max_size = 50_000  # type: ignore[attr-defined]

    async def test() -> None:
        for number in range(300):
            assert (await get(app, f"/?q={number}&__x={number}")).status == 200
        assert 0 < store.size <= (50_000 if declared else 2_000)  # type: ignore[attr-defined]
        assert not shelf(app).flights
        assert len(shelf(app)._tasks) == 0

    running(test)


# What is never kept.

PERSONAL = {
    "a session that is read": ("", "context.session.get('a')"),
    "a session that is only asked": ("", "'a' in context.session"),
    "a session that is counted": ("", "len(context.session)"),
    "a session that is written": ("", "context.session.set('a', 1)"),
    "a flash": ("", "context.flashes()"),
    "an outcome": ("", "context.action_result"),
    "other sessions": ("", "context.sessions"),
    "a cookie that is read": ("", "context.cookies.get('a')"),
    "a cookie that is set": ("", "context.cookies.set('a', 'b')"),
    "cookies of the request": ("", "context.request.cookies"),
    "a header": ("", "context.request.headers.get('user-agent')"),
    "all headers": ("", "dict(context.request.headers)"),
    "raw headers": ("", "context.request.headers.raw"),
    "the presence of a header": ("", "'dnt' in context.request.headers"),
    "the query": ("", "context.url.query"),
    "a parameter": ("", "context.request.query_params.get('q')"),
    "all parameters": ("", "str(context.request.query_params)"),
    "the host": ("", "context.url.origin"),
    "the URL as text": ("", "str(context.url)"),
    "Starlette's URL": ("", "str(context.request.url)"),
    "Starlette's base": ("", "context.request.base_url"),
    "the address": ("", "context.client_address"),
    "the client": ("", "context.request.client"),
    "the scope": ("", "context.request.scope"),
    "the state": ("", "context.request.state"),
    "a key of the request": ("", "context.request['headers']"),
    "another status": ("", "setattr(context.response, 'status', 202)"),
    "a header that sets a cookie": ("", "context.response.headers.append('set-cookie', 'a=b')"),
    "a Cache-Control": ("", "context.response.headers.append('cache-control', 'private')"),
    "a Vary": ("", "context.response.headers.append('vary', 'Accept')"),
    "a template that reads a cookie": ("<< cookies.get('a') >>", ""),
    "a template that reads a header": ("<< request.headers['host'] >>", ""),
    "a template that reads the query": ("<< url.query >>", ""),
    "a template that tells the address": ("<< client_address >>", ""),
    "a stream": ("", "return streamed()"),
    "a response that sets a cookie": ("", "return with_cookie()"),
    "a background task": ("", "return behind()"),
    "a large body": ("<< 'x' * 1100000 >>", ""),
}
MAKING = """
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, StreamingResponse
turns = 0
def streamed():
    return StreamingResponse(iter([str(turns)]))
def with_cookie():
    answer = HTMLResponse(str(turns))
    answer.set_cookie("a", "b")
    return answer
def behind():
    return HTMLResponse(str(turns), background=BackgroundTask(str))
def load(context):
    global turns
    turns += 1
    context.cache.set(max_age=60)
    %s
    return {"turns": turns}
"""


@pytest.mark.parametrize("name", PERSONAL)
def test_an_answer_that_goes_by_more_than_its_key_is_never_kept(name: str, tmp_path: Path) -> None:
    # case R3, case R8
    template, code = PERSONAL[name]
    page = "---\nprerender: false\n---\n<< turns >>" + template
    app = app_with(tmp_path, {"pages/index.html": page, "pages/index.py": MAKING % code})

    async def test() -> None:
        for turn in (1, 2, 3):
            answer = await get(app, cookie=f"a={turn}")
            assert answer.text.startswith(str(turn))
            assert answer.header["x-cache"] == "BYPASS"

    running(test)


@pytest.mark.parametrize("status", [404, 500, 302])
def test_what_is_not_200_is_never_kept(status: int, tmp_path: Path) -> None:
    answers = {404: "raise NotFound", 500: "raise RuntimeError('boom')", 302: "return context.redirect('/a/')"}
    code = (
        "from hybridsite import NotFound\nturns = 0\ndef load(context):\n    global turns\n    turns += 1\n"
        f"    if turns < 3:\n        {answers[status]}\n    return {{'turns': turns}}"
    )
    app = app_with(tmp_path, {"pages/index.html": kept() + "<< turns >>", "pages/index.py": code})

    async def test() -> None:
        assert [(await get(app)).status for _ in range(4)] == [status, status, 200, 200]
        assert (await get(app)).text == "3"

    running(test)


def test_a_request_with_authorization_neither_fills_nor_reads_the_cache(tmp_path: Path) -> None:
    app = counted(tmp_path)

    async def test() -> None:
        answers = [await get(app, authorization="Basic x"), await get(app), await get(app), await get(app)]
        answers.append(await get(app, authorization="Basic x"))
        assert [answer.text for answer in answers] == ["1", "2", "2", "2", "3"]
        assert states(*answers) == ["BYPASS", "MISS", "HIT", "HIT", "BYPASS"]

    running(test)


def test_the_origin_of_the_settings_may_be_shown(tmp_path: Path) -> None:
    # case H2
    site = {
        "site.toml": '[site]\nurl = "https://own.example"',
        "pages/index.html": kept() + "<< url.origin ~ url.path >>",
    }
    app = app_with(tmp_path, site)

    async def test() -> None:
        answers = [await get(app, host=host) for host in ("evil.example", "own.example", "other.example")]
        assert {answer.text for answer in answers} == {"https://own.example/"}
        assert states(*answers) == ["MISS", "HIT", "HIT"]

    running(test)


def test_why_a_page_is_not_kept_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = counted(tmp_path, "<< turns >><< request.headers.get('accept-language') >>")

    async def test() -> None:
        for _ in range(5):
            await get(app, accept_language="de")

    with caplog.at_level(logging.WARNING, "hybridsite.cache"):
        running(test)
    [told] = [record.message for record in caplog.records]
    assert told == (
        "pages/index.html: the answer is not kept; it goes by the header accept-language; "
        "declare it: cache: {…, vary: [accept-language]}"
    )


# Middleware, which always runs.


def test_middleware_runs_for_every_request_and_changes_its_own_copy(tmp_path: Path) -> None:
    middleware = (
        "turns = 0\nasync def on_request(context, call_next):\n    global turns\n    turns += 1\n"
        "    context.response.headers['X-Before'] = str(turns)\n    answer = await call_next(context)\n"
        "    answer.headers['X-Turn'] = str(turns)\n    return answer"
    )
    app = counted(tmp_path, middleware_py=middleware)

    async def test() -> None:
        answers = [await get(app) for _ in range(3)]
        assert [answer.text for answer in answers] == ["1", "1", "1"]
        assert [answer.header["x-turn"] for answer in answers] == ["1", "2", "3"]
        assert [answer.header["x-before"] for answer in answers] == ["1", "2", "3"]
        assert states(*answers) == ["MISS", "HIT", "HIT"]

    running(test)


@pytest.mark.parametrize(
    "code",
    [
        "context.session.get('a')",
        "context.cookies.get('a')",
        "context.request.headers.get('user-agent')",
        "context.request.query_params.get('a')",
        "context.request.state",
        "context.client_address",
    ],
)
def test_what_middleware_read_before_the_page_counts(tmp_path: Path, code: str) -> None:
    # case R3
    middleware = f"async def on_request(context, call_next):\n    {code}\n    return await call_next(context)"
    app = counted(tmp_path, middleware_py=middleware)

    async def test() -> None:
        answers = [await get(app) for _ in range(3)]
        assert [answer.text for answer in answers] == ["1", "2", "3"]
        assert states(*answers) == ["BYPASS"] * 3

    running(test)


def test_middleware_may_refuse_a_page_that_is_kept(tmp_path: Path) -> None:
    middleware = (
        "from starlette.responses import Response\nasync def on_request(context, call_next):\n"
        "    answer = await call_next(context)\n"
        "    return answer if context.session.get('user') else Response('who?', 403)"
    )
    app = counted(tmp_path, middleware_py=middleware)

    async def test() -> None:
        for _ in range(3):
            answer = await get(app)
            assert (answer.status, answer.text) == (403, "who?")
            assert "etag" not in answer.header
            assert "no-store" in answer.header["cache-control"]

    running(test)


def test_what_middleware_makes_of_a_kept_page_is_no_304_of_it(tmp_path: Path) -> None:
    # case R5
    middleware = (
        "from starlette.responses import HTMLResponse\nasync def on_request(context, call_next):\n"
        "    answer = await call_next(context)\n    if context.request.headers.get('x-cookie'):\n"
        "        answer.set_cookie('a', 'b')\n        return answer\n"
        "    return HTMLResponse(b'<b>' + answer.body) if context.request.headers.get('x-bold') else answer"
    )
    app = counted(tmp_path, middleware_py=middleware)

    async def test() -> None:
        tag = (await get(app)).header["etag"]
        assert (await get(app, if_none_match=tag)).status == 304
        bold = await get(app, if_none_match=tag, x_bold="1")
        assert (bold.status, bold.text, "etag" in bold.header) == (200, "<b>1", False)
        cookie = await get(app, if_none_match=tag, x_cookie="1")
        assert (cookie.status, cookie.text) == (200, "1")

    running(test)


# Many at once.


def test_a_thousand_misses_at_once_are_one_render(tmp_path: Path) -> None:
    # case R6
    app = app_with(tmp_path, {"pages/index.html": kept() + "<< turns >>", "pages/index.py": WAITING % "pass"})

    async def test() -> None:
        module(app).gate = asyncio.Event()
        asking = [asyncio.create_task(get(app)) for _ in range(1000)]
        await flights(app, 1000)
        module(app).gate.set()
        answers = await asyncio.gather(*asking)
        assert {answer.text for answer in answers} == {"1"}
        assert module(app).turns == 1

    running(test)


def test_a_thousand_misses_of_a_page_that_code_keeps_are_one_render(tmp_path: Path) -> None:
    # case R6
    page = "---\nprerender: false\n---\n<< turns >>"
    code = WAITING % "context.cache.set(max_age=60, query=['page'])"
    app = app_with(tmp_path, {"pages/index.html": page, "pages/index.py": code})

    async def test() -> None:
        module(app).gate = asyncio.Event()
        asking = [asyncio.create_task(get(app, f"/?page={number % 2}")) for number in range(1000)]
        await flights(app, 1000)
        module(app).gate.set()
        answers = await asyncio.gather(*asking)
        assert {answer.text for answer in answers[::2]} == {"1"}
        assert {answer.text for answer in answers[1::2]} == {"2"}
        assert module(app).turns == 2

    running(test)


def test_a_failure_reaches_all_who_waited_and_is_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # case R6
    code = WAITING % "if turns == 1:\n        raise RuntimeError('the shelf fell')"
    app = app_with(tmp_path, {"pages/index.html": kept() + "<< turns >>", "pages/index.py": code})

    async def test() -> None:
        module(app).gate = asyncio.Event()
        asking = [asyncio.create_task(get(app)) for _ in range(1000)]
        await flights(app, 1000)
        module(app).gate.set()
        answers = await asyncio.gather(*asking)
        assert {answer.status for answer in answers} == {500}
        assert module(app).turns == 1
        assert (await get(app)).text == "2"

    with caplog.at_level(logging.ERROR, "hybridsite"):
        running(test)
    assert [record.message for record in caplog.records] == ["pages/index.py:9: RuntimeError: the shelf fell"]


def test_a_page_that_is_not_there_is_told_to_all_who_waited(tmp_path: Path) -> None:
    code = "from hybridsite import NotFound\n" + WAITING % "raise NotFound"
    app = app_with(tmp_path, {"pages/index.html": kept() + "<< turns >>", "pages/index.py": code})

    async def test() -> None:
        module(app).gate = asyncio.Event()
        asking = [asyncio.create_task(get(app)) for _ in range(50)]
        await flights(app, 50)
        module(app).gate.set()
        assert {answer.status for answer in await asyncio.gather(*asking)} == {404}
        assert module(app).turns == 1

    running(test)


def test_whoever_goes_away_takes_the_answer_from_nobody(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"pages/index.html": kept() + "<< turns >>", "pages/index.py": WAITING % "pass"})

    async def test() -> None:
        module(app).gate = asyncio.Event()
        asking = [asyncio.create_task(get(app)) for _ in range(10)]
        await flights(app, 10)
        for task in asking[:5]:  # the first of them is whom it is made for
            task.cancel()
        await asyncio.gather(*asking[:5], return_exceptions=True)
        module(app).gate.set()
        assert {answer.text for answer in await asyncio.gather(*asking[5:])} == {"1"}
        assert (await get(app)).header["x-cache"] == "HIT"

    running(test)


def test_who_waited_for_an_answer_that_is_one_visitors_own_gets_another(tmp_path: Path) -> None:
    # case R3
    code = WAITING % "name = context.cookies.get('name')\n    return {'turns': name}"
    app = app_with(tmp_path, {"pages/index.html": kept() + "<< turns >>", "pages/index.py": code})

    async def test() -> None:
        module(app).gate = asyncio.Event()
        asking = [asyncio.create_task(get(app, cookie=f"name=n{number}")) for number in range(20)]
        await flights(app, 20)
        module(app).gate.set()
        answers = await asyncio.gather(*asking)
        assert [answer.text for answer in answers] == [f"n{number}" for number in range(20)]
        # From then on nobody waits for another's.
        module(app).gate.clear()
        asking = [asyncio.create_task(get(app)) for _ in range(5)]
        while module(app).turns < 25:
            await asyncio.sleep(0)
        assert not shelf(app).flights
        module(app).gate.set()
        await asyncio.gather(*asking)

    running(test)


def test_the_answer_of_a_post_and_of_a_form_shown_again_is_not_kept(tmp_path: Path) -> None:
    code = COUNTING + "def POST(context):\n    return {}\n"
    app = app_with(tmp_path, {"pages/index.html": kept() + "<< turns >>", "pages/index.py": code})

    async def test() -> None:
        posts = [await get(app, method="POST") for _ in range(2)]
        assert [answer.text for answer in posts] == ["1", "2"]
        assert states(*posts) == [None, None]
        assert (await get(app)).text == "3"

    running(test)


# Invalidation.

DROPPING = (
    "async def GET(context):\n    await context.cache.invalidate(tags=['x'])\n    return 'ok'\n"
    "async def POST(context):\n    await context.cache.invalidate(path=(await context.request.body()).decode())\n"
    "    return 'ok'\n"
)


def test_tags_drop_what_they_stand_on(tmp_path: Path) -> None:
    files = {
        "pages/a/[name].html": kept("max_age: 60, tags: [x, y]") + "<< turns >>",
        "pages/a/[name].py": COUNTING,
        "pages/b.html": kept("max_age: 60, tags: [y]") + "<< turns >>",
        "pages/b.py": COUNTING,
        "pages/drop.py": DROPPING,
    }
    app = app_with(tmp_path, files)

    async def test() -> None:
        async def all_of() -> list[str]:
            return [(await get(app, target)).text for target in ("/a/one/", "/a/two/", "/b/")]

        for _ in range(3):  # thrice, so that they are ready to go out as they are
            assert await all_of() == ["1", "2", "1"]
        await get(app, "/drop")
        assert await all_of() == ["3", "4", "1"]

    running(test)


def test_a_path_drops_all_that_is_kept_of_it(tmp_path: Path) -> None:
    files = {
        "site.toml": MEMORY + '[site]\nbase = "/app"\n',
        "pages/käse/[name].html": kept("max_age: 60, query: [q], vary: [dnt]") + "<< turns >>",
        "pages/käse/[name].py": COUNTING,
        "pages/drop.py": DROPPING,
    }
    app = app_with(tmp_path, files)
    home = "/app/k%C3%A4se/a/"
    targets = (home, home + "?q=1", "/app/k%C3%A4se/b/")

    async def drop(path: str) -> int:
        scope = scope_of("/app/drop", "POST", {"content-type": "application/json"})
        return (await asked(app, scope, path.encode())).status

    async def test() -> None:
        async def all_of() -> list[str]:
            return [(await get(app, target)).text for target in targets]

        assert [await all_of() for _ in range(2)] == [["1", "2", "3"]] * 2
        assert await drop(home) == 200
        assert [await all_of() for _ in range(2)] == [["4", "5", "3"]] * 2
        assert await drop("/app/käse/a") == 200  # as a person writes it
        assert await all_of() == ["6", "7", "3"]
        for wrong in ("/app/../x", "/elsewhere/", home + "?q=1", "\\", ""):
            assert await drop(wrong) == 500, wrong

    running(test)


def test_what_is_invalidated_while_it_is_rendered_is_not_kept(tmp_path: Path) -> None:
    files = {
        "pages/index.html": kept("max_age: 60, tags: [x]") + "<< turns >>",
        "pages/index.py": WAITING % "pass",
        "pages/drop.py": DROPPING,
    }
    app = app_with(tmp_path, files)

    async def test() -> None:
        module(app).gate = asyncio.Event()
        asking = asyncio.create_task(get(app))
        await flights(app, 1)
        await get(app, "/drop")
        module(app).gate.set()
        assert (await asking).text == "1"
        assert [(await get(app)).text for _ in range(2)] == ["2", "2"]

    running(test)


def test_whoever_comes_after_an_invalidation_gets_what_was_rendered_after_it(tmp_path: Path) -> None:
    code = "import asyncio\ngates = []\nstock = 5\nasync def load(context):\n    seen = stock\n" + (
        "    gates.append(asyncio.Event())\n    await gates[-1].wait()\n    return {'turns': seen}\n"
    )
    page = kept("max_age: 60, tags: [x]") + "<< turns >>"
    app = app_with(tmp_path, {"pages/index.html": page, "pages/index.py": code, "pages/drop.py": DROPPING})

    async def test() -> None:
        doing = module(app)
        early = asyncio.create_task(get(app))
        await flights(app, 1)
        while not doing.gates:
            await asyncio.sleep(0)
        doing.stock = 4
        await get(app, "/drop")
        late = [asyncio.create_task(get(app)) for _ in range(5)]
        while len(doing.gates) < 2:
            await asyncio.sleep(0)
        doing.gates[1].set()
        assert {answer.text for answer in await asyncio.gather(*late)} == {"4"}
        doing.gates[0].set()
        assert (await early).text == "5"
        assert (await get(app)).text == "4"
        assert len(doing.gates) == 2

    running(test)


# Stale while it is made anew.


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    make = "hybridsite.server.state.MemoryStore"
    monkeypatch.setattr(make, lambda max_size: MemoryStore(max_size=max_size, clock=clock))
    return clock


async def refreshed(app: Deployment) -> None:
    async with asyncio.timeout(30):
        while shelf(app)._tasks:
            await asyncio.sleep(0)


def test_a_stale_answer_goes_out_at_once_and_is_made_anew_once(tmp_path: Path, clock: Clock) -> None:
    app = counted(tmp_path, policy="max_age: 10, swr: 20")

    async def test() -> None:
        assert [(await get(app)).text for _ in range(3)] == ["1", "1", "1"]
        clock.now += 9.5
        assert (await get(app)).header["age"] == "9"
        clock.now += 5
        stale = await asyncio.gather(*(get(app) for _ in range(20)))
        assert {answer.text for answer in stale} <= {"1", "2"}
        assert (stale[0].text, stale[0].header["x-cache"], stale[0].header["age"]) == ("1", "STALE", "14")
        await refreshed(app)
        assert module(app).turns == 2
        fresh = await get(app)
        assert (fresh.text, fresh.header["x-cache"], fresh.header["age"]) == ("2", "HIT", "0")
        clock.now += 30
        late = await get(app)
        assert (late.text, late.header["x-cache"]) == ("3", "MISS")

    running(test)


def test_a_refresh_is_a_request_of_nobody(tmp_path: Path, clock: Clock) -> None:
    # case R3
    code = (
        "seen = []\ndef load(context):\n"
        "    request = context.request.unwatched\n"
        "    seen.append((request.method, dict(request.headers), str(request.query_params), request.client))\n"
        "    return {'turns': len(seen)}\n"
    )
    files = {
        "pages/index.html": kept("max_age: 10, swr: 20, vary: [dnt], query: [q]") + "<< turns >>",
        "pages/index.py": code,
    }
    app = app_with(tmp_path, files)
    sent = {"cookie": "a=b", "host": "evil.example", "dnt": "1", "x_other": "1"}

    async def test() -> None:
        assert (await get(app, "/?q=1&z=2", **sent)).text == "1"
        clock.now += 15
        assert (await get(app, "/?q=1&z=2", **sent)).header["x-cache"] == "STALE"
        await refreshed(app)
        assert module(app).seen[1] == ("GET", {"dnt": "1"}, "q=1", None)
        assert (await get(app, "/?q=1&z=2", **sent)).text == "2"

    running(test)


def test_a_refresh_that_fails_keeps_the_stale_answer_until_its_end(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    code = (
        "turns = 0\ndef load(context):\n    global turns\n    turns += 1\n"
        "    if turns > 1:\n        raise RuntimeError('no stock')\n    return {'turns': turns}"
    )
    files = {"pages/index.html": kept("max_age: 10, swr: 20") + "<< turns >>", "pages/index.py": code}
    app = app_with(tmp_path, files)

    async def test() -> None:
        await get(app)
        for _ in range(5):
            clock.now += 3.9
            assert (await get(app)).text == "1"
            await refreshed(app)
        assert module(app).turns == 2  # one try for the moment
        clock.now += 15
        assert (await get(app)).status == 500

    with caplog.at_level(logging.ERROR, "hybridsite.cache"):
        running(test)
    [told] = [record.message for record in caplog.records if record.name == "hybridsite.cache"]
    assert told == "/ can't be made anew, and is given out as it was: RuntimeError: no stock"


def test_a_refresh_that_finds_the_page_gone_drops_it(tmp_path: Path, clock: Clock) -> None:
    code = (
        "from hybridsite import NotFound\nturns = 0\ndef load(context):\n    global turns\n    turns += 1\n"
        "    if turns > 1:\n        raise NotFound\n    return {'turns': turns}"
    )
    files = {"pages/index.html": kept("max_age: 10, swr: 20") + "<< turns >>", "pages/index.py": code}
    app = app_with(tmp_path, files)

    async def test() -> None:
        await get(app)
        clock.now += 15
        assert (await get(app)).text == "1"
        await refreshed(app)
        assert (await get(app)).status == 404

    running(test)


def test_a_refresh_goes_through_middleware(tmp_path: Path, clock: Clock) -> None:
    middleware = (
        "async def on_request(context, call_next):\n    context.locals.greeting = 'hello'\n"
        "    return await call_next(context)"
    )
    app = counted(tmp_path, "<< locals.greeting >> << turns >>", "max_age: 10, swr: 20", middleware_py=middleware)

    async def test() -> None:
        assert (await get(app)).text == "hello 1"
        clock.now += 15
        assert (await get(app)).text == "hello 1"
        await refreshed(app)
        assert (await get(app)).text == "hello 2"

    running(test)


# What code may say.


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("context.cache.set(max_age=0)", 'context.cache.set: "max_age" of "cache" must be over 0 seconds'),
        ("context.cache.set(max_age=60, vary=['cookie'])", 'an answer that varies by "cookie" can\'t be kept'),
        ("context.run(context.cache.invalidate())", "context.cache.invalidate is told of nothing"),
        ("context.session.get('a')\n    context.cache.set(max_age=60)", "for an answer that uses the session"),
    ],
)
def test_faults_of_code_have_their_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, call: str, words: str
) -> None:
    app = app_with(tmp_path, {"pages/now.py": f"def GET(context):\n    {call}\n    return 'ok'"})

    async def test() -> None:
        assert (await get(app, "/now")).status == 500

    with caplog.at_level(logging.ERROR, "hybridsite"):
        running(test)
    line = 2 + call.count("\n")
    assert caplog.records[0].message.startswith(f"pages/now.py:{line}: ")
    assert words in caplog.records[0].message


def test_a_page_whose_template_names_the_session_is_never_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # case R3, case R8
    page = "---\nprerender: false\n---\n{% if session is defined %}{% endif %}"
    code = "def load(context):\n    context.cache.set(max_age=60)"
    app = app_with(tmp_path, {"pages/index.html": page, "pages/index.py": code})

    async def test() -> None:
        assert (await get(app)).status == 500

    with caplog.at_level(logging.ERROR, "hybridsite"):
        running(test)
    assert caplog.records[0].message.startswith("pages/index.py:2: context.cache.set is called for an answer that uses")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"pages/a.html": "---\ncache: {max_age: 1}\n---\n"},
            'pages/a.html:2:1: "cache" stands on a page that is rendered',
        ),
        (
            {"pages/a.html": kept() + "<< session.get('a') >>"},
            'pages/a.html:3:1: "cache" stands on a page that uses the',
        ),
        (
            {"pages/a.html": kept() + "<< flashes() >>"},
            'pages/a.html:3:1: "cache" stands on a page that uses the session',
        ),
        (
            {"pages/a.html": kept(), "pages/a.py": "def load(context):\n    context.session"},
            'pages/a.html:3:1: "cache" stands on a page that uses the session',
        ),
        (
            {"pages/a.html": kept() + '{% extends "layouts/b.html" %}', "layouts/b.html": "<< session >>"},
            'pages/a.html:3:1: "cache" stands on a page that uses the session',
        ),
    ],
)
def test_front_matter_that_would_loosen_what_is_private_is_refused(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    with pytest.raises(FrontMatterError) as fault:
        app_with(tmp_path, files)
    assert str(fault.value).startswith(words)


def test_a_prerendered_page_has_no_cache(tmp_path: Path) -> None:
    files = {"pages/a.html": "x", "pages/a.py": "def load(context):\n    context.cache.set(max_age=1)"}
    with pytest.raises(ContextError, match=r"pages/a.py:2: context.cache is asked for on a prerendered page"):
        app_with(tmp_path, files)
