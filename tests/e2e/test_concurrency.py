"""Many requests of one session at once, in one process and in several, and what a kill leaves."""

from __future__ import annotations

import ast
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.support import CONSOLE, COOKIE, MakeSite, Serve, Server, ask, ask_at_once, post_at_once, wait_until

SITE = {
    "pages/index.html": "home",
    "pages/console.py": CONSOLE,
    "pages/add.py": """
        def POST(context):
            item = context.request.query_params["item"]
            context.session.update("cart", lambda cart: cart + [item], [])
            return context.session["cart"]
        """,
}


@pytest.fixture(scope="module")
def two_workers(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE), "--workers", "2") as server:
        yield server


@pytest.fixture(scope="module")
def one_worker(make_site: MakeSite) -> Iterator[Server]:
    with Server(make_site(SITE)) as server:
        yield server


@contextmanager
def under_way(server: Server, client: httpx.Client, before: str, after: str) -> Iterator[list[httpx.Response]]:
    """Runs `before` in a request, then the block, then `after` in the same request; has its answer at the end."""
    answers, name = list[httpx.Response](), secrets.token_hex(4)
    code = f"{before}; events['{name} begun'].set(); await events['{name} go'].wait(); {after}"
    copy = server.client(client.cookies[COOKIE])
    thread = threading.Thread(target=lambda: answers.append(copy.post("/console", content=code.encode())))
    thread.start()
    ask(server.client(), f"await events['{name} begun'].wait()")
    yield answers
    ask(server.client(), f"events['{name} go'].set()")
    thread.join(30)


def until_both_have_answered(ask_many: Callable[[], list[httpx.Response]]) -> None:
    """Asks again where the system gave all connections to one of the two processes, as a busy machine may."""

    def both_have() -> bool:
        answers = ask_many()
        assert Counter(answer.status_code for answer in answers) == {200: 200}
        return len({answer.json()["pid"] for answer in answers}) == 2

    wait_until(both_have, "answers of both processes", seconds=60)


def test_twenty_at_once_keep_twenty_keys(two_workers: Server) -> None:
    client = two_workers.client()
    ask(client, "session['first'] = 1")
    code = "before = len(session); await asyncio.sleep(0.05); session['k{}'] = before"
    answers = ask_at_once(two_workers, client.cookies[COOKIE], [code.format(n) for n in range(20)])
    assert Counter(answer.status_code for answer in answers) == {200: 20}
    assert ast.literal_eval(ask(client, "result = sorted(session)")) == sorted(["first", *(f"k{n}" for n in range(20))])


def test_two_hundred_at_once_keep_two_hundred_keys(two_workers: Server) -> None:
    # case C1
    def keep() -> list[httpx.Response]:
        client = two_workers.client()
        ask(client, "session['first'] = 1")
        answers = ask_at_once(two_workers, client.cookies[COOKIE], [f"session['k{n}'] = {n}" for n in range(200)])
        kept = ast.literal_eval(ask(client, "result = dict(session)"))
        assert kept == {"first": 1} | {f"k{n}": n for n in range(200)}
        return answers

    until_both_have_answered(keep)


def test_two_hundred_updates_of_one_cart_keep_two_hundred_items(two_workers: Server) -> None:
    # case C1b
    def keep() -> list[httpx.Response]:
        client = two_workers.client()
        ask(client, "session['first'] = 1")
        code = "session.update('cart', lambda cart: cart + [{}], [])"
        answers = ask_at_once(two_workers, client.cookies[COOKIE], [code.format(n) for n in range(200)])
        assert sorted(ast.literal_eval(ask(client, "result = session['cart']"))) == list(range(200))
        return answers

    until_both_have_answered(keep)


def test_plain_functions_in_threads_lose_nothing_either(two_workers: Server) -> None:
    # case C1b
    client = two_workers.client()
    assert client.post("/add?item=first").json() == ["first"]
    cookie, paths = client.cookies[COOKIE], [f"/add?item={n}" for n in range(100)]
    answers = post_at_once(two_workers, paths, cookie)
    assert Counter(answer.status_code for answer in answers) == {200: 100}
    assert all(path.removeprefix("/add?item=") in answer.json() for path, answer in zip(paths, answers, strict=True))
    cart = ast.literal_eval(ask(client, "result = session['cart']"))
    assert sorted(cart) == sorted(["first", *map(str, range(100))])


