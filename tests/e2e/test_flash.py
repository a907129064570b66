"""`session.flash()` and `flashes()` in a real server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.support import CONSOLE, Hybridsite, MakeSite, Server, ask, errors_at, is_private, session_cookie

SITE = {
    "pages/console.py": CONSOLE,
    "pages/saved.html": """
        ---
        prerender: false
        ---
        {% if flashes() %}<ul>{% for message in flashes() %}<li><< message >></li>{% endfor %}</ul>{% endif %}
        """,
    "pages/plain.html": "---\nprerender: false\n---\nplain",
}


@pytest.fixture(scope="module")
def server(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client()


def saved(client: httpx.Client) -> str:
    answer = client.get("/saved/")
    assert is_private(answer)
    return answer.text.strip()


def test_messages_are_shown_once_in_order_and_escaped(client: httpx.Client) -> None:
    ask(client, "session.flash('one'); session.flash('<two>')")
    assert client.get("/plain/").text.strip() == "plain"
    assert saved(client) == "<ul><li>one</li><li>&lt;two&gt;</li></ul>"
    assert saved(client) == ""


def test_an_answer_that_nobody_sees_uses_none_up(client: httpx.Client) -> None:
    ask(client, "session.flash('one')")
    assert is_private(client.head("/saved/"))
    assert "one" in client.get("/saved/", headers={"Sec-Purpose": "prefetch;prerender"}).text
    assert "one" in saved(client)
    assert saved(client) == ""


def test_code_asks_by_the_context(client: httpx.Client) -> None:
    ask(client, "session.flash({'kind': 'error', 'text': 'no'})")
    assert ask(client, "result = context.flashes(), list(session)") == "([{'kind': 'error', 'text': 'no'}], [])"
    assert ask(client, "result = context.flashes()") == "[]"


def test_a_looker_gets_no_cookie_but_a_private_page(client: httpx.Client) -> None:
    # case R8
    answer = client.get("/saved/")
    assert is_private(answer)
    assert session_cookie(answer) is None


def test_on_a_prerendered_page_it_is_the_error_that_session_is(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(
        {
            "pages/index.html": "<h1>Home</h1>\n[{% for text in flashes() %}<< text >>{% endfor %}<< flashes() >>]",
            "pages/guarded.html": "{% if session %}<< flashes() >>{% endif %}",
            "pages/code.html": "<< told >>",
            "pages/code.py": "def load(context):\n    return {'told': context.flashes()}",
        }
    )
    done = hybridsite("build", site)
    assert done.returncode == 0, done.stderr
    assert (site / "dist/client/index.html").read_text() == "<h1>Home</h1>\n[]"
    assert (site / "dist/client/code/index.html").read_text() == "[]"
    assert len(errors_at(done.stderr, "pages/index.html", 2)) == 1
    assert len(errors_at(done.stderr, "pages/code.py", 2)) == 1
    assert "guarded" not in done.stderr
    assert hybridsite("build", site, "--strict").returncode == 1
