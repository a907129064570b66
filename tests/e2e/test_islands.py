"""Islands of a real site over real HTTP: one page for all, with a piece that is each visitor's own."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import (
    CONSOLE,
    SECRET,
    Hybridsite,
    MakeSite,
    Serve,
    Server,
    ask,
    built,
    errors_at,
    is_private,
    page,
    tree,
    write_files,
)

PAGE = """
{% extends "layouts/base.html" %}
{% block main %}
<p>A pot of ink.</p>
{% island "components/stock.html", product="woad", when="visible" %}<i>We are counting.</i>{% endisland %}
{% endblock %}
"""
SITE = {
    "layouts/base.html": """
        <!doctype html>
        <header>{% island "components/cart-badge.html", secret_discount=17 %}<a>Cart</a>{% endisland %}</header>
        {% block main %}{% endblock %}
        """,
    "pages/index.html": PAGE,
    "pages/now.html": "---\nprerender: false\n---\n" + PAGE.strip(),
    "pages/console.py": CONSOLE,
    "components/cart-badge.html": "<a>Cart << session.get('cart', []) | length >></a>",
    "components/stock.html": "<b><< left >> of << product >></b>",
    "components/stock.py": """
        import time

        def load(context):
            time.sleep(0.01)  # as a database would; a function that isn't async runs in a thread
            return {"left": context.run(ask_database(context.props["product"]))}

        async def ask_database(product):
            return len(product)
        """,
}


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Path:
    site = make_site(SITE)
    built(site)
    return site


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    with Server(site, "--no-build") as server:
        yield server


def islands(text: str) -> list[str]:
    return re.findall(r'<slot name="([^"]+)"', text)


def pieces(client: httpx.Client, names: list[str]) -> dict[str, str]:
    """Fetches pieces as the script does."""
    answer = client.get(f"/_islands/{','.join(names)}.json")
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


def test_the_page_is_the_same_bytes_for_all_and_the_piece_each_visitors_own(server: Server) -> None:
    first, second = server.client(), server.client()
    ask(first, "session['cart'] = ['woad', 'weld']")
    one, other = first.get("/"), second.get("/")
    assert one.content == other.content
    assert "set-cookie" not in one.headers
    assert "public" in one.headers["cache-control"]
    badge, stock = islands(one.text)
    assert pieces(first, [badge, stock]) == {badge: "<a>Cart 2</a>", stock: "<b>4 of woad</b>"}
    assert pieces(second, [badge]) == {badge: "<a>Cart 0</a>"}
    answer = second.get(f"/_islands/{badge}.json")
    assert is_private(answer)
    assert "set-cookie" not in answer.headers


def test_props_never_leave_the_server(site: Path, server: Server) -> None:
    # decision 14
    client = server.client()
    page_of_all = client.get("/")
    badge, stock = islands(page_of_all.text)
    answers = [page_of_all, client.get(f"/_islands/{badge},{stock}.json"), client.get(f"/_islands/{badge}")]
    for answer in answers:
        assert "17" not in re.sub(r'"[A-Za-z0-9_-]{24}"', "", answer.text)
        assert "components/" not in answer.text
        assert "secret_discount" not in f"{answer.text}{answer.headers}"
    assert "secret_discount" in (site / "dist/server/manifest.json").read_text("utf-8")


def test_a_page_on_demand_has_its_pieces_in_place_at_once(server: Server) -> None:
    client = server.client()
    ask(client, "session['cart'] = ['woad']")
    answer = client.get("/now/")
    assert is_private(answer)
    assert "<header><a>Cart 1</a></header>" in answer.text
    assert "<b>4 of woad</b>" in answer.text
    assert "<slot" not in answer.text
    assert "<script" not in answer.text
    assert "counting" not in answer.text


def test_a_layout_with_an_island_serves_both_kinds_of_page_without_an_error(site: Path, hybridsite: Hybridsite) -> None:
    done = hybridsite("build", "--strict", site)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^/ +prerendered +.*2 islands", done.stdout, re.MULTILINE)


def test_the_error_of_an_undefined_session_names_an_island_as_a_mend(make_site: MakeSite) -> None:
    done = built(make_site({"pages/index.html": "<< session.get('x') >>"}))
    (line,) = errors_at(done.stderr, "pages/index.html", 1)
    assert "put the piece into an island" in line


def test_unknown_altered_and_huge_digests_are_not_there_and_cost_nothing(server: Server) -> None:
    # case X6
    client = server.client()
    badge, _ = islands(client.get("/").text)
    altered = badge[:5] + ("a" if badge[5] != "a" else "b") + badge[6:]
    usual = client.get("/_islands/nothing")
    for text in (altered, altered + ".json", badge + "x", badge * 2, badge.lower() + "0", "A" * 60_000, "%3Cscript%3E"):
        answer = client.get(f"/_islands/{text}")
        assert (answer.status_code, answer.content) == (404, usual.content), text[:60]
    # 10 MB: the connection is closed, or the answer says no; the server goes on.
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        try:
            connection.sendall(b"GET /_islands/" + b"A" * 10_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            told = connection.recv(64)
        except (ConnectionResetError, BrokenPipeError):
            told = b""
    assert told == b"" or re.match(rb"HTTP/1\.1 (400|404|414|431) ", told)
    assert client.get(f"/_islands/{badge}").status_code == 200
    assert "script" not in server.log()


@pytest.mark.parametrize(
    "name",
    [
        *("__init__", "__class__", "find", "known", "components/cart-badge.html", "cart-badge", "constructor"),
        *("..", "../pages", "%2e%2e%2fsite.toml", "client", "client.js", ".json", "badge;x", "*"),
    ],
)
def test_names_from_a_request_are_looked_up_in_a_table_alone(server: Server, name: str) -> None:
    # case X9
    for ending in ("", ".json"):
        answer = server.raw(f"/_islands/{name}{ending}")
        assert answer.status in (400, 404), (name, answer.status)
        assert b"badge" not in answer.body


def test_other_methods_are_refused(server: Server) -> None:
    client = server.client()
    badge, _ = islands(client.get("/").text)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = client.request(method, f"/_islands/{badge}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    cross = client.post(f"/_islands/{badge}", headers={"Origin": "https://evil.example"})
    assert cross.status_code == 403
    head = client.head(f"/_islands/{badge}")
    assert (head.status_code, head.content) == (200, b"")
    assert is_private(head)


def test_no_other_site_can_read_a_piece(server: Server) -> None:
    client = server.client()
    badge, _ = islands(client.get("/").text)
    answer = client.get(f"/_islands/{badge}.json", headers={"Origin": "https://evil.example"})
    assert [name for name in answer.headers if name.startswith("access-control")] == []
    assert answer.headers["x-content-type-options"] == "nosniff"  # case X8: no script either


def test_the_same_secret_gives_the_same_bytes_anywhere(make_site: MakeSite) -> None:
    # case D6
    one, other, third = make_site(SITE), make_site(SITE), make_site(SITE)
    built(one, env={"HYBRIDSITE_SECRET": SECRET})
    built(other, env={"HYBRIDSITE_SECRET": f"{SECRET},aX7-older-one-2b9Kq0ZtWcRmYv5Ln8"})  # the newest counts
    built(third)  # with a secret of its own
    assert tree(one / "dist") == tree(other / "dist")
    assert islands(page(one, "index.html")) != islands(page(third, "index.html"))
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in one.rglob("*") if path.is_file())


def test_a_copied_dist_answers_its_islands_without_the_secret(site: Path, tmp_path: Path, serve: Serve) -> None:
    shutil.copytree(site / "dist", tmp_path / "elsewhere/dist")
    server = serve(tmp_path / "elsewhere/dist")
    client = server.client()
    badge, _ = islands(client.get("/").text)
    assert pieces(client, [badge]) == {badge: "<a>Cart 0</a>"}


def test_a_page_of_the_build_before_still_gets_its_pieces(make_site: MakeSite, serve: Serve) -> None:
    source = '{{% island "components/a.html", n={} %}}{{% endisland %}}'
    site = make_site({"pages/index.html": source.format(1), "components/a.html": "old << n >>"})
    built(site)
    (before,) = islands(page(site, "index.html"))
    write_files(site, {"pages/index.html": source.format(2), "components/a.html": "new << n >>"})
    server = serve(site)
    client = server.client()
    (now,) = islands(client.get("/").text)
    assert now != before
    assert pieces(client, [before, now]) == {before: "new 1", now: "new 2"}
    assert before.encode() not in b"".join(path.read_bytes() for path in (site / "dist").rglob("*") if path.is_file())


def test_several_workers_answer_alike(site: Path, serve: Serve) -> None:
    server = serve(site, "--no-build", "--workers", "2")
    badge, stock = islands(server.client().get("/").text)
    for _ in range(10):
        assert len(pieces(server.client(), [badge, stock])) == 2


def test_a_function_that_waits_does_not_hold_the_others_up(make_site: MakeSite, serve: Serve) -> None:
    site = make_site(
        {
            "pages/index.html": '{% island "components/slow.html" %}{% endisland %}'
            '{% island "components/fast.html" %}{% endisland %}',
            "components/slow.html": "slow",
            "components/slow.py": """
                import threading
                gate = threading.Event()

                def load(context):
                    assert gate.wait(20)
                """,
            "components/fast.html": "fast",
            "components/fast.py": """
                import sys

                async def load(context):
                    for name, module in sys.modules.items():
                        if name.endswith("components.slow"):
                            module.gate.set()
                """,
        }
    )
    server = serve(site)
    slow, fast = islands(server.client().get("/").text)
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(server.client().get(f"/_islands/{slow}").text))
    waiting.start()
    assert server.client().get(f"/_islands/{fast}").text == "fast"
    waiting.join(25)
    assert answers == ["slow"]