def test_a_save_amid_regenerate_is_in_the_new_session(one_worker: Server) -> None:
    # case C1b: the save is answered before the request that regenerates is
    client = one_worker.client()
    ask(client, "session['a'] = 1; session['cart'] = ['tea']")
    old = client.cookies[COOKIE]
    with under_way(one_worker, client, "session.regenerate(); session['user'] = 2", "pass") as answers:
        ask(client, "session['b'] = 3; session.update('cart', lambda cart: cart + ['cup'], [])")
    signed_in = one_worker.client(answers[0].cookies[COOKIE])
    kept = "[('a', 1), ('b', 3), ('cart', ['tea', 'cup']), ('user', 2)]"
    assert ask(signed_in, "result = sorted(session.items())") == kept
    assert ask(one_worker.client(old), "result = len(session)") == "0"


def test_a_delete_and_a_set_of_other_keys_both_hold(one_worker: Server) -> None:
    # case C2
    client = one_worker.client()
    ask(client, "session['a'] = 1; session['b'] = 1")
    with under_way(one_worker, client, "session.get('b')", "session['b'] = 2; session['c'] = 3") as answers:
        ask(client, "session.delete('a'); session['d'] = 4")
    assert answers[0].status_code == 200
    assert ask(client, "result = sorted(session.items())") == "[('b', 2), ('c', 3), ('d', 4)]"


def test_the_last_save_of_a_key_wins(one_worker: Server) -> None:
    # case C2
    client = one_worker.client()
    ask(client, "session['a'] = 'start'")
    with under_way(one_worker, client, "session['a'] = 'early set, late save'", "pass"):
        ask(client, "session['a'] = 'early save'")
        assert ask(client, "result = session['a']") == "'early save'"
    assert ask(client, "result = session['a']") == "'early set, late save'"


def test_a_key_that_was_only_read_is_not_written_back(one_worker: Server) -> None:
    # case C2
    client = one_worker.client()
    ask(client, "session['cart'] = {'items': ['tea']}; session['n'] = 1")
    with under_way(one_worker, client, "session['cart']['items']; dict(session)", "session['n'] = 2"):
        ask(client, "session['cart']['items'].append('cup')")
    assert ask(client, "result = sorted(session.items())") == "[('cart', {'items': ['tea', 'cup']}), ('n', 2)]"


@pytest.mark.parametrize(
    ("slow", "quick", "kept"),
    [
        ("session['a']['n'].append('slow')", "session['a'] = 'quick'", "{'n': ['slow']}"),
        ("session['a'] = 'slow'", "session['a']['n'].append('quick')", "'slow'"),
        ("session['a']['n'].append('slow')", "session.delete('a')", "{'n': ['slow']}"),
        ("session.delete('a')", "session['a']['n'].append('quick')", "None"),
    ],
)
def test_a_change_in_place_and_another_of_the_same_key(one_worker: Server, slow: str, quick: str, kept: str) -> None:
    # case C2: the later save of the key wins
    client = one_worker.client()
    ask(client, "session['a'] = {'n': []}")
    with under_way(one_worker, client, slow, "pass"):
        ask(client, quick)
    assert ask(client, "result = session.get('a')") == kept


def test_update_runs_again_on_what_is_stored_now(one_worker: Server) -> None:
    client = one_worker.client()
    ask(client, "session['cart'] = ['tea']")
    slow = "session.update('cart', lambda cart: cart + ['slow'], [])"
    with under_way(one_worker, client, slow, "result = session['cart']"):
        ask(client, "session.update('cart', lambda cart: cart + ['quick'], [])")
    assert ask(client, "result = session['cart']") == "['tea', 'quick', 'slow']"


def test_a_handler_that_raises_amid_others_changes_nothing(one_worker: Server) -> None:
    # case C7
    client = one_worker.client()
    ask(client, "session['a'] = 1")
    with under_way(one_worker, client, "session['a'] = 'wrong'; session['b'] = 1", "raise RuntimeError") as answers:
        ask(client, "session['c'] = 2")
    assert answers[0].status_code == 500
    assert ask(client, "result = sorted(session.items())") == "[('a', 1), ('c', 2)]"


def test_each_answered_write_is_there_after_a_kill(make_site: MakeSite, serve: Serve) -> None:
    # case C3
    server = serve(make_site(SITE), "--workers", "2")
    client = server.client()
    ask(client, "session['first'] = 1")
    answered: list[int] = []

    def write(first: int) -> None:
        copy = server.client(client.cookies[COOKIE])
        for n in range(first, 100_000, 4):
            try:
                ask(copy, f"session.update('cart', lambda cart: cart + [{n}], [])")
            except httpx.TransportError:
                return
            answered.append(n)

    threads = [threading.Thread(target=write, args=[first]) for first in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) >= 60, "sixty writes")
    server.kill()
    for thread in threads:
        thread.join(30)
    server.start()
    kept = ast.literal_eval(ask(client, "result = session['cart']"))
    assert set(answered) <= set(kept)
    assert len(kept) == len(set(kept))
    assert len(set(kept) - set(answered)) <= 4  # those under way
