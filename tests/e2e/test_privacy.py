"""Answers that used a session are one visitor's own: no shared cache may keep them, and nobody else gets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support import Hybridsite, MakeSite, Server, errors_at, is_private

ON_DEMAND = "---\nprerender: false\n---\n"
SITE = {
    "pages/index.html": "home",
    "pages/404.html": "<h1>Nothing here</h1>",
    "components/badge.html": "<< session.get('name', 'nobody') >>",
    "components/deep.html": "{% include 'components/badge.html' %}",
    "layouts/shop.html": "{% include 'components/deep.html' %}{% block main %}{% endblock %}",
    "components/macros.html": "{% macro hello() %}<< session.get('name') >>{% endmacro %}",
    # used
    "pages/reads.html": ON_DEMAND + "<< session.get('name', 'nobody') >>",
    "pages/included.html": ON_DEMAND + "{% extends 'layouts/shop.html' %}",
    "pages/not-taken.html": ON_DEMAND + "{% if false %}<< session.get('name') >>{% endif %}plain",
    "pages/guarded.html": ON_DEMAND + "{% if session %}hello{% endif %}",
    "pages/imported.html": ON_DEMAND + "{% from 'components/macros.html' import hello %}plain",
    "pages/variable.html": ON_DEMAND + "{% set part = 'components/badge.html' %}{% include part %}",
    "pages/loaded.html": ON_DEMAND + "<< name >>",
    "pages/loaded.py": "def load(context):\n    return {'name': context.session.get('name', 'nobody')}",
    "pages/touch/get.py": "def GET(context):\n    return [context.session.get('name', 'nobody')]",
    "pages/touch/contains.py": "def GET(context):\n    return ['name' in context.session]",
    "pages/touch/length.py": "def GET(context):\n    return [len(context.session)]",
    "pages/touch/iteration.py": "def GET(context):\n    return list(context.session)",
    "pages/touch/set.py": """
        def POST(context):
            context.session["name"] = context.request.query_params["name"]
            return "set"
        """,
    "pages/touch/redirect.py": "def GET(context):\n    context.session.get('x')\n    return context.redirect('/')",
    "pages/touch/missing.py": """
        from hybridsite import NotFound

        def GET(context):
            context.session.get("x")
            raise NotFound
        """,
    # not used
    "pages/plain.html": ON_DEMAND + "plain",
    "pages/local.html": ON_DEMAND + "{% for session in ['a'] %}<< session >>{% endfor %}",
    "pages/variable-plain.html": ON_DEMAND + "{% set part = 'components/plain.html' %}{% include part %}",
    "components/plain.html": "plain",
    "pages/idle.py": "def GET(context):\n    return ['idle']",
    "pages/asks.py": "def GET(context):\n    return [context.has_session]",
}
USING = [
    "/reads/",
    "/included/",
    "/not-taken/",
    "/guarded/",
    "/imported/",
    "/variable/",
    "/loaded/",
    "/touch/get",
    "/touch/contains",
    "/touch/length",
    "/touch/iteration",
    "/touch/redirect",
    "/touch/missing",
]
SHARED = ["/", "/plain/", "/local/", "/variable-plain/", "/idle", "/asks", "/nowhere/"]


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:

    with Server(make_site(SITE)) as server:
        yield server


@pytest.mark.parametrize("path", USING)
def test_what_used_the_session_is_private(server: Server, path: str) -> None:
    # case R3, case R8: without a cookie, with one, and by HEAD
    visitor = server.client()
    assert is_private(visitor.get(path))
    assert is_private(visitor.post("/touch/set?name=Ann"))
    assert is_private(visitor.get(path))
    assert is_private(visitor.head(path))


@pytest.mark.parametrize("path", SHARED)
def test_what_did_not_use_it_is_not(server: Server, path: str) -> None:
    visitor = server.client()
    assert not is_private(visitor.get(path))
    visitor.post("/touch/set?name=Ann")
    assert not is_private(visitor.get(path))
    assert "set-cookie" not in visitor.get(path).headers


@pytest.mark.parametrize("path", ["/reads/", "/included/", "/variable/", "/loaded/", "/touch/get"])
def test_two_visitors_never_see_each_other(server: Server, path: str) -> None:
    ann, bob, nobody = server.client(), server.client(), server.client()
    ann.post("/touch/set?name=Ann")
    bob.post("/touch/set?name=Bob")
    for _ in range(2):
        assert [name in ann.get(path).text for name in ("Ann", "Bob", "nobody")] == [True, False, False]
        assert [name in bob.get(path).text for name in ("Ann", "Bob", "nobody")] == [False, True, False]
        assert [name in nobody.get(path).text for name in ("Ann", "Bob", "nobody")] == [False, False, True]


def test_a_looser_header_of_its_own_is_an_error(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    loose = "---\nprerender: false\nheaders:\n  Cache-Control: public, max-age=60\n---\n<< session.get('name') >>"
    done = hybridsite("build", make_site({"pages/index.html": "home", "pages/cart.html": loose}))
    assert done.returncode == 1
    errors = errors_at(done.stderr, "pages/cart.html", 4) or errors_at(done.stderr, "pages/cart.html", 3)
    assert len(errors) == 1, done.stderr
    assert "Cache-Control" in errors[0]


def test_code_can_not_loosen_it_either(make_site: MakeSite) -> None:
    code = """
        def GET(context):
            context.response.headers["Cache-Control"] = "public, max-age=60"
            return [context.session.get("name")]
        """
    with Server(make_site({"pages/index.html": "home", "pages/loose.py": code})) as loose:
        answer = loose.client().get("/loose")
        assert answer.status_code == 500 or is_private(answer)
        assert "public" not in answer.headers.get("cache-control", "")
