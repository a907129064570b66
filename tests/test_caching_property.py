"""Whoever comes, in whatever order, and whatever a page does: nobody ever gets what is another visitor's."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridsite.server.deployment import Deployment
from tests.caching import app_with, get, kept, running

VISITORS = 3
# What a page may do with a request. Each gives a text, or nothing.
CODE = """
import asyncio
plans = {}
DOES = {
    "nothing": lambda context: "",
    "reads the session": lambda context: context.session.get("secret", ""),
    "asks for a key": lambda context: "" if "secret" in context.session else "",
    "writes": lambda context: context.session.set("seen", 1),
    "shows the items": lambda context: str(dict(context.session.items())),
    "flashes": lambda context: "".join(context.flashes()),
    "reads a cookie": lambda context: context.cookies.get("who", ""),
    "reads all cookies": lambda context: str(context.request.cookies),
    "reads a header": lambda context: context.request.headers.get("x-who", ""),
    "reads the query": lambda context: context.request.query_params.get("who", ""),
    "shows the URL": lambda context: str(context.url),
    "sets a cookie": lambda context: context.cookies.set("mine", "1"),
    "turns to the scope": lambda context: str(context.request.scope["headers"]),
    "waits": None,
    "keeps": lambda context: context.cache.set(max_age=60) if not context.session.touched else None,
}

async def done(context):
    told = []
    for name in plans.get(context.params["name"], ()):
        if DOES[name] is None:
            await asyncio.sleep(0)
        else:
            told.append(str(DOES[name](context) or ""))
    return " ".join(told)
"""
LOAD = "import doing\nasync def load(context):\n    return {'told': await doing.done(context)}\n"
MIDDLEWARE = """
import doing
async def on_request(context, call_next):
    for name in doing.plans.get("middleware", ()):
        doing.DOES[name](context)
    return await call_next(context)
"""
ENTER = "def GET(context):\n    context.session['secret'] = context.request.query_params['who']\n    return 'ok'\n"
ACTS = [
    *("nothing", "reads the session", "asks for a key", "writes", "shows the items", "flashes", "reads a cookie"),
    *("reads all cookies", "reads a header", "reads the query", "shows the URL", "sets a cookie"),
    *("turns to the scope", "waits", "keeps"),
]
ONLY_READS = [name for name in ACTS if name not in ("waits", "keeps")]
names = itertools.count()


@pytest.fixture(scope="module", params=["front matter", "code", "middleware"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, Any]:
    """A site whose pages do what they are told, kept by front matter or by code."""
    files = {
        "doing.py": CODE,
        "pages/p/[name].html": (kept() if request.param != "code" else "---\nprerender: false\n---\n") + "<< told >>",
        "pages/p/[name].py": LOAD,
        "pages/enter.py": ENTER,
        **({"middleware.py": MIDDLEWARE} if request.param == "middleware" else {}),
    }
    folder: Path = tmp_path_factory.mktemp("property")
    made = app_with(folder, files)
    module = made.current.site.resources["pages/p/[name].html"].module
    assert module is not None
    return made, module.value("doing")


plans = st.lists(st.sampled_from(ACTS), max_size=3)
visits = st.lists(
    st.tuples(
        st.integers(0, VISITORS - 1), st.sampled_from([0, 0, 0, 1]), st.sampled_from(["GET", "GET", "GET", "HEAD"])
    ),
    min_size=2,
    max_size=6,
)
steps = st.lists(st.one_of(visits, st.tuples(st.integers(0, 1), plans)), min_size=2, max_size=8)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.tuples(plans, plans), middleware=st.lists(st.sampled_from(ONLY_READS), max_size=2), steps=steps)
def test_nobody_gets_what_is_anothers(
    app: tuple[Deployment, Any],
    first: tuple[list[str], list[str]],
    middleware: list[str],
    steps: list[Any],
) -> None:
    # case R3, case R8, case R4
    site, doing = app
    number = next(names)
    pages = [f"n{number}-{page}" for page in (0, 1)]
    doing.plans.clear()
    doing.plans.update({pages[0]: first[0], pages[1]: first[1], "middleware": middleware})

    async def test() -> None:
        cookies = []
        for visitor in range(VISITORS):
            entered = await get(site, f"/enter?who=secret{visitor}")
            session = entered.header["set-cookie"].partition(";")[0]
            cookies.append(f"{session}; who=secret{visitor}")

        async def visit(visitor: int, page: int, method: str) -> None:
            own = f"secret{visitor}"
            target = f"/p/{pages[page]}/?who={own}"
            answer = await get(site, target, method, cookie=cookies[visitor], x_who=own, host=f"{own}.example")
            assert answer.status == 200
            told = set(re.findall(r"secret\d", answer.text + str(answer.headers)))
            assert told <= {own}
            if answer.header.get("x-cache") in ("HIT", "STALE"):
                assert not told  # what is for everybody is nobody's own
                assert "set-cookie" not in answer.header

        for step in steps:
            if isinstance(step, list):
                await asyncio.gather(*(visit(*one) for one in step))
            else:
                page, plan = step
                doing.plans[pages[page]] = plan

    running(test)
